package admission

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

const mebibyte = 1 << 20

// parents stands for what the operator knows of workloads.
type parents struct {
	sizes map[string]workload.Size
	note  workload.Note
	err   error
	asked *corev1.Pod
}

func (p *parents) AtBirth(_ context.Context, pod *corev1.Pod) (map[string]workload.Size, error) {
	p.asked = pod
	return p.sizes, p.err
}

func (p *parents) NoteAtBirth(context.Context, *corev1.Pod) (workload.Note, error) {
	return p.note, nil
}

func size(request, limit int64) workload.Size {
	return workload.Size{Request: request * mebibyte, Limit: limit * mebibyte}
}

// newborn is a Pod of a Deployment as the API server passes it on.
func newborn() *corev1.Pod {
	memory := func(request, limit string) corev1.ResourceRequirements {
		r := corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}}
		if limit != "" {
			r.Limits[corev1.ResourceMemory] = resource.MustParse(limit)
		}
		if request != "" {
			r.Requests = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(request)}
		}
		return r
	}
	pod := &corev1.Pod{}
	pod.GenerateName, pod.Annotations = "memhog-", map[string]string{v1.MonitorAnnotation: v1.MonitorAny}
	pod.Spec.InitContainers = []corev1.Container{{Name: "proxy", Resources: memory("64Mi", "128Mi")}}
	pod.Spec.Containers = []corev1.Container{
		{Name: "memhog", Resources: memory("256Mi", "384Mi")}, {Name: "fixed", Resources: memory("100Mi", "100Mi")},
		{Name: "free", Resources: memory("", "")},
	}
	return pod
}

// shared is the same with a limit for all containers.
func shared() []byte {
	pod := newborn()
	pod.Spec.Resources = &corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("300Mi")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("400Mi")},
	}
	raw, err := json.Marshal(pod)
	if err != nil {
		panic(err)
	}
	return raw
}

func TestANewPodGetsWhatItsWorkloadHasLearned(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		reason  string
		parents *parents
		raw     []byte
		want    map[string]any // by path of the patch
	}{
		{"nothing was learned", &parents{}, nil, nil},
		{"more", &parents{sizes: map[string]workload.Size{"memhog": size(512, 768)}}, nil, map[string]any{
			"/spec/containers/0/resources/limits/memory": "768Mi", "/spec/containers/0/resources/requests/memory": "512Mi",
		}},
		{"more for a sidecar", &parents{sizes: map[string]workload.Size{"proxy": size(128, 256)}}, nil, map[string]any{
			"/spec/initContainers/0/resources/limits/memory":   "256Mi",
			"/spec/initContainers/0/resources/requests/memory": "128Mi",
		}},
		{"less is never given", &parents{sizes: map[string]workload.Size{"memhog": size(128, 192)}}, nil, nil},
		{"nor the same", &parents{sizes: map[string]workload.Size{"memhog": size(256, 384)}}, nil, nil},
		{"nor less of a request", &parents{sizes: map[string]workload.Size{"memhog": size(128, 768)}}, nil, nil},
		{"Burstable does not become Guaranteed", &parents{sizes: map[string]workload.Size{"memhog": size(768, 768)}}, nil, nil},
		{"nor the reverse", &parents{sizes: map[string]workload.Size{"fixed": size(150, 200)}}, nil, nil},
		{"Guaranteed stays so", &parents{sizes: map[string]workload.Size{"fixed": size(200, 200)}}, nil, map[string]any{
			"/spec/containers/1/resources/limits/memory": "200Mi", "/spec/containers/1/resources/requests/memory": "200Mi",
		}},
		{"the whole Pod, where its containers share a limit", &parents{sizes: map[string]workload.Size{workload.WholePod: size(512, 768)}},
			shared(), map[string]any{"/spec/resources/limits/memory": "768Mi", "/spec/resources/requests/memory": "512Mi"}},
		{"and along with one of them", &parents{sizes: map[string]workload.Size{"memhog": size(512, 768)}}, shared(), map[string]any{
			"/spec/containers/0/resources/limits/memory": "768Mi", "/spec/containers/0/resources/requests/memory": "512Mi",
			"/spec/resources/limits/memory": "784Mi", "/spec/resources/requests/memory": "556Mi",
		}},
		{"what has no limit gets none", &parents{sizes: map[string]workload.Size{"free": size(1, 2)}}, nil, nil},
		{"a container that is not there", &parents{sizes: map[string]workload.Size{"gone": size(512, 768)}}, nil, nil},
		{"what is not known leaves it as it is", &parents{
			sizes: map[string]workload.Size{"memhog": size(512, 768)}, err: errors.New("the cache is away"),
		}, nil, nil},
		{"a note for the agent", &parents{note: workload.Note{Paused: true}}, nil, map[string]any{
			"/metadata/annotations/app-monitor.kubedemo.com~1workload": `{"paused":true}`,
		}},
		{"that, too, where its size is not known", &parents{err: errors.New("the cache is away"), note: workload.Note{Paused: true}}, nil,
			map[string]any{"/metadata/annotations/app-monitor.kubedemo.com~1workload": `{"paused":true}`}},
		{"what cannot be read, too", &parents{}, []byte("nonsense"), nil},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			raw, err := json.Marshal(newborn())
			if err != nil {
				t.Fatal(err)
			}
			if tt.raw != nil {
				raw = tt.raw
			}
			b := &Births{Parents: tt.parents, Decoder: admission.NewDecoder(scheme)}
			got := b.Handle(t.Context(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
				Namespace: "shop", Object: runtime.RawExtension{Raw: raw},
			}})
			if !got.Allowed {
				t.Errorf("%s: the Pod is refused: %+v", tt.reason, got)
			}
			var patched map[string]any
			for _, p := range got.Patches {
				if patched == nil {
					patched = map[string]any{}
				}
				patched[p.Path] = p.Value
			}
			if diff := cmp.Diff(tt.want, patched); diff != "" {
				t.Errorf("%s: patch (-want +got):\n%s", tt.reason, diff)
			}
			if tt.parents.asked != nil && tt.parents.asked.Namespace != "shop" {
				t.Errorf("asked for a Pod of namespace %q", tt.parents.asked.Namespace)
			}
		})
	}
}
