package workload

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// progressDone is the reason of a Deployment's Progressing condition once its latest rollout is complete. It stays so
// when Pods become unavailable later, which is what tells a crash loop from a rollout.
const progressDone = "NewReplicaSetAvailable"

// InFlight is true while the Deployment rolls out sizes that the operator gave it. A rollout that somebody else started
// on a Deployment that the operator raised before counts, too: its new Pods carry our sizes.
func InFlight(d *appsv1.Deployment) (bool, error) {
	if !RollingOut(d) {
		return false, nil
	}
	names, err := owned(d)
	return len(names) > 0, err
}

// RollingOut is true while the Deployment replaces its Pods, for whatever reason, until it is done or has given up. One
// that is paused replaces none, for as long as its user likes.
func RollingOut(d *appsv1.Deployment) bool {
	if d.Spec.Paused {
		return false
	}
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
