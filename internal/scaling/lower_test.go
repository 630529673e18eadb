package scaling

import (
	"math"
	"testing"
	"time"
)

func TestMemoryThatIsNotUsedIsLowered(t *testing.T) {
	// Declared 256Mi/384Mi, raised to 1Gi/1536Mi, never above 120Mi for an hour.
	idle := func(p *Policy, o *Observation) {
		p.LowerAfter, o.Declared, o.Size = time.Hour, mi(256, 384), mi(1024, 1536)
		o.History = history(every(10*time.Minute), 120, 1, 1, 1, 1, 1, 1)
		o.Sample.Bytes = mebibyte
	}
	with := func(more func(*Policy, *Observation)) func(*Policy, *Observation) {
		return func(p *Policy, o *Observation) { idle(p, o); more(p, o) }
	}
	peak := func(mebibytes int64) func(*Policy, *Observation) {
		return with(func(_ *Policy, o *Observation) {
			o.History = history(every(10*time.Minute), mebibytes, 1, 1, 1, 1, 1, 1)
		})
	}
	lowered := func(request, limit int64) Decision {
		return Decision{Action: Lower, Reason: ReasonIdle, Target: mi(request, limit)}
	}
	kept := func(request, limit int64) Decision {
		return Decision{Action: Hold, Reason: ReasonNormal, Target: mi(request, limit)}
	}
	check(t, []situated{
		{"down to what was declared", idle, lowered(256, 384)},
		{"a peak of just below half of the threshold of 384Mi", peak(143), lowered(256, 384)},
		{"a peak of half of the threshold of 384Mi takes a step more", peak(144), lowered(512, 768)},
		{"a peak of just below half of the threshold of 768Mi", peak(287), lowered(512, 768)},
		{"a peak that takes what there is", peak(288), kept(1024, 1536)},
		{"what is in use now counts, too", with(func(_ *Policy, o *Observation) {
			o.Sample.Bytes = 144 * mebibyte
		}), lowered(512, 768)},
		{"a small multiplier leaves a margin of a half", with(func(p *Policy, o *Observation) {
			p.Multiplier, o.History = 1.1, history(every(10*time.Minute), 192, 1, 1, 1, 1, 1, 1)
		}), lowered(282, 423)},
		{"only where it is asked for", with(func(p *Policy, _ *Observation) { p.LowerAfter = 0 }), kept(1024, 1536)},
		{"not before it was seen for long enough", with(func(_ *Policy, o *Observation) {
			o.History = history(every(10*time.Minute), 1, 1, 1, 1, 1, 1)
		}), kept(1024, 1536)},
		{"not without a history", with(func(_ *Policy, o *Observation) { o.History = nil }), kept(1024, 1536)},
		{"not when nothing is known of what was declared", with(func(_ *Policy, o *Observation) {
			o.Declared = Memory{}
		}), kept(1024, 1536)},
		{"never below what was declared", with(func(_ *Policy, o *Observation) { o.Size = mi(256, 384) }), kept(256, 384)},
		{"nor when it is below already", with(func(_ *Policy, o *Observation) { o.Size = mi(200, 300) }), kept(200, 300)},
		{"not within a day of an OOM kill", with(func(_ *Policy, o *Observation) {
			o.OOMKilledAt = noon.Add(-24*time.Hour + 1)
		}), kept(1024, 1536)},
		{"nor of one of a container that it took the place of", with(func(_ *Policy, o *Observation) {
			o.OOMAnswered, o.OOMKilledAt = noon.Add(-24*time.Hour+1), noon.Add(-48*time.Hour)
		}), kept(1024, 1536)},
		{"nor while other replicas are replaced", with(func(_ *Policy, o *Observation) { o.Busy = true }), kept(1024, 1536)},
		{"a day after it", with(func(_ *Policy, o *Observation) {
			o.OOMKilledAt = noon.Add(-24 * time.Hour)
		}), lowered(256, 384)},
		{"not so soon after a change", with(func(_ *Policy, o *Observation) {
			o.LastChange = noon.Add(-time.Hour + 1)
		}), kept(1024, 1536)},
		{"a while after a change", with(func(_ *Policy, o *Observation) {
			o.LastChange = noon.Add(-time.Hour)
		}), lowered(256, 384)},
		{"not within a long cooldown", with(func(p *Policy, o *Observation) {
			p.Cooldown, o.LastChange = 2*time.Hour, noon.Add(-time.Hour)
		}), kept(1024, 1536)},
		{"not where nothing can do it", with(func(_ *Policy, o *Observation) {
			o.Obstacle = ReasonUnsupportedOwner
		}), kept(1024, 1536)},
		{"not where the workload's replicas are meant to have more", with(func(_ *Policy, o *Observation) {
			o.Durable, o.Disruptive = mi(2048, 3072), true
		}), kept(1024, 1536)},
		{"not where somebody else decides", with(func(_ *Policy, o *Observation) { o.Overridden = true }), kept(1024, 1536)},
		{"not for less than a twentieth", with(func(_ *Policy, o *Observation) { o.Size = mi(269, 404) }), kept(269, 404)},
		{"for a twentieth", with(func(_ *Policy, o *Observation) {
			o.Size, o.Declared = mi(200, 400), mi(190, 380)
		}), lowered(190, 380)},
		{"not where the request would become larger", with(func(_ *Policy, o *Observation) {
			o.Size = mi(255, 1536)
		}), kept(255, 1536)},
		{"where the request stays the same", with(func(_ *Policy, o *Observation) {
			o.Size = mi(256, 1536)
		}), lowered(256, 384)},
		{"not where the class of service would change to Burstable", with(func(_ *Policy, o *Observation) {
			o.Size = mi(1536, 1536)
		}), kept(1536, 1536)},
		{"nor to Guaranteed", with(func(_ *Policy, o *Observation) { o.Declared = mi(384, 384) }), kept(1024, 1536)},
		{"nor where the request would go", with(func(_ *Policy, o *Observation) { o.Declared = mi(0, 384) }), kept(1024, 1536)},
		{"no request stays none", with(func(_ *Policy, o *Observation) {
			o.Size, o.Declared = mi(0, 1536), mi(0, 384)
		}), lowered(0, 384)},
	})
}

func TestThePeakTimesTheMarginStaysWithinBounds(t *testing.T) {
	for _, tt := range []struct {
		bytes  int64
		factor float64
		want   int64
	}{
		{100, 1.5, 150},
		{math.MaxInt64, 1, largest},
		{math.MaxInt64 / 2, 3, largest},
		{1, math.MaxFloat64, largest},
	} {
		if got := multiply(tt.bytes, tt.factor); got != tt.want {
			t.Errorf("%d × %v = %d, want %d", tt.bytes, tt.factor, got, tt.want)
		}
	}
}
