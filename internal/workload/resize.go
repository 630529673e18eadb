package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// resizeSubresource is that of a Pod by which its containers are resized.
const resizeSubresource = "resize"

// ResizeState is how a resize of a container stands, as the kubelet says.
type ResizeState int

// What can be of a resize.
const (
	// ResizeSettled: the container has the size that it is meant to have.
	ResizeSettled ResizeState = iota
	// ResizeInProgress: the kubelet has not given it that size yet.
	ResizeInProgress
	// ResizeDeferred: the node has no room for it at the moment.
	ResizeDeferred
	// ResizeInfeasible: the node will never give it that size.
	ResizeInfeasible
	// ResizeFailing: the kubelet has tried to, and did not get it done yet.
	ResizeFailing
)

// ResizeOf says how a resize of a Pod's container stands, and the size that the container has, by the Pod's status alone:
// what the spec asks for, the kubelet may not have done. Where the status does not tell, nothing is under way: the container
// has not started, or the kubelet cannot resize it.
func ResizeOf(pod *corev1.Pod, c corev1.Container) (ResizeState, Size) {
	meant, actual := SizeOf(c.Resources), actualOf(pod, c.Name)
	if actual == nil {
		return ResizeSettled, meant
	}
	has := SizeOf(*actual)
	if sameSize(has.Limit, meant.Limit) {
		return ResizeSettled, has
	}
	for _, c := range pod.Status.Conditions {
		// Kubelets of 1.33 do not say which generation they speak of.
		if c.Status != corev1.ConditionTrue || c.ObservedGeneration != 0 && c.ObservedGeneration < pod.Generation {
			continue
		}
		switch {
		case c.Type == corev1.PodResizePending && c.Reason == corev1.PodReasonInfeasible:
			return ResizeInfeasible, has
		case c.Type == corev1.PodResizePending && c.Reason == corev1.PodReasonDeferred:
			return ResizeDeferred, has
		case c.Type == corev1.PodResizeInProgress && c.Reason == corev1.PodReasonError:
			return ResizeFailing, has
		}
	}
	return ResizeInProgress, has
}

// actualOf returns what a container has, by the Pod's status; nil when that does not tell.
func actualOf(pod *corev1.Pod, container string) *corev1.ResourceRequirements {
	if container == WholePod {
		return pod.Status.Resources
	}
	if s := StatusOf(pod, container); s != nil {
		return s.Resources
	}
	return nil
}

// sameSize is true for limits that are one to the kernel, which counts in pages of at most 64Ki.
func sameSize(a, b int64) bool {
	const page = 64 << 10
	return max(a, b)-min(a, b) < page
}

// Statuses are those of all of a Pod's containers.
func Statuses(pod *corev1.Pod) []corev1.ContainerStatus {
	return slices.Concat(pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses)
}

// StatusOf returns the status of a Pod's container, main or sidecar; nil when there is none.
func StatusOf(pod *corev1.Pod, container string) *corev1.ContainerStatus {
	all := Statuses(pod)
	if i := slices.IndexFunc(all, func(s corev1.ContainerStatus) bool { return s.Name == container }); i >= 0 {
		return &all[i]
	}
	return nil
}

// RestartsOnResize is true for a container that is restarted when its memory is resized.
func RestartsOnResize(c corev1.Container) bool {
	return slices.ContainsFunc(c.ResizePolicy, func(p corev1.ContainerResizePolicy) bool {
		return p.ResourceName == corev1.ResourceMemory && p.RestartPolicy == corev1.RestartContainer
	})
}

// Resizer is who last resized a container's memory in place.
type Resizer int

// Who can have resized a container.
const (
	// NobodyResized: it has the size that it started with.
	NobodyResized Resizer = iota
	// OperatorResized: the operator did.
	OperatorResized
	// AgentResized: the operator's agent on the Pod's node did.
	AgentResized
	// OtherResized: somebody else did.
	OtherResized
)

// Ours is true for a size that the operator or an agent of it gave.
func (r Resizer) Ours() bool { return r == OperatorResized || r == AgentResized }

// IsResize is true for what somebody came to own of a Pod by resizing it.
func IsResize(f metav1.ManagedFieldsEntry) bool { return f.Subresource == resizeSubresource }

// ResizedBy says who last resized the memory of a Pod's container in place, and when, by who owns the fields.
func ResizedBy(pod *corev1.Pod, container string) (Resizer, time.Time, error) {
	for _, f := range pod.ManagedFields {
		if !IsResize(f) || f.FieldsV1 == nil {
			continue
		}
		fields := fieldpath.NewSet()
		if err := fields.FromJSON(f.FieldsV1.GetRawReader()); err != nil {
			return NobodyResized, time.Time{}, fmt.Errorf("read who resized Pod %q: %w", pod.Name, err)
		}
		paths := [][]any{wholeLimit}
		if container != WholePod {
			paths = nil
			for _, list := range listsOf(&pod.Spec) {
				paths = append(paths, list.limit(container))
			}
		}
		for _, path := range paths {
			if !fields.Has(fieldpath.MakePathOrDie(path...)) {
				continue
			}
			switch f.Manager {
			case FieldManager:
				return OperatorResized, f.Time.Time, nil
			case AgentFieldManager:
				return AgentResized, f.Time.Time, nil
			}
			return OtherResized, time.Time{}, nil
		}
	}
	return NobodyResized, time.Time{}, nil
}

// ErrChanged is returned when a Pod's containers no longer have the sizes that a resize was decided upon.
var ErrChanged = errors.New("the Pod has been resized meanwhile")

// Resize is another size for a container of a running Pod.
type Resize struct {
	Container string
	Size      Size
}

// operation of a JSON patch, RFC 6902.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// ResizePod gives containers of a running Pod other sizes, in place, all in one patch: a second one would have to wait for
// the first. The patch holds only for the Pod that was seen, and as long as these containers have the sizes that it was seen
// with: otherwise it changes nothing, and returns ErrChanged. Whatever else changed of the Pod, as its status does all the
// time, does not matter. The Pod is left as it is here; what the API server has made of it is returned.
func ResizePod(ctx context.Context, c client.Client, pod *corev1.Pod, manager string, resizes []Resize) (*corev1.Pod, error) {
	patch, sizes := []operation{{"test", "/metadata/uid", pod.UID}}, map[string]Size{}
	for _, r := range resizes {
		sizes[r.Container] = r.Size
	}
	for _, list := range listsOf(&pod.Spec) {
		for i, present := range list.containers {
			if size, asked := sizes[present.Name]; asked {
				path := fmt.Sprintf("/spec/%s/%d", list.field, i)
				patch = append(patch, operation{"test", path + "/name", present.Name})
				patch = append(patch, resize(path, present.Resources, size)...)
			}
		}
	}
	if whole, grows := WholeAfter(&pod.Spec, sizes); grows {
		patch = append(patch, resize("/spec", *pod.Spec.Resources, whole)...)
	}
	text, err := json.Marshal(patch)
	if err != nil {
		return nil, fmt.Errorf("resize Pod %q: %w", pod.Name, err)
	}
	target := &corev1.Pod{}
	target.Namespace, target.Name = pod.Namespace, pod.Name
	err = c.SubResource(resizeSubresource).Patch(ctx, target, client.RawPatch(types.JSONPatchType, text), client.FieldOwner(manager))
	if testFailed(err) {
		return nil, ErrChanged
	}
	if err != nil {
		return nil, fmt.Errorf("resize Pod %q: %w", pod.Name, err)
	}
	return target, nil
}

// resize tests that what is at the path has the size that was seen, and gives it another one. The request is left out where
// there is none: then none can be added either.
func resize(path string, present corev1.ResourceRequirements, size Size) []operation {
	operations := []operation{
		{"test", path + "/resources/limits/memory", present.Limits.Memory().String()},
		{"replace", path + "/resources/limits/memory", size.Text().Limit},
	}
	if _, stated := present.Requests[corev1.ResourceMemory]; stated && size.Request > 0 {
		operations = append(operations, operation{"replace", path + "/resources/requests/memory", size.Text().Request})
	}
	return operations
}

// testFailed is true for the API server's answer to a JSON patch of which a test failed. Unlike the answer to an object that
// does not validate, it names no object.
func testFailed(err error) bool {
	var status apierrors.APIStatus
	return apierrors.IsInvalid(err) && errors.As(err, &status) &&
		(status.Status().Details == nil || status.Status().Details.Name == "")
}
