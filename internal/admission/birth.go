// Package admission gives new Pods, before they are created, the memory that their workload has learned to need, and what the agents
// of their nodes have to know.
package admission

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// Path is where the API server asks.
const Path = "/mutate-v1-pod"

// Parents say what new Pods are to have.
type Parents interface {
	// AtBirth returns the memory that containers of a Pod are to have that is about to be created, by name: those that are to
	// have more than the Pod says, of the same class of service. The Pod has its namespace, and may have no name yet.
	AtBirth(ctx context.Context, pod *corev1.Pod) (map[string]workload.Size, error)
	// NoteAtBirth returns what the agent of the Pod's node has to know from the moment at which it runs.
	NoteAtBirth(ctx context.Context, pod *corev1.Pod) (workload.Note, error)
}

// Births is the handler of a mutating webhook for Pods that are created. It refuses none: what goes wrong leaves the Pod as it
// is, and the Pod catches up once it runs.
type Births struct {
	Parents Parents
	Decoder admission.Decoder
}

// Handle implements admission.Handler.
func (b *Births) Handle(ctx context.Context, req admission.Request) admission.Response {
	log := logf.FromContext(ctx)
	pod := &corev1.Pod{}
	if err := b.Decoder.Decode(req, pod); err != nil {
		log.Error(err, "a new Pod cannot be read")
		return allowed()
	}
	if pod.Namespace == "" {
		pod.Namespace = req.Namespace
	}
	sizes, err := b.Parents.AtBirth(ctx, pod)
	if err != nil {
		log.Error(err, "what a new Pod is to have is not known")
		sizes = nil
	}
	patch := enlarge(pod, sizes)
	if len(patch) > 0 {
		log.Info("gave a new Pod what its workload has learned to need", "pod", pod.GenerateName+pod.Name)
	}
	note, err := b.Parents.NoteAtBirth(ctx, pod)
	if err != nil {
		log.Error(err, "what the agent of a new Pod has to know is not known")
	}
	patch = append(patch, annotate(pod, note)...)
	if len(patch) == 0 {
		return allowed()
	}
	return admission.Patched("", patch...)
}

// allowed leaves the Pod as it is.
func allowed() admission.Response {
	response := admission.Allowed("")
	response.Result.Code = http.StatusOK
	return response
}

// annotate writes a note on a Pod. One that has no annotations has not opted in.
func annotate(pod *corev1.Pod, note workload.Note) []jsonpatch.Operation {
	text, err := note.Text()
	if err != nil || note.IsZero() || pod.Annotations == nil {
		return nil
	}
	path := "/metadata/annotations/" + strings.ReplaceAll(v1.WorkloadAnnotation, "/", "~1")
	return []jsonpatch.Operation{jsonpatch.NewOperation("add", path, text)}
}

// enlarge gives containers larger sizes. It states nothing but these: an API server of a later version knows more of Pods than
// is known here. Whatever it was told, it never lowers, and never changes the class of service.
func enlarge(pod *corev1.Pod, sizes map[string]workload.Size) []jsonpatch.Operation {
	var patch []jsonpatch.Operation
	replace := func(path string, size workload.Size) {
		if size.Request > 0 {
			patch = append(patch, jsonpatch.NewOperation("replace", path+"/resources/requests/memory", size.Text().Request))
		}
		patch = append(patch, jsonpatch.NewOperation("replace", path+"/resources/limits/memory", size.Text().Limit))
	}
	accepted := map[string]workload.Size{}
	for field, containers := range map[string][]corev1.Container{
		"containers": pod.Spec.Containers, "initContainers": pod.Spec.InitContainers,
	} {
		for i, c := range containers {
			if size := sizes[c.Name]; larger(size, workload.SizeOf(c.Resources)) {
				replace(fmt.Sprintf("/spec/%s/%d", field, i), size)
				accepted[c.Name] = size
			}
		}
	}
	if pod.Spec.Resources != nil && larger(sizes[workload.WholePod], workload.SizeOf(*pod.Spec.Resources)) {
		accepted[workload.WholePod] = sizes[workload.WholePod]
	}
	if whole, grows := workload.WholeAfter(&pod.Spec, accepted); grows {
		replace("/spec", whole)
	}
	return patch
}

// larger is true for a size that is larger than what there is, lowers nothing, and is of the same class of service.
func larger(size, before workload.Size) bool {
	return before.Limit > 0 && size.Limit > before.Limit && size.Request >= before.Request &&
		(size.Request == size.Limit) == (before.Request == before.Limit) && (size.Request > 0) == (before.Request > 0)
}
