package controllers

import (
	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/scaling"
)

// policyOf is what the AppMonitor asks for, for one container.
func (r *AppMonitorReconciler) policyOf(monitor *v1.AppMonitor, container string) scaling.Policy {
	spec := &monitor.Spec
	own := spec.ContainerPolicy(container)
	raises, window := spec.GrowthBudgetOrDefault(own.Multiplier)
	horizon, _ := spec.ForecastHorizon()
	lowerAfter, _ := spec.ScaleDownAfter()
	return scaling.Policy{
		Threshold:    own.ThresholdPercent / 100,
		Multiplier:   own.Multiplier,
		Disabled:     own.Disabled,
		MaxSampleAge: r.MaxSampleAge,
		MaxLimit:     own.MaxMemory,
		Cooldown:     spec.CooldownOrDefault(),
		Forecasts:    spec.ForecastEnabled(),
		Horizon:      horizon,
		Budget:       scaling.Budget{Raises: raises, Window: window},
		LowerAfter:   lowerAfter,
	}
}
