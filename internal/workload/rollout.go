package workload

import (
	"context"
	"encoding/json"
	"fmt"
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
)

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

// Outgrown is true when the Deployment's template has a larger limit for the Pod's container: a rollout is about to
// replace the Pod, or should have.
func Outgrown(d *appsv1.Deployment, c corev1.Container) bool {
	return SizeOf(templateOf(d, c.Name).Resources).Limit > SizeOf(c.Resources).Limit
}

// Shrinking is true while a rollout replaces the Pod's container by a smaller one: its user has just said what it should
// have, and a size grown from the present one would overrule that.
func Shrinking(d *appsv1.Deployment, c corev1.Container) bool {
	limit := SizeOf(templateOf(d, c.Name).Resources).Limit
	return limit > 0 && limit < SizeOf(c.Resources).Limit && RollingOut(d)
}

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

// Raised returns the names of the containers whose memory limit the operator owns in the Deployment's template: those
// that it raised, and nobody has taken back.
func Raised(d *appsv1.Deployment) ([]string, error) {
	owned := fieldpath.NewSet()
	for _, f := range d.ManagedFields {
		if f.Manager != FieldManager || f.Subresource != "" || f.FieldsV1 == nil {
			continue
		}
		fields := fieldpath.NewSet()
		if err := fields.FromJSON(f.FieldsV1.GetRawReader()); err != nil {
			return nil, fmt.Errorf("read which fields of Deployment %q the operator owns: %w", d.Name, err)
		}
		owned = owned.Union(fields)
	}
	var names []string
	for _, c := range d.Spec.Template.Spec.Containers {
		limit := fieldpath.MakePathOrDie("spec", "template", "spec", "containers",
			fieldpath.KeyByFields("name", c.Name), "resources", "limits", "memory")
		if owned.Has(limit) {
			names = append(names, c.Name)
		}
	}
	return names, nil
}

// Rollout writes larger sizes into the Deployment's template, which makes the Deployment replace its Pods. Containers
// that are gone from the template, or already have the size or a larger one, are left alone. It returns the containers
// that it changed, in order; none means that nothing was written.
//
// The operator comes to own the memory request and limit of these containers, and nothing else. That takes a strategic
// merge patch: server-side apply would make it an owner of the containers as such, and whoever else uses server-side
// apply could then never take such a container out of the Deployment again.
//
// The write holds only for the version of the Deployment that was passed in: a conflict means that the caller has
// seen an old one, and should look again.
func Rollout(ctx context.Context, c client.Client, d *appsv1.Deployment, sizes map[string]Size) ([]string, error) {
	changed := larger(d, sizes)
	if len(changed) == 0 {
		return nil, nil
	}
	spec := corev1ac.PodSpec()
	for _, name := range changed {
		spec.WithContainers(corev1ac.Container().WithName(name).WithResources(memory(d, name, sizes[name])))
	}
	patch, err := json.Marshal(appsv1ac.Deployment(d.Name, d.Namespace).
		WithUID(d.UID).WithResourceVersion(d.ResourceVersion).
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

// larger returns the names, in the template's order, of the containers for which the template says less.
func larger(d *appsv1.Deployment, sizes map[string]Size) []string {
	var names []string
	for _, c := range d.Spec.Template.Spec.Containers {
		if size, ok := sizes[c.Name]; ok && size.Limit > SizeOf(c.Resources).Limit {
			names = append(names, c.Name)
		}
	}
	return names
}

// memory states the request unless the template has a limit alone. There the API server makes the request equal to the
// limit, and a request of ours would stand in the way of whoever takes the limit back. Where the template says nothing,
// a LimitRange gave the Pod both, and both have to be stated to keep their ratio.
func memory(d *appsv1.Deployment, name string, size Size) *corev1ac.ResourceRequirementsApplyConfiguration {
	resources := corev1ac.ResourceRequirements().WithLimits(quantity(size.Limit))
	stated := SizeOf(templateOf(d, name).Resources)
	if size.Request > 0 && (stated.Request > 0 || stated.Limit == 0) {
		resources.WithRequests(quantity(size.Request))
	}
	return resources
}

func quantity(bytes int64) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceMemory: *resource.NewQuantity(bytes, resource.BinarySI)}
}
