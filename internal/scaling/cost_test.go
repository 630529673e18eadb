package scaling

import (
	"math"
	"testing"
	"time"
)

// costly are situations that end in a hold, and how much has to be computed until then.
func costly() map[string]situation {
	calm := situation{policy: usual, seen: use(100*mebibyte, mi(256, 384))}
	calm.policy.Forecasts, calm.policy.LowerAfter = true, time.Hour
	calm.policy.Budget = Budget{Raises: 3, Window: 24 * time.Hour}
	calm.seen.History = history(every(10*time.Second), 100, 101, 100, 101, 100, 101, 100, 101, 100, 101, 100, 100)
	growing := calm
	growing.seen.History = history(every(10*time.Second), 90, 91, 92, 93, 94, 94, 95, 96, 97, 98, 99, 100)
	exhausted := calm
	exhausted.seen.Sample.Bytes = 300 * mebibyte
	exhausted.seen.Raises = []time.Time{noon, noon, noon}
	full := calm
	full.seen.Sample.Bytes, full.seen.Bounds.Node = 300*mebibyte, Memory{Request: 256 * mebibyte}
	return map[string]situation{"calm": calm, "growing": growing, "exhausted": exhausted, "full": full}
}

func TestHoldingAllocatesNothing(t *testing.T) {
	for name, s := range costly() {
		if d := Decide(s.policy, s.seen, noon); d.Action != Hold {
			t.Errorf("%s: %s, %s", name, d.Action, d.Reason)
		}
		if n := testing.AllocsPerRun(1000, func() { Decide(s.policy, s.seen, noon) }); n != 0 {
			t.Errorf("%s: holding costs %v allocations", name, n)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	all := costly()
	raise := all["calm"]
	raise.seen.Sample.Bytes = 700 * mebibyte
	all["raise"] = raise
	for name, s := range all {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Decide(s.policy, s.seen, noon)
			}
		})
	}
}

func BenchmarkHistoryAdd(b *testing.B) {
	h, at := &History{}, noon
	b.ReportAllocs()
	for b.Loop() {
		at = at.Add(5 * time.Second)
		h.Add(Sample{Bytes: 100 * mebibyte, Time: at}, time.Hour)
	}
}

// A tenant chooses the multiplier, and must not be able to keep the operator busy with it: here one byte grows to 1Mi
// by a factor that takes fourteen million steps, none of which shows before the last.
func BenchmarkGrowByTheSmallestMultiplier(b *testing.B) {
	p := Policy{Threshold: 1, Multiplier: math.Nextafter(1, 2), MaxSampleAge: time.Minute}
	o := use(mebibyte-1, Memory{Limit: 1})
	for b.Loop() {
		Decide(p, o, noon)
	}
}
