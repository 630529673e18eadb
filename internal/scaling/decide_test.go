package scaling

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const gibibyte = 1 << 30

// noon is when every test decides.
var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// usual is a policy as the README shows it.
var usual = Policy{Threshold: 0.75, Multiplier: 2, MaxSampleAge: time.Minute}

// mi is a size in Mi, as people write it.
func mi(request, limit int64) Memory {
	return Memory{Request: request * mebibyte, Limit: limit * mebibyte}
}

// use is what a container of the size is decided upon when nothing else is to be said of it.
func use(bytes int64, size Memory) Observation {
	return Observation{Size: size, Sample: Sample{Bytes: bytes, Time: noon}}
}

func TestDecideTakesTheFirstCaseThatApplies(t *testing.T) {
	// Each case has what brings it about, and nothing more. The order is the one in which Decide must look for them.
	near := func(o *Observation) { o.Sample.Bytes = max(o.Sample.Bytes, 300*mebibyte) }
	cases := []struct {
		want  Reason
		cause func(*Policy, *Observation)
	}{
		{want: ReasonInvalidPolicy, cause: func(p *Policy, _ *Observation) { p.Multiplier = 1 }},
		{want: ReasonPaused, cause: func(_ *Policy, o *Observation) { o.Paused = true }},
		{want: ReasonDisabled, cause: func(p *Policy, _ *Observation) { p.Disabled = true }},
		{want: ReasonNoLimit, cause: func(_ *Policy, o *Observation) { o.Size.Limit = 0 }},
		{want: ReasonResizeInfeasible, cause: func(_ *Policy, o *Observation) {
			o.Resize = Resize{State: ResizeInfeasible, Actual: mi(128, 192)}
		}},
		{want: ReasonRolloutInProgress, cause: func(_ *Policy, o *Observation) { o.RolloutInProgress, o.Disruptive = true, true }},
		{want: ReasonRolloutStuck, cause: func(_ *Policy, o *Observation) { o.RolloutStuck, o.Previous = true, mi(200, 300) }},
		{want: ReasonResizeInProgress, cause: func(_ *Policy, o *Observation) {
			if o.Resize.State == ResizeSettled {
				o.Resize = Resize{State: ResizeDeferred, Since: noon, Actual: mi(128, 192)}
			}
		}},
		{want: ReasonCatchUp, cause: func(_ *Policy, o *Observation) { o.Durable, o.Disruptive = mi(2048, 3072), false }},
		{want: ReasonOOMKilled, cause: func(_ *Policy, o *Observation) { o.OOMKilledAt = noon.Add(-time.Minute) }},
		{want: ReasonStaleSample, cause: func(_ *Policy, o *Observation) { o.Sample.Time = time.Time{} }},
		{want: ReasonAboveThreshold, cause: func(_ *Policy, o *Observation) { near(o) }},
		{want: ReasonForecastOOM, cause: func(p *Policy, o *Observation) {
			p.Forecasts, o.Sample.Bytes, o.Reaction = true, max(o.Sample.Bytes, 200*mebibyte), 40*time.Second
			o.History = history(every(10*time.Second), 50, 100, 150, 200)
		}},
		{want: ReasonIdle, cause: func(p *Policy, o *Observation) {
			p.LowerAfter, o.Declared = time.Hour, mi(100, 150)
			if o.History == nil {
				o.History = history(every(10*time.Minute), 1, 1, 1, 1, 1, 1, 1, 1)
				o.Sample.Bytes = min(o.Sample.Bytes, mebibyte)
			}
		}},
		{want: ReasonNormal, cause: func(*Policy, *Observation) {}},
	}
	for i, first := range cases {
		for j := range cases[i:] {
			second := cases[len(cases)-1-j]
			reason := fmt.Sprintf("%s is looked for before %s", first.want, second.want)
			t.Run(reason, func(t *testing.T) {
				p, o := usual, use(100*mebibyte, mi(256, 384))
				second.cause(&p, &o)
				first.cause(&p, &o)
				if first.want == ReasonRolloutInProgress {
					o.Disruptive = true
				}
				if got := Decide(p, o, noon); got.Reason != first.want {
					t.Errorf("%s, but the decision is %s %s", reason, got.Action, got.Reason)
				}
			})
		}
	}
}

func TestARaiseIsRefusedForTheFirstThingInItsWay(t *testing.T) {
	tight := mi(0, 390)
	cases := []struct {
		want  Reason
		cause func(*Policy, *Observation)
	}{
		{want: ReasonUnsupportedOwner, cause: func(_ *Policy, o *Observation) { o.Obstacle = ReasonUnsupportedOwner }},
		{want: ReasonOverridden, cause: func(_ *Policy, o *Observation) { o.Overridden = true }},
		{want: ReasonRolloutInProgress, cause: func(_ *Policy, o *Observation) { o.Busy = true }},
		{want: ReasonCooldown, cause: func(p *Policy, o *Observation) {
			p.Cooldown, o.LastChange = time.Minute, noon.Add(-time.Minute+1)
		}},
		{want: ReasonGrowthBudgetExhausted, cause: func(p *Policy, o *Observation) {
			p.Budget, o.Raises = Budget{Raises: 1, Window: time.Hour}, []time.Time{noon.Add(-time.Hour + 1)}
		}},
		{want: ReasonAtMaximum, cause: func(p *Policy, _ *Observation) { p.MaxLimit = tight.Limit }},
		{want: ReasonAtLimitRange, cause: func(_ *Policy, o *Observation) { o.Bounds.LimitRange = tight }},
		{want: ReasonQuotaExceeded, cause: func(_ *Policy, o *Observation) { o.Bounds.Quota = tight }},
		{want: ReasonNodeFull, cause: func(_ *Policy, o *Observation) { o.Bounds.Node = tight }},
		{want: ReasonRolloutStuck, cause: func(_ *Policy, o *Observation) {
			o.StuckSize, o.StuckAt = mi(512, 768), noon.Add(-time.Hour+1)
		}},
	}
	for i, first := range cases {
		for _, second := range cases[i:] {
			reason := fmt.Sprintf("%s is looked for before %s", first.want, second.want)
			t.Run(reason, func(t *testing.T) {
				p, o := usual, use(300*mebibyte, mi(256, 384))
				o.Disruptive = true
				first.cause(&p, &o)
				second.cause(&p, &o)
				want := Decision{Action: Hold, Reason: first.want, Target: mi(256, 384)}
				if diff := cmp.Diff(want, Decide(p, o, noon)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", reason, diff)
				}
			})
		}
	}
}

func TestDecideHoldsOrRaises(t *testing.T) {
	tests := []struct {
		reason string
		policy Policy
		seen   Observation
		want   Decision
	}{
		{
			reason: "use below the threshold is normal",
			policy: usual, seen: use(288*mebibyte-1, mi(256, 384)),
			want: Decision{Action: Hold, Reason: ReasonNormal, Target: mi(256, 384)},
		},
		{
			reason: "use at the threshold, to the byte, is raised",
			policy: usual, seen: use(288*mebibyte, mi(256, 384)),
			want: Decision{Action: Raise, Reason: ReasonAboveThreshold, Target: mi(512, 768)},
		},
		{
			reason: "a threshold of the whole limit waits until the limit is reached",
			policy: Policy{Threshold: 1, Multiplier: 2, MaxSampleAge: time.Minute}, seen: use(384*mebibyte-1, mi(256, 384)),
			want: Decision{Action: Hold, Reason: ReasonNormal, Target: mi(256, 384)},
		},
		{
			reason: "a threshold of the whole limit is met by the whole limit",
			policy: Policy{Threshold: 1, Multiplier: 2, MaxSampleAge: time.Minute}, seen: use(384*mebibyte, mi(256, 384)),
			want: Decision{Action: Raise, Reason: ReasonAboveThreshold, Target: mi(512, 768)},
		},
		{
			reason: "no use at all is normal",
			policy: usual, seen: use(0, mi(256, 384)),
			want: Decision{Action: Hold, Reason: ReasonNormal, Target: mi(256, 384)},
		},
		{
			reason: "a negative limit counts as none",
			policy: usual, seen: use(300*mebibyte, Memory{Limit: -1}),
			want: Decision{Action: Hold, Reason: ReasonNoLimit, Target: Memory{Limit: -1}},
		},
		{
			reason: "a negative use is no measurement",
			policy: usual, seen: use(-1, mi(256, 384)),
			want: Decision{Action: Hold, Reason: ReasonStaleSample, Target: mi(256, 384)},
		},
		{
			reason: "a Pod that nothing can resize is normal while it needs nothing",
			policy: usual, seen: Observation{
				Size: mi(256, 384), Sample: Sample{Bytes: mebibyte, Time: noon}, Way: Way{Obstacle: ReasonUnsupportedOwner},
			},
			want: Decision{Action: Hold, Reason: ReasonNormal, Target: mi(256, 384)},
		},
		{
			reason: "a limit as large as can be is held",
			policy: usual, seen: use(math.MaxInt64, Memory{Request: mebibyte, Limit: largest}),
			want: Decision{Action: Hold, Reason: ReasonAtMaximum, Target: Memory{Request: mebibyte, Limit: largest}},
		},
		{
			reason: "a limit that is larger than the largest whole Mi is held",
			policy: usual, seen: use(math.MaxInt64, Memory{Limit: math.MaxInt64}),
			want: Decision{Action: Hold, Reason: ReasonAtMaximum, Target: Memory{Limit: math.MaxInt64}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Decide(tt.policy, tt.seen, noon)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
			}
		})
	}
}

func TestDecideActsOnRecentSamplesOnly(t *testing.T) {
	tests := []struct {
		reason string
		taken  time.Time
		want   Reason
	}{
		{reason: "there is no sample", taken: time.Time{}, want: ReasonStaleSample},
		{reason: "a sample of now is good", taken: noon, want: ReasonAboveThreshold},
		{reason: "a sample exactly as old as allowed is good", taken: noon.Add(-time.Minute), want: ReasonAboveThreshold},
		{reason: "a moment later it is too old", taken: noon.Add(-time.Minute - 1), want: ReasonStaleSample},
		{reason: "a node's clock may be a little ahead", taken: noon.Add(time.Second), want: ReasonAboveThreshold},
		{reason: "a node's clock may be far ahead", taken: noon.AddDate(300, 0, 0), want: ReasonAboveThreshold},
		{reason: "an age that no duration can hold is too old", taken: noon.AddDate(-300, 0, 0), want: ReasonStaleSample},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			o := use(300*mebibyte, mi(256, 384))
			o.Sample.Time = tt.taken
			if got := Decide(usual, o, noon); got.Reason != tt.want {
				t.Errorf("%s: want %s, got %s", tt.reason, tt.want, got.Reason)
			}
		})
	}
}

func TestDecideHoldsUnderAPolicyThatMakesNoSense(t *testing.T) {
	senseless := map[string]Policy{
		"a threshold of nothing":           {Threshold: 0, Multiplier: 2},
		"a negative threshold":             {Threshold: -0.75, Multiplier: 2},
		"a threshold above the limit":      {Threshold: math.Nextafter(1, 2), Multiplier: 2},
		"percent taken for a fraction":     {Threshold: 75, Multiplier: 2},
		"a threshold that is no number":    {Threshold: math.NaN(), Multiplier: 2},
		"an infinite threshold":            {Threshold: math.Inf(1), Multiplier: 2},
		"a threshold of minus infinity":    {Threshold: math.Inf(-1), Multiplier: 2},
		"a multiplier of 1":                {Threshold: 0.75, Multiplier: 1},
		"a multiplier that shrinks":        {Threshold: 0.75, Multiplier: 0.5},
		"a multiplier of nothing":          {Threshold: 0.75, Multiplier: 0},
		"a negative multiplier":            {Threshold: 0.75, Multiplier: -2},
		"a multiplier that is no number":   {Threshold: 0.75, Multiplier: math.NaN()},
		"an infinite multiplier":           {Threshold: 0.75, Multiplier: math.Inf(1)},
		"a multiplier of minus infinity":   {Threshold: 0.75, Multiplier: math.Inf(-1)},
		"a policy that nobody has set yet": {},
	}
	for reason, p := range senseless {
		t.Run(reason, func(t *testing.T) {
			p.MaxSampleAge = time.Minute
			want := Decision{Action: Hold, Reason: ReasonInvalidPolicy, Target: mi(256, 384)}
			if diff := cmp.Diff(want, Decide(p, use(380*mebibyte, mi(256, 384)), noon)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", reason, diff)
			}
		})
	}
}
