package operand

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// shared is a Pod that has resources as a whole.
func shared(t *testing.T, namespace, name string, limits corev1.ResourceList) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Annotations: map[string]string{v1.MonitorAnnotation: "true"}},
		Spec: corev1.PodSpec{
			NodeName: "here", Containers: []corev1.Container{{Name: "memhog", Image: "memhog:dev"}},
			Resources: &corev1.ResourceRequirements{
				Requests: corev1.ResourceList{
					corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("256Mi"),
				},
				Limits: limits,
			},
		},
	}
	create(t, pod)
	return pod
}

func TestAPodsOwnSizeMayOnlyGrow(t *testing.T) {
	home, shop := newNamespace(t), newNamespaceOfOthers(t)
	node(t, "here")
	agent := bearer(t, home, agentPod(t, home, "agent", "here"))
	limited := shared(t, shop, "limited", corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("384Mi"),
	})
	free := shared(t, shop, "free", nil)
	create(t, Policy(home))
	create(t, Binding(home))
	whole := func(resources map[string]any) map[string]any {
		return map[string]any{"spec": map[string]any{"resources": resources}}
	}
	of := func(list, name, quantity string) map[string]any {
		return whole(map[string]any{list: map[string]any{name: quantity}})
	}
	inForce(t, func(ctx context.Context) error {
		return patch(ctx, agent, limited, "resize", of("limits", "memory", "300Mi"))
	})

	tests := []struct {
		reason  string
		pod     *corev1.Pod
		change  map[string]any
		allowed bool
	}{
		{"both grow", limited, whole(memory("512Mi", "768Mi")), true},
		{"the limit grows", limited, of("limits", "memory", "385Mi"), true},
		{"the request grows", limited, of("requests", "memory", "257Mi"), true},
		{"the request of one without a limit grows", free, of("requests", "memory", "257Mi"), true},
		{"a lower limit", limited, of("limits", "memory", "383Mi"), false},
		{"a lower request", limited, of("requests", "memory", "255Mi"), false},
		{"a lower request with a larger limit", limited, whole(memory("255Mi", "768Mi")), false},
		{"more CPU", limited, of("limits", "cpu", "2"), false},
		{"less CPU", limited, of("limits", "cpu", "500m"), false},
		{"a larger request for CPU", limited, of("requests", "cpu", "200m"), false},
		{"a smaller request for CPU", limited, of("requests", "cpu", "50m"), false},
		{"a first limit", free, of("limits", "memory", "1Gi"), false},
		{"a first limit for CPU", free, of("limits", "cpu", "1"), false},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			err := patch(t.Context(), agent, tt.pod, "resize", tt.change)
			if tt.allowed {
				if err != nil {
					t.Errorf("%s is refused: %v", tt.reason, err)
				}
				return
			}
			if !apierrors.IsForbidden(err) {
				t.Fatalf("%s: got %v, want it forbidden", tt.reason, err)
			}
			mustContain(t, err.Error(), "raise the memory of a Pod, and change nothing else")
		})
	}
}
