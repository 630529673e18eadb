package v1

import (
	"cmp"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// Here is the place of defaults: what a spec says is asked of the methods below, never of its fields. The words
// (mode, strategy and the like) are filled in by the API server, too, so that users see them; a test keeps the two
// alike. Numbers are filled in here alone: objects that do not name one follow when a default gets better.
const (
	// DefaultCooldown is the default of cooldown.
	DefaultCooldown = time.Minute
	// DefaultGrowthWindow is the default of growthBudget.window.
	DefaultGrowthWindow = 24 * time.Hour
	// DefaultScaleDownAfter is the default of scaleDown.after.
	DefaultScaleDownAfter = 24 * time.Hour

	// budgetFactor is how many times its size a container may have grown to when the default budget is spent, and
	// mostRaises the most that a budget can have.
	budgetFactor = 8
	mostRaises   = 100
)

// ModeOrDefault is the mode: Enforce unless the spec says otherwise.
func (s *AppMonitorSpec) ModeOrDefault() Mode {
	return cmp.Or(s.Mode, ModeEnforce)
}

// StrategyOrDefault is the strategy: Auto unless the spec says otherwise.
func (s *AppMonitorSpec) StrategyOrDefault() Strategy {
	return cmp.Or(s.Strategy, StrategyAuto)
}

// CooldownOrDefault is the least time between two changes of the same workload; zero is none.
func (s *AppMonitorSpec) CooldownOrDefault() time.Duration {
	return duration(s.Cooldown, DefaultCooldown)
}

// ForecastEnabled is true unless the forecast is switched off.
func (s *AppMonitorSpec) ForecastEnabled() bool {
	return cmp.Or(ptr.Deref(s.Forecast, Forecast{}).Mode, ForecastAuto) != ForecastDisabled
}

// ForecastHorizon is how far ahead the forecast looks; false when that is the operator's own reaction time, which only
// the operator can measure.
func (s *AppMonitorSpec) ForecastHorizon() (time.Duration, bool) {
	if s.Forecast == nil || s.Forecast.Horizon == nil {
		return 0, false
	}
	return s.Forecast.Horizon.Duration, true
}

// GrowthBudgetOrDefault is how many raises of a container are allowed within the window. The multiplier is that of the
// container, see ContainerPolicy.
func (s *AppMonitorSpec) GrowthBudgetOrDefault(multiplier float64) (raises int, window time.Duration) {
	budget := ptr.Deref(s.GrowthBudget, GrowthBudget{})
	window = duration(budget.Window, DefaultGrowthWindow)
	if budget.Raises != nil {
		return int(*budget.Raises), window
	}
	return defaultRaises(multiplier), window
}

// defaultRaises is the smallest n for which multiplier^n reaches the budget's factor: 2 × 2 × 2 = 8, so 3 for 2;
// 1.5 to the fifth is 7.6 and to the sixth 11.4, so 6 for 1.5. It multiplies, because a logarithm of 8 to the base 2
// may come out a hair above 3. A multiplier so near to 1 that it takes more than a budget can have gets that.
func defaultRaises(multiplier float64) int {
	n, reached := 1, multiplier
	for n < mostRaises && reached < budgetFactor {
		n, reached = n+1, reached*multiplier
	}
	return n
}

// ScaleDownAfter is how long a container's use must have been far below its limit before it is lowered; false when none
// ever is.
func (s *AppMonitorSpec) ScaleDownAfter() (time.Duration, bool) {
	down := ptr.Deref(s.ScaleDown, ScaleDown{})
	if cmp.Or(down.Mode, SwitchDisabled) != SwitchEnabled {
		return 0, false
	}
	return duration(down.After, DefaultScaleDownAfter), true
}

// EffectivePolicy is what holds for one container: the spec, but for what the container's own entry says.
// +kubebuilder:object:generate=false
type EffectivePolicy struct {
	// Disabled is true when the container is to be left as it is.
	Disabled bool
	// ThresholdPercent is the use, in percent of the limit, at which memory is raised.
	ThresholdPercent float64
	// Multiplier is the factor of one raise.
	Multiplier float64
	// MaxMemory is the ceiling of the limit in bytes; zero is none.
	MaxMemory int64
}

// ContainerPolicy is what holds for the containers of the name.
func (s *AppMonitorSpec) ContainerPolicy(name string) EffectivePolicy {
	p := EffectivePolicy{
		ThresholdPercent: s.MemThresholdPercent,
		Multiplier:       s.MemMultiplier,
		MaxMemory:        bytes(s.MaxMemory, 0),
	}
	for i := range s.Containers {
		if c := &s.Containers[i]; c.Name == name {
			p.Disabled = cmp.Or(c.Mode, SwitchEnabled) == SwitchDisabled
			p.ThresholdPercent = ptr.Deref(c.MemThresholdPercent, p.ThresholdPercent)
			p.Multiplier = ptr.Deref(c.MemMultiplier, p.Multiplier)
			p.MaxMemory = bytes(c.MaxMemory, p.MaxMemory)
			break
		}
	}
	return p
}

func duration(d *metav1.Duration, preset time.Duration) time.Duration {
	if d == nil {
		return preset
	}
	return d.Duration
}

// bytes also serves quantities that an int64 cannot hold, of which Value returns anything: 0 for 1E30.
func bytes(q *resource.Quantity, preset int64) int64 {
	switch {
	case q == nil:
		return preset
	case q.CmpInt64(math.MaxInt64) >= 0:
		return math.MaxInt64
	default:
		return q.Value()
	}
}
