package workload

import (
	appsv1 "k8s.io/api/apps/v1"
)

// InFlight is true while the Deployment rolls out sizes that the operator gave it. A rollout that somebody else started
// on a Deployment that the operator raised before counts, too: its new Pods carry our sizes.
func InFlight(d *appsv1.Deployment) (bool, error) {
	if !RolloutInProgress(d) {
		return false, nil
	}
	raised, err := Raised(d)
	return len(raised) > 0, err
}
