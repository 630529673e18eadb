package workload

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

const (
	// FieldManager is the name under which the operator owns the fields that it writes.
	FieldManager = "memhog-operator"
	// AgentFieldManager is that of the operator's agents on nodes, which resize Pods and change nothing else.
	AgentFieldManager = "memhog-agent"
)

// Size is a container's memory in bytes; a Request of 0 means none.
type Size struct {
	Request int64
	Limit   int64
}

// SizeOf reads a container's size from its resources.
func SizeOf(r corev1.ResourceRequirements) Size {
	return Size{Request: r.Requests.Memory().Value(), Limit: r.Limits.Memory().Value()}
}

// In returns the resources with the memory of the size.
func (s Size) In(r corev1.ResourceRequirements) corev1.ResourceRequirements {
	in := *r.DeepCopy()
	if in.Limits == nil {
		in.Limits = corev1.ResourceList{}
	}
	maps.Copy(in.Limits, quantity(s.Limit))
	if s.Request > 0 {
		if in.Requests == nil {
			in.Requests = corev1.ResourceList{}
		}
		maps.Copy(in.Requests, quantity(s.Request))
	}
	return in
}

// SizeText is a size as people write it: {"512Mi", "768Mi"}.
type SizeText struct {
	Request, Limit string
}

// Text returns the size as people write it.
func (s Size) Text() SizeText {
	text := func(bytes int64) string { return resource.NewQuantity(bytes, resource.BinarySI).String() }
	return SizeText{Request: text(s.Request), Limit: text(s.Limit)}
}

// Rollout is how a workload stands to a Pod's container.
type Rollout int

// What can be of a rollout.
const (
	// RolloutSettled: no rollout is going to change the container's size.
	RolloutSettled Rollout = iota
	// RolloutInProgress: a rollout is about to replace the container by one of another size, or should have.
	RolloutInProgress
	// RolloutBypassed: the rollout is over, and yet the container is smaller than the template says: somebody else, such as
	// a webhook, gives Pods another size.
	RolloutBypassed
	// RolloutStuck: the template has a larger size, but the workload has given up rolling it out.
	RolloutStuck
)

// RolloutOf says whether a rollout is going to change the container's size. A smaller size counts, too, while it is
// rolled out: its user has just said what the container should have, and a size grown from the present one would
// overrule that. What new Pods get is the durable size, where that is larger than the template's. The revision is that of
// the Pod: an old Pod that lingers is one of an older revision.
func (w *Workload) RolloutOf(c corev1.Container, durable Size, revision string) Rollout {
	has, template := SizeOf(c.Resources).Limit, w.Declared(c.Name).Limit
	gets := max(template, durable.Limit)
	switch {
	case !w.Rolls:
		return RolloutSettled
	case template > has && w.GivenUp:
		return RolloutStuck
	case template > has && w.IsNewest(revision) && !w.RollingOut:
		return RolloutBypassed
	case template > has, template > 0 && gets < has && w.RollingOut:
		return RolloutInProgress
	default:
		return RolloutSettled
	}
}

// InFlight is true while the workload rolls out sizes that the operator gave it. A rollout that somebody else started on
// one that the operator raised before counts, too: its new Pods carry our sizes.
func (w *Workload) InFlight() (bool, error) {
	if !w.RollingOut {
		return false, nil
	}
	names, err := w.owned()
	return len(names) > 0, err
}

// RaisedByRollout returns the names of the containers whose memory the operator has raised in the workload's template, and
// nobody has set since.
func (w *Workload) RaisedByRollout() ([]string, error) {
	names, err := w.owned()
	if err != nil {
		return nil, err
	}
	records, err := Records(w)
	if err != nil {
		records = nil // broken by somebody, and written anew with the next change
	}
	return slices.DeleteFunc(names, func(name string) bool {
		r, known := records[name]
		return known && (r.Given.Limit <= r.Declared.Limit || r.Given.Limit != w.Declared(name).Limit)
	}), nil
}

// owned returns the names of the containers whose memory limit the operator owns in the workload's template.
func (w *Workload) owned() ([]string, error) {
	if w.Template == nil {
		return nil, nil
	}
	fields := fieldpath.NewSet()
	for _, f := range w.GetManagedFields() {
		if f.Manager != FieldManager || f.Subresource != "" || f.FieldsV1 == nil {
			continue
		}
		some := fieldpath.NewSet()
		if err := some.FromJSON(f.FieldsV1.GetRawReader()); err != nil {
			return nil, fmt.Errorf("read which fields of %s the operator owns: %w", w.Name(), err)
		}
		fields = fields.Union(some)
	}
	var names []string
	for _, list := range listsOf(w.Template) {
		for _, c := range list.containers {
			if fields.Has(fieldpath.MakePathOrDie(append([]any{"spec", "template"}, list.limit(c.Name)...)...)) {
				names = append(names, c.Name)
			}
		}
	}
	if _, shared := wholePod(w.Template); shared &&
		fields.Has(fieldpath.MakePathOrDie(append([]any{"spec", "template"}, wholeLimit...)...)) {
		names = append(names, WholePod)
	}
	return names, nil
}

// list is one of the lists of containers that a Pod has, under the name of its field.
type list struct {
	field      string
	containers []corev1.Container
}

func listsOf(pod *corev1.PodSpec) []list {
	return []list{{"containers", pod.Containers}, {"initContainers", pod.InitContainers}}
}

// wholeLimit is where a Pod has the memory limit of all of its containers together.
var wholeLimit = []any{"spec", "resources", "limits", "memory"}

// limit is where a Pod has the memory limit of a container of the list.
func (l list) limit(container string) []any {
	return []any{"spec", l.field, fieldpath.KeyByFields("name", container), "resources", "limits", "memory"}
}

// Change is another size for one container of a workload, and what is recorded of it.
type Change struct {
	Container string
	Size      Size
	// Smaller allows a size that is smaller than the template's. Without, such a change is left out: somebody else has
	// given more meanwhile.
	Smaller bool
	Record  Record
}

// Write gives containers other sizes in the workload's template, which makes the workload replace its Pods, and records
// that on the workload itself, beside the records that there are of it. Containers that are gone from the template, or
// already have the size, are left alone. It returns the names of those that it changed, in the template's order; none
// means that nothing was written.
//
// The operator comes to own the memory request and limit of these containers and its annotations, nothing else. That
// takes a strategic merge patch: server-side apply would make it an owner of the containers as such, and whoever else
// uses server-side apply could then never take such a container out of the workload again.
//
// The write holds only for the version of the workload that was passed in: a conflict means that the caller has
// seen an old one, and should look again.
func Write(ctx context.Context, c client.Client, w *Workload, records map[string]Record, changes []Change) ([]string, error) {
	var changed []string
	var made []Change
	template := map[string]any{}
	for _, list := range listsOf(w.Template) {
		var patched []any
		for _, present := range list.containers {
			i := slices.IndexFunc(changes, func(c Change) bool { return c.Container == present.Name && c.differs(present) })
			if i < 0 {
				continue
			}
			changed, made = append(changed, present.Name), append(made, changes[i])
			patched = append(patched, map[string]any{"name": present.Name, "resources": memory(present, changes[i].Size)})
		}
		if patched != nil {
			template[list.field] = patched
		}
	}
	if i := slices.IndexFunc(changes, func(c Change) bool { return c.Container == WholePod }); i >= 0 {
		if whole, shared := wholePod(w.Template); shared && changes[i].differs(whole) {
			changed, made = append(changed, WholePod), append(made, changes[i])
		}
	}
	if whole, grows := WholeAfter(w.Template, sizesOf(made)); grows {
		template["resources"] = memory(corev1.Container{Resources: *w.Template.Resources}, whole)
	}
	if len(changed) == 0 {
		return nil, nil
	}
	annotations, err := w.annotations(with(w, records, made))
	if err != nil {
		return nil, err
	}
	patch := w.patch(annotations)
	patch["spec"] = map[string]any{"template": map[string]any{"spec": template}}
	if err := w.send(ctx, c, types.StrategicMergePatchType, patch); err != nil {
		return nil, fmt.Errorf("write memory of containers %q to %s: %w", changed, w.Name(), err)
	}
	return changed, nil
}

func sizesOf(changes []Change) map[string]Size {
	sizes := map[string]Size{}
	for _, c := range changes {
		sizes[c.Container] = c.Size
	}
	return sizes
}

// patch of a workload's metadata, which holds only for the version that was seen.
func (w *Workload) patch(annotations map[string]any) map[string]any {
	return map[string]any{"metadata": map[string]any{
		"uid": w.GetUID(), "resourceVersion": w.GetResourceVersion(), "annotations": annotations,
	}}
}

// send patches the workload as the operator's field manager.
func (w *Workload) send(ctx context.Context, c client.Client, kind types.PatchType, patch map[string]any) error {
	text, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	return c.Patch(ctx, w.empty(), client.RawPatch(kind, text), client.FieldOwner(FieldManager))
}

// empty is an object of the workload's kind and name, for a patch to be read into.
func (w *Workload) empty() client.Object {
	var target client.Object
	switch w.Kind {
	case "Deployment":
		target = &appsv1.Deployment{}
	case "StatefulSet":
		target = &appsv1.StatefulSet{}
	case "DaemonSet":
		target = &appsv1.DaemonSet{}
	case "Pod":
		target = &corev1.Pod{}
	default:
		target = metadata(w.GetObjectKind().GroupVersionKind())
	}
	target.SetNamespace(w.GetNamespace())
	target.SetName(w.GetName())
	return target
}

// differs is true when the change would give the container of the template another size.
func (c Change) differs(template corev1.Container) bool {
	has := SizeOf(template.Resources).Limit
	return c.Size.Limit > has || c.Smaller && c.Size.Limit < has
}

// memory states the request unless the template has a limit alone. There the API server makes the request equal to the
// limit, and a request of ours would stand in the way of whoever takes the limit back. Where the template says nothing,
// a LimitRange gave the Pod both, and both have to be stated to keep their ratio.
func memory(template corev1.Container, size Size) corev1.ResourceRequirements {
	resources := corev1.ResourceRequirements{Limits: quantity(size.Limit)}
	stated := SizeOf(template.Resources)
	if size.Request > 0 && (stated.Request > 0 || stated.Limit == 0) {
		resources.Requests = quantity(size.Request)
	}
	return resources
}

func quantity(bytes int64) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceMemory: *resource.NewQuantity(bytes, resource.BinarySI)}
}
