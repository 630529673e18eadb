package scaling

import (
	"math"
	"slices"
	"testing"
	"time"
)

func FuzzDecide(f *testing.F) {
	f.Add(0.75, 2.0, int64(256*mebibyte), int64(384*mebibyte), int64(290*mebibyte), int64(0), int64(time.Minute),
		int64(0), int64(0), byte(4))
	f.Add(1.0, math.Nextafter(1, 2), int64(0), int64(1), int64(mebibyte-1), int64(time.Second), int64(time.Minute),
		int64(1), int64(1), byte(4))
	f.Add(math.NaN(), 2.0, int64(1), int64(1), int64(1), int64(0), int64(0), int64(0), int64(0), byte(4))
	f.Add(0.75, math.NaN(), int64(1), int64(1), int64(1), int64(-1), int64(0), int64(0), int64(0), byte(4))
	f.Add(math.SmallestNonzeroFloat64, math.MaxFloat64, int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64),
		int64(math.MinInt64), int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MinInt64), byte(12))
	f.Add(0.75, 10.0, int64(math.MinInt64), int64(1), int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MinInt64),
		int64(math.MinInt64), int64(math.MaxInt64), byte(7))
	f.Fuzz(func(t *testing.T, threshold, multiplier float64, request, limit, used, age, span, ceiling, room int64, flags byte) {
		s := situation{
			policy: Policy{
				Threshold: threshold, Multiplier: multiplier, MaxSampleAge: time.Duration(span), MaxLimit: ceiling,
				Forecasts: true, Horizon: time.Duration(span), LowerAfter: time.Duration(span), Cooldown: time.Duration(age),
				Budget: Budget{Raises: int(flags), Window: time.Duration(span)},
			},
			seen: Observation{
				Size: Memory{Request: request, Limit: limit}, Declared: Memory{Request: request / 2, Limit: limit / 2},
				Sample: Sample{Bytes: used, Time: noon.Add(-time.Duration(age))}, History: &History{},
				Way: Way{
					Means: Rollout, Disruptive: true, Obstacle: obstacle(flags&4 != 0), LastChange: noon.Add(-time.Duration(span)),
					Bounds: Bounds{
						Node: Memory{Request: room}, Quota: Memory{Limit: ceiling}, LimitRange: Memory{Request: ceiling, Limit: room},
					},
				},
				Raises: []time.Time{noon.Add(-time.Duration(age))},
				Paused: flags&1 != 0, RolloutInProgress: flags&2 != 0,
			},
		}
		if flags&16 != 0 {
			s.seen.Fallback = s.seen.Way
			s.seen.Way = Way{Means: InPlace, Obstacle: s.seen.Obstacle, Refused: Memory{Limit: room}, RefusedFor: ReasonNodeFull}
		}
		if flags&8 != 0 {
			s.seen.OOMKilledAt = noon.Add(-time.Duration(age))
		}
		for i := range int64(14) {
			s.seen.History.Add(Sample{Bytes: used / 16 * i, Time: noon.Add(-time.Duration(age) * time.Duration(14-i))}, time.Duration(span))
		}
		checkFuzzed(t, s)
	})
}

func checkFuzzed(t *testing.T, s situation) {
	t.Helper()
	d, p, size := Decide(s.policy, s.seen, noon), s.policy, s.seen.Size
	if !slices.Contains(Reasons(), d.Reason) || d.LimitedBy != "" && !slices.Contains(Refusals(), d.LimitedBy) {
		t.Errorf("the reasons %q and %q are not in the vocabulary", d.Reason, d.LimitedBy)
	}
	sane := p.Threshold > 0 && p.Threshold <= 1 && p.Multiplier > 1
	forbidden := s.seen.Paused || s.seen.RolloutInProgress && s.seen.Disruptive || s.seen.Obstacle != ""
	if d.Action != Hold && (!sane || forbidden || size.Limit <= 0) {
		t.Errorf("%s for %s in a situation that forbids it", d.Action, d.Reason)
	}
	if math.IsNaN(s.seen.History.Slope()) {
		t.Error("the slope is no number")
	}
	if size.Request > size.Limit || size.Request < 0 {
		// No API server lets such a size pass. It must not do harm, but need not make sense.
		s.seen.Size.Request, s.seen.Declared.Request, d.Target.Request = 0, 0, 0
	}
	checkBounds(t, s, d)
}

func obstacle(free bool) Reason {
	if free {
		return ""
	}
	return ReasonUnsupportedOwner
}
