// Package policies says which AppMonitor a Pod belongs to, and what that asks for: the one reading of the API that all who decide share.
package policies

import (
	"time"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/scaling"
)

// Of is what the AppMonitor asks for, for one container; samples are acted on up to a greatest age.
func Of(monitor *v1.AppMonitor, container string, maxSampleAge time.Duration) scaling.Policy {
	spec := &monitor.Spec
	own := spec.ContainerPolicy(container)
	raises, window := spec.GrowthBudgetOrDefault(own.Multiplier)
	horizon, _ := spec.ForecastHorizon()
	lowerAfter, _ := spec.ScaleDownAfter()
	return scaling.Policy{
		Threshold:    own.ThresholdPercent / 100,
		Multiplier:   own.Multiplier,
		Disabled:     own.Disabled,
		MaxSampleAge: maxSampleAge,
		MaxLimit:     own.MaxMemory,
		Cooldown:     spec.CooldownOrDefault(),
		Forecasts:    spec.ForecastEnabled(),
		Horizon:      horizon,
		Budget:       scaling.Budget{Raises: raises, Window: window},
		LowerAfter:   lowerAfter,
	}
}
