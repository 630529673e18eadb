package scaling

import (
	"math"
	"slices"
	"testing"
	"time"
)

func FuzzDecide(f *testing.F) {
	f.Add(0.75, 2.0, int64(256*mebibyte), int64(384*mebibyte), int64(290*mebibyte), int64(0), int64(time.Minute), byte(4))
	f.Add(1.0, math.Nextafter(1, 2), int64(0), int64(1), int64(mebibyte-1), int64(time.Second), int64(time.Minute), byte(4))
	f.Add(math.NaN(), 2.0, int64(1), int64(1), int64(1), int64(0), int64(0), byte(4))
	f.Add(0.75, math.NaN(), int64(1), int64(1), int64(1), int64(-1), int64(0), byte(4))
	f.Add(math.SmallestNonzeroFloat64, math.MaxFloat64, int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64),
		int64(math.MinInt64), int64(math.MaxInt64), byte(4))
	f.Add(0.75, 10.0, int64(math.MinInt64), int64(1), int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MinInt64), byte(7))
	f.Fuzz(func(t *testing.T, threshold, multiplier float64, request, limit, used, age, bound int64, flags byte) {
		s := situation{
			policy: Policy{Threshold: threshold, Multiplier: multiplier, MaxSampleAge: time.Duration(bound)},
			seen: Observation{
				Size:              Memory{Request: request, Limit: limit},
				Sample:            Sample{Bytes: used, Time: noon.Add(-time.Duration(age))},
				Paused:            flags&1 != 0,
				RolloutInProgress: flags&2 != 0,
				Resizable:         flags&4 != 0,
			},
		}
		d := Decide(s.policy, s.seen, noon)
		if !slices.Contains(Reasons(), d.Reason) {
			t.Errorf("the reason %q is not in the vocabulary", d.Reason)
		}
		sane := threshold > 0 && threshold <= 1 && multiplier > 1
		if d.Action == Raise && (!sane || s.seen.Paused || s.seen.RolloutInProgress || !s.seen.Resizable || limit <= 0) {
			t.Errorf("raised for %s in a situation that forbids it", d.Reason)
		}
		if request > limit || request < 0 {
			// No API server lets such a size pass. It must not do harm, but need not make sense.
			s.seen.Size.Request, d.Target.Request = 0, 0
		}
		checkBounds(t, s, d)
	})
}
