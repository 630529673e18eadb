package v1

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// answers are all that a spec can be asked, but for what concerns one container.
type answers struct {
	Mode           Mode
	Strategy       Strategy
	Cooldown       time.Duration
	Forecast       bool
	Horizon        time.Duration
	HorizonSet     bool
	Raises         int
	Window         time.Duration
	ScaleDown      bool
	ScaleDownAfter time.Duration
}

func ask(s *AppMonitorSpec) answers {
	a := answers{Mode: s.ModeOrDefault(), Strategy: s.StrategyOrDefault(), Cooldown: s.CooldownOrDefault(), Forecast: s.ForecastEnabled()}
	a.Horizon, a.HorizonSet = s.ForecastHorizon()
	a.Raises, a.Window = s.GrowthBudgetOrDefault(2)
	a.ScaleDownAfter, a.ScaleDown = s.ScaleDownAfter()
	return a
}

func TestASpecAnswersWithItsDefaults(t *testing.T) {
	preset := answers{
		Mode: ModeEnforce, Strategy: StrategyAuto, Cooldown: time.Minute, Forecast: true, Raises: 3, Window: 24 * time.Hour,
	}
	for _, tc := range []struct {
		reason string
		spec   AppMonitorSpec
		want   func(*answers) // what differs from the defaults
	}{
		{"nothing set", AppMonitorSpec{}, func(*answers) {}},
		{"empty policies are those left out", AppMonitorSpec{
			Forecast: &Forecast{}, GrowthBudget: &GrowthBudget{}, ScaleDown: &ScaleDown{},
		}, func(*answers) {}},
		{"a dry run", AppMonitorSpec{Mode: ModeDryRun}, func(a *answers) { a.Mode = ModeDryRun }},
		{"a strategy", AppMonitorSpec{Strategy: StrategyInPlace}, func(a *answers) { a.Strategy = StrategyInPlace }},
		{"a cooldown", AppMonitorSpec{Cooldown: lasting(time.Hour)}, func(a *answers) { a.Cooldown = time.Hour }},
		{"no cooldown is not the default one", AppMonitorSpec{Cooldown: lasting(0)}, func(a *answers) { a.Cooldown = 0 }},
		{"no forecast", AppMonitorSpec{Forecast: &Forecast{Mode: ForecastDisabled}}, func(a *answers) { a.Forecast = false }},
		{"a horizon", AppMonitorSpec{Forecast: &Forecast{Mode: ForecastAuto, Horizon: lasting(time.Second)}}, func(a *answers) {
			a.Horizon, a.HorizonSet = time.Second, true
		}},
		{"a budget's raises only", AppMonitorSpec{GrowthBudget: &GrowthBudget{Raises: ptr.To[int32](7)}}, func(a *answers) {
			a.Raises = 7
		}},
		{"a budget's window only", AppMonitorSpec{GrowthBudget: &GrowthBudget{Window: lasting(time.Hour)}}, func(a *answers) {
			a.Window = time.Hour
		}},
		{"scaling down", AppMonitorSpec{ScaleDown: &ScaleDown{Mode: SwitchEnabled}}, func(a *answers) {
			a.ScaleDown, a.ScaleDownAfter = true, 24*time.Hour
		}},
		{"scaling down after an hour", AppMonitorSpec{
			ScaleDown: &ScaleDown{Mode: SwitchEnabled, After: lasting(time.Hour)},
		}, func(a *answers) {
			a.ScaleDown, a.ScaleDownAfter = true, time.Hour
		}},
		{"no scaling down, said in words", AppMonitorSpec{ScaleDown: &ScaleDown{Mode: SwitchDisabled}}, func(*answers) {}},
	} {
		want := preset
		tc.want(&want)
		if diff := cmp.Diff(want, ask(&tc.spec)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
}

func TestTheDefaultBudgetIsGrowthByEight(t *testing.T) {
	for _, tc := range []struct {
		multiplier float64
		want       int
	}{
		{10, 1}, {8, 1}, {7.99, 2}, {3, 2}, {2, 3}, {1.99, 4}, {1.5, 6}, {1.25, 10}, {1.1, 22},
		{1.0001, 100}, {1, 100}, {math.NaN(), 1}, {math.Inf(1), 1},
	} {
		if got, _ := (&AppMonitorSpec{}).GrowthBudgetOrDefault(tc.multiplier); got != tc.want {
			t.Errorf("a multiplier of %v: %d raises, want %d", tc.multiplier, got, tc.want)
		}
	}
}

func TestAContainerOverridesTheSpecFieldByField(t *testing.T) {
	spec := AppMonitorSpec{
		MemThresholdPercent: 75, MemMultiplier: 2, MaxMemory: ptr.To(resource.MustParse("1Gi")),
		Containers: []ContainerPolicy{
			{Name: "bursting", MemThresholdPercent: ptr.To(60.0)},
			{Name: "large", MemMultiplier: ptr.To(1.25), MaxMemory: ptr.To(resource.MustParse("4Gi")), Mode: SwitchEnabled},
			{Name: "off", Mode: SwitchDisabled, MemMultiplier: ptr.To(3.0)},
		},
	}
	for _, tc := range []struct {
		name string
		want EffectivePolicy
	}{
		{"any", EffectivePolicy{ThresholdPercent: 75, Multiplier: 2, MaxMemory: 1 << 30}},
		{"bursting", EffectivePolicy{ThresholdPercent: 60, Multiplier: 2, MaxMemory: 1 << 30}},
		{"large", EffectivePolicy{ThresholdPercent: 75, Multiplier: 1.25, MaxMemory: 4 << 30}},
		{"off", EffectivePolicy{Disabled: true, ThresholdPercent: 75, Multiplier: 3, MaxMemory: 1 << 30}},
	} {
		if diff := cmp.Diff(tc.want, spec.ContainerPolicy(tc.name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
	spec.MaxMemory = nil
	if got := spec.ContainerPolicy("any").MaxMemory; got != 0 {
		t.Errorf("without a ceiling it is %d", got)
	}
}

func TestACeilingBeyondWhatBytesCanCountIsTheLargest(t *testing.T) {
	for _, quantity := range []string{"8Ei", "9223372036854775808", "20000000000000000000", "1E30"} {
		spec := AppMonitorSpec{MaxMemory: ptr.To(resource.MustParse(quantity))}
		if got := spec.ContainerPolicy("any").MaxMemory; got != math.MaxInt64 {
			t.Errorf("%s bytes are taken for %d", quantity, got)
		}
	}
}

func lasting(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }
