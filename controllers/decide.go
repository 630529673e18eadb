package controllers

import (
	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/scaling"
)

// decision is what is to be done with one container.
type decision struct {
	container
	scaling.Decision
}

func (r *AppMonitorReconciler) decide(monitor *v1.AppMonitor, o observation) []decision {
	policy := scaling.Policy{
		Threshold:    monitor.Spec.MemThresholdPercent / 100,
		Multiplier:   monitor.Spec.MemMultiplier,
		MaxSampleAge: r.MaxSampleAge,
	}
	now := r.Clock.Now()
	decisions := make([]decision, 0, len(o.containers))
	for _, c := range o.containers {
		decisions = append(decisions, decision{container: c, Decision: scaling.Decide(policy, c.observed, now)})
	}
	return decisions
}
