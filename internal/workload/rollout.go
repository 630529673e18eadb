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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// RevisionAnnotation holds the revision of a Deployment, and of each of its ReplicaSets.
const RevisionAnnotation = "deployment.kubernetes.io/revision"

// FieldManager is the name under which the operator owns the fields that it writes.
const FieldManager = "memhog-operator"

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

// Rollout is how a Deployment stands to a Pod's container.
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
	// RolloutStuck: the template has a larger size, but the Deployment has given up rolling it out.
	RolloutStuck
)

// RolloutOf says whether a rollout is going to change the container's size. A smaller size counts, too, while it is
// rolled out: its user has just said what the container should have, and a size grown from the present one would
// overrule that. The revision is that of the Pod's ReplicaSet: an old Pod that lingers is one of an older revision.
func RolloutOf(d *appsv1.Deployment, c corev1.Container, revision string) Rollout {
	has, gets := SizeOf(c.Resources).Limit, SizeOf(templateOf(d, c.Name).Resources).Limit
	switch {
	case gets > has && GivenUp(d):
		return RolloutStuck
	case gets > has && revision != "" && revision == Revision(d) && !RollingOut(d):
		return RolloutBypassed
	case gets > has, gets > 0 && gets < has && RollingOut(d):
		return RolloutInProgress
	default:
		return RolloutSettled
	}
}

// Revision is the number that the Deployment controller gives to a Deployment's present template, and to the ReplicaSet
// that was made of it.
func Revision(o client.Object) string { return o.GetAnnotations()[RevisionAnnotation] }

// templateOf returns the container as the template has it, an empty one when it is gone.
func templateOf(d *appsv1.Deployment, name string) corev1.Container {
	for _, c := range d.Spec.Template.Spec.Containers {
		if c.Name == name {
			return c
		}
	}
	return corev1.Container{}
}

// GivenUp is true when the Deployment has made no progress within its deadline, and reports that it no longer expects
// any (ProgressDeadlineExceeded).
func GivenUp(d *appsv1.Deployment) bool {
	return slices.ContainsFunc(d.Status.Conditions, func(c appsv1.DeploymentCondition) bool {
		return c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse
	}) && d.Status.ObservedGeneration == d.Generation
}

// Raised returns the names of the containers whose memory the operator has raised in the Deployment's template, and
// nobody has set since.
func Raised(d *appsv1.Deployment) ([]string, error) {
	names, err := owned(d)
	if err != nil {
		return nil, err
	}
	records, err := Records(d)
	if err != nil {
		records = nil // broken by somebody, and written anew with the next change
	}
	return slices.DeleteFunc(names, func(name string) bool {
		r, known := records[name]
		return known && (r.Given.Limit <= r.Declared.Limit || r.Given.Limit != SizeOf(templateOf(d, name).Resources).Limit)
	}), nil
}

// owned returns the names of the containers whose memory limit the operator owns in the Deployment's template.
func owned(d *appsv1.Deployment) ([]string, error) {
	fields := fieldpath.NewSet()
	for _, f := range d.ManagedFields {
		if f.Manager != FieldManager || f.Subresource != "" || f.FieldsV1 == nil {
			continue
		}
		some := fieldpath.NewSet()
		if err := some.FromJSON(f.FieldsV1.GetRawReader()); err != nil {
			return nil, fmt.Errorf("read which fields of Deployment %q the operator owns: %w", d.Name, err)
		}
		fields = fields.Union(some)
	}
	var names []string
	for _, c := range d.Spec.Template.Spec.Containers {
		limit := fieldpath.MakePathOrDie("spec", "template", "spec", "containers",
			fieldpath.KeyByFields("name", c.Name), "resources", "limits", "memory")
		if fields.Has(limit) {
			names = append(names, c.Name)
		}
	}
	return names, nil
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

// Write gives containers other sizes in the Deployment's template, which makes the Deployment replace its Pods, and
// records that on the Deployment itself, beside the records that there are of it. Containers that are gone from the
// template, or already have the size, are left alone. It returns the names of those that it changed, in the template's
// order; none means that nothing was written.
//
// The operator comes to own the memory request and limit of these containers and the annotation, nothing else. That
// takes a strategic merge patch: server-side apply would make it an owner of the containers as such, and whoever else
// uses server-side apply could then never take such a container out of the Deployment again.
//
// The write holds only for the version of the Deployment that was passed in: a conflict means that the caller has
// seen an old one, and should look again.
func Write(ctx context.Context, c client.Client, d *appsv1.Deployment, records map[string]Record, changes []Change) ([]string, error) {
	var changed []string
	var made []Change
	spec := corev1ac.PodSpec()
	for _, present := range d.Spec.Template.Spec.Containers {
		i := slices.IndexFunc(changes, func(c Change) bool { return c.Container == present.Name && c.differs(present) })
		if i < 0 {
			continue
		}
		changed, made = append(changed, present.Name), append(made, changes[i])
		spec.WithContainers(corev1ac.Container().WithName(present.Name).WithResources(memory(present, changes[i].Size)))
	}
	if len(changed) == 0 {
		return nil, nil
	}
	record, err := write(d, with(d, records, made))
	if err != nil {
		return nil, err
	}
	patch, err := json.Marshal(appsv1ac.Deployment(d.Name, d.Namespace).
		WithUID(d.UID).WithResourceVersion(d.ResourceVersion).
		WithAnnotations(map[string]string{v1.RecordAnnotation: record}).
		WithSpec(appsv1ac.DeploymentSpec().WithTemplate(corev1ac.PodTemplateSpec().WithSpec(spec))))
	if err != nil {
		return nil, fmt.Errorf("memory of containers %q for Deployment %q: %w", changed, d.Name, err)
	}
	target := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: d.Name}}
	if err := c.Patch(ctx, target, client.RawPatch(types.StrategicMergePatchType, patch), client.FieldOwner(FieldManager)); err != nil {
		return nil, fmt.Errorf("write memory of containers %q to Deployment %q: %w", changed, d.Name, err)
	}
	return changed, nil
}

// differs is true when the change would give the container of the template another size.
func (c Change) differs(template corev1.Container) bool {
	has := SizeOf(template.Resources).Limit
	return c.Size.Limit > has || c.Smaller && c.Size.Limit < has
}

// memory states the request unless the template has a limit alone. There the API server makes the request equal to the
// limit, and a request of ours would stand in the way of whoever takes the limit back. Where the template says nothing,
// a LimitRange gave the Pod both, and both have to be stated to keep their ratio.
func memory(template corev1.Container, size Size) *corev1ac.ResourceRequirementsApplyConfiguration {
	resources := corev1ac.ResourceRequirements().WithLimits(quantity(size.Limit))
	stated := SizeOf(template.Resources)
	if size.Request > 0 && (stated.Request > 0 || stated.Limit == 0) {
		resources.WithRequests(quantity(size.Request))
	}
	return resources
}

func quantity(bytes int64) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceMemory: *resource.NewQuantity(bytes, resource.BinarySI)}
}
