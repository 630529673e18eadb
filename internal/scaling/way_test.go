package scaling

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTheLadder(t *testing.T) {
	// 300Mi in use of 256Mi/384Mi, in place first and by rollout next.
	ladder := func(more func(*Policy, *Observation)) func(*Policy, *Observation) {
		return func(p *Policy, o *Observation) {
			o.Sample.Bytes = 300 * mebibyte
			o.Means, o.Fallback = InPlace, Way{Means: Rollout, Disruptive: true}
			more(p, o)
		}
	}
	in := func(means Means, request, limit int64) Decision {
		return Decision{Action: Raise, Reason: ReasonAboveThreshold, Target: mi(request, limit), Means: means}
	}
	cut := in(InPlace, 300, 450)
	cut.LimitedBy = ReasonNodeFull
	rollout := func(instead Reason) Decision {
		d := in(Rollout, 512, 768)
		d.Instead = instead
		return d
	}
	full := Memory{Request: 256 * mebibyte}
	check(t, []situated{
		{"in place where that can be", ladder(func(*Policy, *Observation) {}), in(InPlace, 512, 768)},
		{"a part of it where there is not room for all", ladder(func(_ *Policy, o *Observation) {
			o.Bounds.Node = Memory{Request: 300 * mebibyte}
		}), cut},
		{"a rollout where there is room for nothing", ladder(func(_ *Policy, o *Observation) {
			o.Bounds.Node = full
		}), rollout(ReasonNodeFull)},
		{"or where it cannot be done", ladder(func(_ *Policy, o *Observation) {
			o.Obstacle = ReasonInPlaceUnavailable
		}), rollout(ReasonInPlaceUnavailable)},
		{"or the kubelet refused", ladder(func(_ *Policy, o *Observation) {
			o.Obstacle = ReasonResizeInfeasible
		}), rollout(ReasonResizeInfeasible)},
		{"or it did not help", ladder(func(_ *Policy, o *Observation) {
			o.Obstacle = ReasonRecoveryFailed
		}), rollout(ReasonRecoveryFailed)},
		{"what is refused both ways is told with the first reason", ladder(func(_ *Policy, o *Observation) {
			o.Bounds.Node, o.Fallback.Bounds.Quota = full, full
		}), held(ReasonNodeFull)},
		{"a rollout that has to wait is waited for", ladder(func(p *Policy, o *Observation) {
			o.Bounds.Node, p.Cooldown, o.Fallback.LastChange = full, time.Minute, noon
		}), held(ReasonCooldown)},
		{"also for other replicas", ladder(func(_ *Policy, o *Observation) {
			o.Bounds.Node, o.Busy = full, true
		}), held(ReasonRolloutInProgress)},
		{"each way has a cooldown of its own", ladder(func(p *Policy, o *Observation) {
			p.Cooldown, o.Fallback.LastChange = time.Minute, noon
		}), in(InPlace, 512, 768)},
		{"a resize that has to wait is no reason for a restart", ladder(func(p *Policy, o *Observation) {
			p.Cooldown, o.LastChange = time.Minute, noon
		}), held(ReasonCooldown)},
		{"nor is a ceiling", ladder(func(p *Policy, _ *Observation) { p.MaxLimit = 384 * mebibyte }), held(ReasonAtMaximum)},
		{"nor a quota, of which a rollout takes more", ladder(func(_ *Policy, o *Observation) {
			o.Bounds.Quota = full
		}), held(ReasonQuotaExceeded)},
		{"without another way there is none", ladder(func(_ *Policy, o *Observation) {
			o.Bounds.Node, o.Fallback = full, Way{}
		}), held(ReasonNodeFull)},
		{"what is foreseen below half of the limit is not worth the restart", ladder(func(p *Policy, o *Observation) {
			p.Forecasts, o.Sample.Bytes = true, 100*mebibyte
			o.History, o.Reaction = history(every(10*time.Second), 40, 60, 80, 100), time.Hour
			o.Fallback.Reaction, o.Bounds.Node = time.Hour, full
		}), held(ReasonNodeFull)},
	})
}

func TestARefusedSizeIsHalved(t *testing.T) {
	refused := func(limit int64) func(*Policy, *Observation) {
		return func(_ *Policy, o *Observation) {
			o.Sample.Bytes, o.Refused, o.RefusedFor = 300*mebibyte, mi(limit, limit), ReasonNodeFull
		}
	}
	part := func(request, limit int64) Decision {
		d := raised(ReasonAboveThreshold, request, limit)
		d.LimitedBy = ReasonNodeFull
		return d
	}
	check(t, []situated{
		{"768Mi were refused", refused(768), part(384, 576)},
		{"then 576Mi", refused(576), part(320, 480)},
		{"until it gains too little", refused(420), held(ReasonNodeFull)},
		{"a refusal of less than there is now is an old one", refused(384), raised(ReasonAboveThreshold, 512, 768)},
		{"one of far more does not matter", refused(8000), raised(ReasonAboveThreshold, 512, 768)},
	})
}

func TestAResizeThatDoesNotComeTrueIsWithdrawn(t *testing.T) {
	resize := func(state ResizeState, ago time.Duration) func(*Policy, *Observation) {
		return func(_ *Policy, o *Observation) {
			o.Sample.Bytes, o.Resize = 300*mebibyte, Resize{State: state, Since: noon.Add(-ago), Actual: mi(128, 192)}
		}
	}
	back := func(why Reason) Decision {
		return Decision{Action: Rollback, Reason: why, Means: InPlace, Target: mi(128, 192)}
	}
	check(t, []situated{
		{"what is under way is waited for", resize(ResizeInProgress, time.Hour), held(ReasonResizeInProgress)},
		{"and what fails, for a while", resize(ResizeFailing, time.Minute-1), held(ReasonResizeInProgress)},
		{"no longer", resize(ResizeFailing, time.Minute), back(ReasonResizeInfeasible)},
		{"where nothing can be taken back, that is said", func(p *Policy, o *Observation) {
			resize(ResizeDeferred, 5*time.Second)(p, o)
			o.RaisesOnly = true
		}, held(ReasonNodeFull)},
		{"but not while it has enough", func(p *Policy, o *Observation) {
			resize(ResizeDeferred, 5*time.Second)(p, o)
			o.RaisesOnly, o.Sample.Bytes = true, 100*mebibyte
		}, held(ReasonResizeInProgress)},
		{"and rolled out instead, from what there is", func(p *Policy, o *Observation) {
			resize(ResizeInfeasible, 0)(p, o)
			o.RaisesOnly, o.Fallback = true, Way{Means: Rollout, Disruptive: true}
		}, Decision{
			Action: Raise, Reason: ReasonAboveThreshold, Means: Rollout, Target: mi(512, 768), Instead: ReasonResizeInfeasible,
		}},
		{"what is deferred, for a moment", resize(ResizeDeferred, 5*time.Second-1), held(ReasonResizeInProgress)},
		{"no longer", resize(ResizeDeferred, 5*time.Second), back(ReasonNodeFull)},
		{"what is infeasible, not at all", resize(ResizeInfeasible, 0), back(ReasonResizeInfeasible)},
		{"where nobody knows what there was before, nothing can be taken back", func(p *Policy, o *Observation) {
			resize(ResizeInfeasible, 0)(p, o)
			o.Resize.Actual = Memory{}
		}, held(ReasonResizeInProgress)},
		{"what is paused stays as it is", func(p *Policy, o *Observation) {
			resize(ResizeInfeasible, 0)(p, o)
			o.Paused = true
		}, held(ReasonPaused)},
	})
}

func TestMemoryThatCannotBeTakenBackInPlaceIsKept(t *testing.T) {
	p, o := usual, use(mebibyte, mi(1024, 1536))
	p.LowerAfter, o.Declared, o.Means = time.Hour, mi(256, 384), InPlace
	o.History = history(every(10*time.Minute), 120, 1, 1, 1, 1, 1, 1)
	want := Decision{Action: Lower, Reason: ReasonIdle, Means: InPlace, Target: mi(256, 384)}
	if diff := cmp.Diff(want, Decide(p, o, noon)); diff != "" {
		t.Errorf("where it can (-want +got):\n%s", diff)
	}
	o.RaisesOnly = true
	if got := Decide(p, o, noon); got.Action != Hold {
		t.Errorf("where it cannot: %+v", got)
	}
}

func TestARolloutGivesNoLessThanOthersHave(t *testing.T) {
	rollout := func(durable int64) func(*Policy, *Observation) {
		return func(_ *Policy, o *Observation) {
			o.Sample.Bytes, o.Durable = 300*mebibyte, mi(durable*2/3, durable)
			o.Way = Way{Means: Rollout, Disruptive: true}
		}
	}
	rolled := func(limit int64) Decision {
		return Decision{Action: Raise, Reason: ReasonAboveThreshold, Means: Rollout, Target: mi(limit*2/3, limit)}
	}
	check(t, []situated{
		{"nothing was learned", rollout(0), rolled(768)},
		{"as much was learned", rollout(768), rolled(768)},
		{"more was learned", rollout(1536), rolled(1536)},
	})
}

func TestWhatSomebodyElseForeseesIsLeftToHim(t *testing.T) {
	// Growing by 4Mi a second at 200Mi of 256Mi/384Mi, in place first and by rollout next.
	foreseen := func(more func(*Observation)) func(*Policy, *Observation) {
		return func(p *Policy, o *Observation) {
			p.Forecasts, o.Sample.Bytes = true, 200*mebibyte
			o.History = history(every(10*time.Second), 80, 120, 160, 200)
			o.Means, o.Reaction, o.Foreseen = InPlace, time.Minute, true
			o.Fallback = Way{Means: Rollout, Disruptive: true, Reaction: time.Minute}
			more(o)
		}
	}
	rollout := Decision{Action: Raise, Reason: ReasonAboveThreshold, Target: mi(512, 768), Means: Rollout, Instead: ReasonNodeFull}
	check(t, []situated{
		{"what can be had his way", foreseen(func(*Observation) {}), held(ReasonNormal)},
		{"not what has reached the threshold", foreseen(func(o *Observation) {
			o.Sample.Bytes = 300 * mebibyte
		}), Decision{Action: Raise, Reason: ReasonAboveThreshold, Target: mi(512, 768), Means: InPlace}},
		{"nor what has to go another way, where it is urgent all the same", foreseen(func(o *Observation) {
			o.Sample.Bytes, o.Bounds.Node = 300*mebibyte, Memory{Request: 256 * mebibyte}
		}), rollout},
		{"nobody else foresees it", foreseen(func(o *Observation) { o.Foreseen = false }), Decision{
			Action: Raise, Reason: ReasonForecastOOM, Target: mi(512, 768), Means: InPlace,
		}},
	})
}
