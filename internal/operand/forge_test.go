package operand

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// forged are values of the fields of an agent's Pod that it may not write by its status: by metadata, and by status.
var forged = map[string]map[string]string{
	"metadata": {
		"labels":          `{"app": "bank"}`,
		"annotations":     `{"app": "bank"}`,
		"finalizers":      `["example.com/for-ever"]`,
		"ownerReferences": `[{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u"}]`,
	},
	"status": {
		"observedGeneration":         `7`,
		"phase":                      `"Failed"`,
		"message":                    `"a lie"`,
		"reason":                     `"Evicted"`,
		"nominatedNodeName":          `"there"`,
		"hostIP":                     `"192.0.2.1"`,
		"hostIPs":                    `[{"ip": "192.0.2.2"}, {"ip": "2001:db8::1"}]`,
		"podIP":                      `"192.0.2.1"`,
		"podIPs":                     `[{"ip": "192.0.2.3"}, {"ip": "2001:db8::1"}]`,
		"startTime":                  `"2001-01-01T00:00:00Z"`,
		"containerStatuses":          `[{"name": "agent", "image": "i", "imageID": "i", "ready": true, "restartCount": 9}]`,
		"initContainerStatuses":      `[{"name": "setup", "image": "i", "imageID": "i", "ready": true, "restartCount": 9}]`,
		"ephemeralContainerStatuses": `[{"name": "debug", "image": "i", "imageID": "i", "ready": true, "restartCount": 9}]`,
		"qosClass":                   `"Guaranteed"`,
		"resize":                     `"Infeasible"`,
		"resourceClaimStatuses":      `[{"name": "gpu", "resourceClaimName": "another"}]`,
		"extendedResourceClaimStatus": `{"resourceClaimName": "another",
			"requestMappings": [{"containerName": "agent", "resourceName": "example.com/gpu", "requestName": "r"}]}`,
		"allocatedResources":                   `{"memory": "1Gi"}`,
		"resources":                            `{"limits": {"memory": "1Gi"}}`,
		"nodeAllocatableResourceClaimStatuses": `[{"resourceClaimName": "another", "containers": ["agent"]}]`,
		"volumeHealth":                         `[{"name": "data"}]`,
	},
}

// guarded are fields that the API server itself refuses to change by the status, or leaves as they are, or does not know without a
// feature that is off. The policy is not asked.
var guarded = []string{
	"ownerReferences", "nominatedNodeName", "qosClass", "extendedResourceClaimStatus", "nodeAllocatableResourceClaimStatuses",
	"volumeHealth",
}

func TestAnAgentForgesNothingOfItsOwnPod(t *testing.T) {
	home := newNamespace(t)
	node(t, "here")
	claim := "a"
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "agent", Namespace: home, Labels: labels()},
		Spec: corev1.PodSpec{
			ServiceAccountName: Name, NodeName: "here",
			InitContainers: []corev1.Container{{Name: "setup", Image: "memhog-operator:dev"}},
			Containers:     []corev1.Container{{Name: "agent", Image: "memhog-operator:dev"}},
			ResourceClaims: []corev1.PodResourceClaim{{Name: "gpu", ResourceClaimName: &claim}},
		},
	}
	create(t, pod)
	agent := bearer(t, home, pod)
	create(t, Policy(home))
	create(t, Binding(home))
	inForce(t, func(ctx context.Context) error { return patch(ctx, agent, pod, "status", told(corev1.PodReady)) })

	now := metav1.Now()
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, StartTime: &now,
		HostIP: "192.0.2.2", PodIP: "192.0.2.3", PodIPs: []corev1.PodIP{{IP: "192.0.2.3"}},
		ContainerStatuses: []corev1.ContainerStatus{{Name: "agent", Image: "i", ImageID: "i", Ready: true}},
		Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
	}
	must(t, live.Status().Update(t.Context(), pod))
	if err := patch(t.Context(), agent, pod, "status", told(v1.AgentKeepsGuarantee)); err != nil {
		t.Errorf("what it has to say is refused: %v", err)
	}
	for part, fields := range forged {
		for field, value := range fields {
			t.Run(field, func(t *testing.T) { forges(t, agent, pod, part, field, value) })
		}
	}
	for _, field := range []string{"containerStatuses", "startTime", "conditions"} {
		t.Run("no "+field, func(t *testing.T) { forges(t, agent, pod, "status", field, "null") })
	}
}

// forges tries to write a field.
func forges(t *testing.T, agent client.Client, pod *corev1.Pod, part, field, value string) {
	t.Helper()
	before, after := content(pod), content(pod)
	must(t, live.Get(t.Context(), client.ObjectKeyFromObject(pod), before))
	change := client.RawPatch(types.MergePatchType, []byte(`{"`+part+`": {"`+field+`": `+value+`}}`))
	err := agent.SubResource("status").Patch(t.Context(), after, change, client.DryRunAll)
	if !slices.Contains(guarded, field) {
		if !apierrors.IsForbidden(err) {
			t.Fatalf("%s.%s: got %v, want it forbidden", part, field, err)
		}
		mustContain(t, err.Error(), "and nothing else")
		return
	}
	if err != nil {
		return
	}
	was, _, _ := unstructured.NestedFieldNoCopy(before.Object, part, field)
	is, _, _ := unstructured.NestedFieldNoCopy(after.Object, part, field)
	if diff := cmp.Diff(was, is); diff != "" {
		t.Errorf("it writes %s.%s:\n%s", part, field, diff)
	}
}

func content(pod *corev1.Pod) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetAPIVersion("v1")
	u.SetKind("Pod")
	u.SetNamespace(pod.Namespace)
	u.SetName(pod.Name)
	return u
}

func TestNoFieldOfAPodsStatusIsForgotten(t *testing.T) {
	status := reflect.TypeFor[corev1.PodStatus]()
	for i := range status.NumField() {
		name, _, _ := strings.Cut(status.Field(i).Tag.Get("json"), ",")
		value, tried := forged["status"][name]
		if name == "conditions" {
			continue // one of which is the agent's
		}
		if !tried {
			t.Errorf("nobody tries to forge status.%s", name)
			continue
		}
		if err := json.Unmarshal([]byte(value), reflect.New(status.Field(i).Type).Interface()); err != nil {
			t.Errorf("what is tried of status.%s is none: %v", name, err)
		}
	}
}
