package workload

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// FieldManager is the name under which the operator owns the fields that it writes.
const FieldManager = "memhog-operator"

// progressDone is the reason of a Deployment's Progressing condition once its latest rollout is complete. It stays so
// when Pods become unavailable later, which is what tells a crash loop from a rollout.
const progressDone = "NewReplicaSetAvailable"

// Size is a container's memory in bytes; a Request of 0 means none.
type Size struct {
	Request int64
	Limit   int64
}

// SizeOf reads a container's size from its resources.
func SizeOf(r corev1.ResourceRequirements) Size {
	return Size{Request: r.Requests.Memory().Value(), Limit: r.Limits.Memory().Value()}
}

// RolloutInProgress is true while the Deployment replaces its Pods. A rollout that the Deployment itself has given up
// (ProgressDeadlineExceeded) is not in progress any more.
func RolloutInProgress(d *appsv1.Deployment) bool {
	if d.Generation != d.Status.ObservedGeneration {
		return true
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentProgressing {
			return c.Status != corev1.ConditionFalse && c.Reason != progressDone
		}
	}
	// No such condition when the Deployment has no progress deadline.
	want := int32(1)
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	return d.Status.UpdatedReplicas < want || d.Status.Replicas > d.Status.UpdatedReplicas
}

// Raised returns the names of the containers whose memory limit the operator owns in the Deployment's template.
func Raised(d *appsv1.Deployment) ([]string, error) {
	owned, err := ownedSizes(d)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(owned))
	for _, c := range owned {
		names = append(names, *c.Name)
	}
	return names, nil
}

// Rollout writes larger sizes into the Deployment's template by server-side apply, which makes the Deployment replace
// its Pods. It owns the memory request and limit of the containers that it raises, and nothing else. Containers that
// are gone from the template, or already have the size or a larger one, are left alone. It returns the containers that
// it changed, in order; none means that nothing was written.
//
// The write holds only for the version of the Deployment that was passed in: a conflict means that the caller has
// seen an old one, and should look again.
func Rollout(ctx context.Context, c client.Client, d *appsv1.Deployment, sizes map[string]Size) ([]string, error) {
	changed := larger(d, sizes)
	if len(changed) == 0 {
		return nil, nil
	}
	// Server-side apply takes away what an owner leaves out, so the earlier raises are stated again.
	containers, err := ownedSizes(d)
	if err != nil {
		return nil, err
	}
	containers = slices.DeleteFunc(containers, func(c corev1ac.ContainerApplyConfiguration) bool {
		return slices.Contains(changed, *c.Name) || !slices.ContainsFunc(d.Spec.Template.Spec.Containers,
			func(t corev1.Container) bool { return t.Name == *c.Name })
	})
	for _, name := range changed {
		containers = append(containers, memoryOf(name, sizes[name]))
	}
	apply := appsv1ac.Deployment(d.Name, d.Namespace).WithResourceVersion(d.ResourceVersion).
		WithSpec(appsv1ac.DeploymentSpec().WithTemplate(corev1ac.PodTemplateSpec().WithSpec(corev1ac.PodSpec())))
	apply.Spec.Template.Spec.Containers = containers
	// The values belong to whoever created the Deployment: without force every raise would be a conflict.
	if err := c.Apply(ctx, apply, client.FieldOwner(FieldManager), client.ForceOwnership); err != nil {
		return nil, fmt.Errorf("apply memory of containers %q to Deployment %q: %w", changed, d.Name, err)
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

// ownedSizes returns the containers whose memory the operator owns, with the values they have now.
func ownedSizes(d *appsv1.Deployment) ([]corev1ac.ContainerApplyConfiguration, error) {
	owned, err := appsv1ac.ExtractDeployment(d, FieldManager)
	if err != nil {
		return nil, fmt.Errorf("read which fields of Deployment %q the operator owns: %w", d.Name, err)
	}
	if owned.Spec == nil || owned.Spec.Template == nil || owned.Spec.Template.Spec == nil {
		return nil, nil
	}
	return owned.Spec.Template.Spec.Containers, nil
}

func memoryOf(name string, size Size) corev1ac.ContainerApplyConfiguration {
	resources := corev1ac.ResourceRequirements().WithLimits(memory(size.Limit))
	if size.Request > 0 {
		resources.WithRequests(memory(size.Request))
	}
	return *corev1ac.Container().WithName(name).WithResources(resources)
}

func memory(bytes int64) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceMemory: *resource.NewQuantity(bytes, resource.BinarySI)}
}
