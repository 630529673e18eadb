package scaling

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// situated is one row of a table of rules.
type situated struct {
	reason string
	set    func(*Policy, *Observation)
	want   Decision
}

// held is a decision to hold the size of 256Mi/384Mi.
func held(why Reason) Decision {
	return Decision{Action: Hold, Reason: why, Target: mi(256, 384)}
}

// raised is a decision to raise.
func raised(why Reason, request, limit int64) Decision {
	return Decision{Action: Raise, Reason: why, Target: mi(request, limit)}
}

// check decides each row upon 100Mi in use of 256Mi/384Mi, unless the row says otherwise.
func check(t *testing.T, rows []situated) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.reason, func(t *testing.T) {
			p, o := usual, use(100*mebibyte, mi(256, 384))
			row.set(&p, &o)
			if diff := cmp.Diff(row.want, Decide(p, o, noon)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", row.reason, diff)
			}
		})
	}
}

func TestAnOOMKillIsAnsweredByARaise(t *testing.T) {
	killed := func(ago time.Duration) func(*Policy, *Observation) {
		return func(_ *Policy, o *Observation) { o.OOMKilledAt = noon.Add(-ago) }
	}
	check(t, []situated{
		{"a kill just now", killed(0), raised(ReasonOOMKilled, 512, 768)},
		{"a kill within the hour", killed(time.Hour - 1), raised(ReasonOOMKilled, 512, 768)},
		{"a kill an hour ago was survived", killed(time.Hour), held(ReasonNormal)},
		{"it takes no sample", func(_ *Policy, o *Observation) {
			o.OOMKilledAt, o.Sample = noon, Sample{}
		}, raised(ReasonOOMKilled, 512, 768)},
		{"a small multiplier is applied until the old limit is below the threshold", func(p *Policy, o *Observation) {
			p.Multiplier, o.OOMKilledAt = 1.25, noon
		}, raised(ReasonOOMKilled, 400, 600)},
		{"a kill that was answered", func(_ *Policy, o *Observation) {
			o.OOMKilledAt, o.OOMAnswered = noon.Add(-time.Minute), noon.Add(-time.Minute)
		}, held(ReasonNormal)},
		{"a kill after that was not", func(_ *Policy, o *Observation) {
			o.OOMKilledAt, o.OOMAnswered = noon.Add(-time.Minute+1), noon.Add(-time.Minute)
		}, raised(ReasonOOMKilled, 512, 768)},
		{"the clocks of nodes and of the operator may differ", func(_ *Policy, o *Observation) {
			o.OOMAnswered, o.LastChange = noon.Add(30*time.Second), noon
		}, held(ReasonNormal)},
		{"a rollout of other replicas does not hold it back", func(_ *Policy, o *Observation) {
			o.OOMKilledAt, o.Busy, o.Disruptive = noon, true, true
		}, raised(ReasonOOMKilled, 512, 768)},
		{"a full node is asked for all the same: there is nothing to lose", func(_ *Policy, o *Observation) {
			o.OOMKilledAt, o.Bounds.Node, o.Disruptive = noon, Memory{Request: 256 * mebibyte}, true
		}, raised(ReasonOOMKilled, 512, 768)},
		{"but not in place, where no other node can help", func(_ *Policy, o *Observation) {
			o.OOMKilledAt, o.Bounds.Node = noon, Memory{Request: 256 * mebibyte}
		}, held(ReasonNodeFull)},
		{"a part of what a node has is better than that", func(_ *Policy, o *Observation) {
			o.OOMKilledAt, o.Bounds.Node = noon, Memory{Request: 300 * mebibyte}
		}, Decision{Action: Raise, Reason: ReasonOOMKilled, Target: mi(300, 450), LimitedBy: ReasonNodeFull}},
		{"no node is large enough", func(_ *Policy, o *Observation) {
			o.OOMKilledAt, o.Bounds.Node, o.Disruptive = noon, Memory{Limit: 384 * mebibyte}, true
		}, held(ReasonNodeFull)},
		{"the cooldown does not hold it back", func(p *Policy, o *Observation) {
			p.Cooldown, o.OOMKilledAt, o.LastChange = time.Hour, noon, noon.Add(-time.Second)
		}, raised(ReasonOOMKilled, 512, 768)},
		{"the budget does", func(p *Policy, o *Observation) {
			p.Budget, o.OOMKilledAt, o.Raises = Budget{Raises: 1, Window: time.Hour}, noon, []time.Time{noon.Add(-time.Minute)}
		}, held(ReasonGrowthBudgetExhausted)},
	})
}

func TestTheCooldownHoldsBackTheNextChange(t *testing.T) {
	changed := func(ago time.Duration) func(*Policy, *Observation) {
		return func(p *Policy, o *Observation) {
			p.Cooldown, o.LastChange, o.Sample.Bytes = time.Minute, noon.Add(-ago), 300*mebibyte
		}
	}
	check(t, []situated{
		{"nothing was changed before", func(p *Policy, o *Observation) {
			p.Cooldown, o.Sample.Bytes = time.Minute, 300*mebibyte
		}, raised(ReasonAboveThreshold, 512, 768)},
		{"a change of a moment ago", changed(time.Minute - 1), held(ReasonCooldown)},
		{"a change that is over", changed(time.Minute), raised(ReasonAboveThreshold, 512, 768)},
		{"a change by a clock that is a little ahead", changed(-time.Second), held(ReasonCooldown)},
		{"a change by a clock that is far ahead", changed(-time.Hour), raised(ReasonAboveThreshold, 512, 768)},
		{"a forecast that can be answered without a restart does not wait", func(p *Policy, o *Observation) {
			changed(0)(p, o)
			p.Forecasts, o.History, o.Reaction = true, history(every(10*time.Second), 180, 220, 260, 300), time.Minute
		}, raised(ReasonAboveThreshold, 512, 768)},
		{"nor below the threshold", func(p *Policy, o *Observation) {
			changed(0)(p, o)
			p.Forecasts, o.History, o.Reaction = true, history(every(10*time.Second), 80, 120, 160, 200), time.Minute
			o.Sample.Bytes = 200 * mebibyte
		}, raised(ReasonForecastOOM, 512, 768)},
		{"one that takes a restart does", func(p *Policy, o *Observation) {
			changed(0)(p, o)
			p.Forecasts, o.History, o.Reaction = true, history(every(10*time.Second), 180, 220, 260, 300), time.Minute
			o.Disruptive = true
		}, held(ReasonCooldown)},
		{"above the threshold and below it", func(p *Policy, o *Observation) {
			changed(0)(p, o)
			p.Forecasts, o.History, o.Reaction = true, history(every(10*time.Second), 80, 120, 160, 200), time.Minute
			o.Disruptive, o.Sample.Bytes = true, 200*mebibyte
		}, held(ReasonCooldown)},
		{"without a cooldown there is no wait", func(_ *Policy, o *Observation) {
			o.LastChange, o.Sample.Bytes = noon, 300*mebibyte
		}, raised(ReasonAboveThreshold, 512, 768)},
	})
}

func TestOneRolloutAtATime(t *testing.T) {
	check(t, []situated{
		{"other replicas are replaced", func(_ *Policy, o *Observation) {
			o.Busy, o.Disruptive, o.Sample.Bytes = true, true, 300*mebibyte
		}, held(ReasonRolloutInProgress)},
		{"that is nothing to a container that is resized in place", func(_ *Policy, o *Observation) {
			o.Busy, o.RolloutInProgress, o.Sample.Bytes = true, true, 300*mebibyte
		}, raised(ReasonAboveThreshold, 512, 768)},
		{"that is nothing to a container that needs nothing", func(_ *Policy, o *Observation) { o.Busy = true }, held(ReasonNormal)},
	})
}

func TestAForecastActsBeforeTheThreshold(t *testing.T) {
	// 4 MiB/s, measured every 10 s: to 200Mi of 384Mi.
	growing := func(p *Policy, o *Observation) {
		p.Forecasts, o.Sample.Bytes = true, 200*mebibyte
		o.History = history(every(10*time.Second), 80, 120, 160, 200)
	}
	with := func(more func(*Policy, *Observation)) func(*Policy, *Observation) {
		return func(p *Policy, o *Observation) { growing(p, o); more(p, o) }
	}
	check(t, []situated{
		{"200Mi + 4Mi/s × (10 s of samples + 36 s of reaction) = 384Mi", with(func(_ *Policy, o *Observation) {
			o.Reaction = 36 * time.Second
		}), raised(ReasonForecastOOM, 512, 768)},
		{"a moment less does not reach it", with(func(_ *Policy, o *Observation) {
			o.Reaction = 36*time.Second - time.Millisecond
		}), held(ReasonNormal)},
		{"the age of the sample counts", with(func(_ *Policy, o *Observation) {
			o.Reaction, o.Sample.Time = 26*time.Second, noon.Add(-10*time.Second)
		}), raised(ReasonForecastOOM, 512, 768)},
		{"a clock that is ahead gains no time", with(func(_ *Policy, o *Observation) {
			o.Reaction, o.Sample.Time = 36*time.Second, noon.Add(10*time.Second)
		}), raised(ReasonForecastOOM, 512, 768)},
		{"a horizon of the user's takes the place of the reaction time", with(func(p *Policy, _ *Observation) {
			p.Horizon = 46 * time.Second
		}), raised(ReasonForecastOOM, 512, 768)},
		{"and may be shorter", with(func(p *Policy, o *Observation) {
			p.Horizon, o.Reaction = 45*time.Second, time.Hour
		}), held(ReasonNormal)},
		{"forecasts can be off", with(func(p *Policy, o *Observation) {
			p.Forecasts, o.Reaction = false, time.Hour
		}), held(ReasonNormal)},
		{"without a history there is none", with(func(_ *Policy, o *Observation) {
			o.History, o.Reaction = nil, time.Hour
		}), held(ReasonNormal)},
		{"what does not grow never reaches the limit", with(func(_ *Policy, o *Observation) {
			o.History, o.Reaction = history(every(10*time.Second), 200, 200, 200, 200), 1000*time.Hour
		}), held(ReasonNormal)},
		{"a restart is not worth it below half of the limit", with(func(_ *Policy, o *Observation) {
			o.Disruptive, o.Reaction, o.Sample.Bytes = true, time.Hour, 192*mebibyte-1
		}), held(ReasonNormal)},
		{"at half of the limit it is", with(func(_ *Policy, o *Observation) {
			o.Disruptive, o.Reaction, o.Sample.Bytes = true, time.Hour, 192*mebibyte
		}), raised(ReasonForecastOOM, 512, 768)},
		{"without a restart it always is", with(func(_ *Policy, o *Observation) {
			o.Reaction, o.Sample.Bytes = time.Hour, mebibyte
		}), raised(ReasonForecastOOM, 512, 768)},
		{"however steep, it asks for no more than puts the present limit below the threshold", with(func(_ *Policy, o *Observation) {
			o.Reaction = 1000 * time.Hour
		}), raised(ReasonForecastOOM, 512, 768)},
		{"a resize in progress is not waited for when it will not do", with(func(_ *Policy, o *Observation) {
			o.Resize.State, o.Reaction = ResizeInProgress, 36*time.Second
		}), raised(ReasonForecastOOM, 512, 768)},
		{"but when it may", with(func(_ *Policy, o *Observation) {
			o.Resize.State, o.Reaction = ResizeInProgress, 35*time.Second
		}), held(ReasonResizeInProgress)},
		{"nor on an old sample", with(func(_ *Policy, o *Observation) {
			o.Resize.State, o.Reaction, o.Sample.Time = ResizeInProgress, time.Hour, noon.Add(-time.Minute-1)
		}), held(ReasonResizeInProgress)},
		{"nor when it costs a restart", with(func(_ *Policy, o *Observation) {
			o.Resize.State, o.Reaction, o.Disruptive = ResizeInProgress, time.Hour, true
		}), held(ReasonResizeInProgress)},
		{"nor when there is no room for it: even less is there for more", with(func(_ *Policy, o *Observation) {
			o.Resize.State, o.Reaction = ResizeDeferred, time.Hour
		}), held(ReasonResizeInProgress)},
	})
}

func TestTheGrowthBudgetStopsALeak(t *testing.T) {
	raisedAgo := func(ago ...time.Duration) func(*Policy, *Observation) {
		return func(p *Policy, o *Observation) {
			p.Budget, o.Sample.Bytes = Budget{Raises: 2, Window: time.Hour}, 300*mebibyte
			for _, d := range ago {
				o.Raises = append(o.Raises, noon.Add(-d))
			}
		}
	}
	check(t, []situated{
		{"no raise yet", raisedAgo(), raised(ReasonAboveThreshold, 512, 768)},
		{"one of two raises", raisedAgo(time.Minute), raised(ReasonAboveThreshold, 512, 768)},
		{"two of two, just within a window", raisedAgo(time.Hour-1, 0), held(ReasonGrowthBudgetExhausted)},
		{"two, of which the first is out of the second's window", raisedAgo(time.Hour, 0), raised(ReasonAboveThreshold, 512, 768)},
		{"a leak stays one when the window is over", raisedAgo(3*time.Hour, 150*time.Minute), held(ReasonGrowthBudgetExhausted)},
		{"even if a raise came later", raisedAgo(9*time.Hour, 8*time.Hour+1, time.Minute), held(ReasonGrowthBudgetExhausted)},
		{"and if one came long before", raisedAgo(99*time.Hour, 30*time.Minute, time.Minute), held(ReasonGrowthBudgetExhausted)},
		{"more than are allowed, after the budget was made smaller", raisedAgo(3, 2, 1), held(ReasonGrowthBudgetExhausted)},
		{"a budget of one", func(p *Policy, o *Observation) {
			raisedAgo(time.Minute)(p, o)
			p.Budget.Raises = 1
		}, held(ReasonGrowthBudgetExhausted)},
		{"use has levelled off since: it was no leak", func(p *Policy, o *Observation) {
			raisedAgo(2*time.Minute, time.Minute)(p, o)
			o.History = history(every(150*time.Second), 300, 300, 300, 300) // 7.5 minutes, an eighth of the window
		}, raised(ReasonAboveThreshold, 512, 768)},
		{"use has not levelled off yet", func(p *Policy, o *Observation) {
			raisedAgo(2*time.Minute, time.Minute)(p, o)
			o.History = history(every(150*time.Second-1), 300, 300, 300, 300)
		}, held(ReasonGrowthBudgetExhausted)},
		{"what another replica was given already is no growth", func(p *Policy, o *Observation) {
			raisedAgo(2*time.Minute, time.Minute)(p, o)
			o.Peak = mi(512, 768)
		}, Decision{Action: Raise, Reason: ReasonAboveThreshold, Target: mi(512, 768)}},
		{"but beyond it there is none", func(p *Policy, o *Observation) {
			raisedAgo(2*time.Minute, time.Minute)(p, o)
			o.Peak = mi(400, 600)
		}, Decision{Action: Raise, Reason: ReasonAboveThreshold, Target: mi(400, 600), LimitedBy: ReasonGrowthBudgetExhausted}},
		{"nor where the replica has that much", func(p *Policy, o *Observation) {
			raisedAgo(2*time.Minute, time.Minute)(p, o)
			o.Peak = mi(256, 384)
		}, held(ReasonGrowthBudgetExhausted)},
		{"no budget bounds nothing", func(p *Policy, o *Observation) {
			raisedAgo(3, 2, 1)(p, o)
			p.Budget.Raises = 0
		}, raised(ReasonAboveThreshold, 512, 768)},
	})
}

func TestAReplicaCatchesUpWithTheWorkload(t *testing.T) {
	check(t, []situated{
		{"a larger durable size", func(_ *Policy, o *Observation) { o.Durable = mi(500, 700) }, raised(ReasonCatchUp, 500, 700)},
		{"the same size", func(_ *Policy, o *Observation) { o.Durable = mi(256, 384) }, held(ReasonNormal)},
		{"a smaller one is no reason to take memory away", func(_ *Policy, o *Observation) {
			o.Durable = mi(100, 200)
		}, held(ReasonNormal)},
		{"it takes no sample", func(_ *Policy, o *Observation) {
			o.Durable, o.Sample = mi(512, 768), Sample{}
		}, raised(ReasonCatchUp, 512, 768)},
		{"neither cooldown nor budget hold it back", func(p *Policy, o *Observation) {
			o.Durable, o.LastChange, p.Cooldown = mi(512, 768), noon, time.Hour
			p.Budget, o.Raises = Budget{Raises: 1, Window: time.Hour}, []time.Time{noon}
		}, raised(ReasonCatchUp, 512, 768)},
		{"bounds cut it", func(_ *Policy, o *Observation) {
			o.Durable, o.Bounds.Node = mi(512, 768), Memory{Request: 300 * mebibyte}
		}, Decision{Action: Raise, Reason: ReasonCatchUp, Target: mi(300, 450), LimitedBy: ReasonNodeFull}},
		{"what cannot be had is not missed before it is needed", func(_ *Policy, o *Observation) {
			o.Durable, o.Bounds.Node = mi(512, 768), Memory{Request: 256 * mebibyte}
		}, held(ReasonNormal)},
		{"then it is", func(_ *Policy, o *Observation) {
			o.Durable, o.Bounds.Node, o.Sample.Bytes = mi(512, 768), Memory{Request: 256 * mebibyte}, 300*mebibyte
		}, held(ReasonNodeFull)},
		{"nor what stands in the way", func(_ *Policy, o *Observation) {
			o.Durable, o.Obstacle = mi(512, 768), ReasonInPlaceUnavailable
		}, held(ReasonNormal)},
		{"it is worth no restart", func(_ *Policy, o *Observation) {
			o.Durable, o.Disruptive = mi(512, 768), true
		}, held(ReasonNormal)},
		{"nor a fight", func(_ *Policy, o *Observation) {
			o.Durable, o.Overridden = mi(512, 768), true
		}, held(ReasonNormal)},
		{"a Guaranteed container stays one", func(_ *Policy, o *Observation) {
			o.Size, o.Durable = mi(384, 384), mi(512, 768)
		}, raised(ReasonCatchUp, 768, 768)},
		{"a Burstable one, too", func(_ *Policy, o *Observation) {
			o.Durable = mi(768, 768)
		}, raised(ReasonCatchUp, 767, 768)},
		{"the request is never lowered", func(_ *Policy, o *Observation) {
			o.Durable = mi(100, 768)
		}, raised(ReasonCatchUp, 256, 768)},
		{"without a request there is none to raise", func(_ *Policy, o *Observation) {
			o.Size, o.Durable = mi(0, 384), mi(512, 768)
		}, raised(ReasonCatchUp, 0, 768)},
	})
}

func TestARolloutThatIsStuckIsRolledBackOnce(t *testing.T) {
	check(t, []situated{
		{"back to what was before", func(_ *Policy, o *Observation) {
			o.RolloutStuck, o.Previous = true, mi(200, 300)
		}, Decision{Action: Rollback, Reason: ReasonRolloutStuck, Means: Rollout, Target: mi(200, 300)}},
		{"nothing to go back to", func(_ *Policy, o *Observation) {
			o.RolloutStuck, o.Disruptive = true, true
		}, held(ReasonRolloutStuck)},
		{"what can be resized in place does not mind", func(_ *Policy, o *Observation) {
			o.RolloutStuck, o.Sample.Bytes = true, 300*mebibyte
		}, raised(ReasonAboveThreshold, 512, 768)},
		{"in place, a size that got stuck is none", func(_ *Policy, o *Observation) {
			o.StuckSize, o.StuckAt, o.Sample.Bytes = mi(512, 768), noon, 300*mebibyte
		}, raised(ReasonAboveThreshold, 512, 768)},
		{"the same size is not tried again for an hour", func(_ *Policy, o *Observation) {
			o.Disruptive = true
			o.StuckSize, o.StuckAt, o.Sample.Bytes = mi(512, 768), noon.Add(-time.Hour+1), 300*mebibyte
		}, held(ReasonRolloutStuck)},
		{"then it is", func(_ *Policy, o *Observation) {
			o.Disruptive = true
			o.StuckSize, o.StuckAt, o.Sample.Bytes = mi(512, 768), noon.Add(-time.Hour), 300*mebibyte
		}, raised(ReasonAboveThreshold, 512, 768)},
		{"a smaller size is tried at once", func(_ *Policy, o *Observation) {
			o.Disruptive = true
			o.StuckSize, o.StuckAt, o.Sample.Bytes = mi(513, 769), noon, 300*mebibyte
		}, raised(ReasonAboveThreshold, 512, 768)},
	})
}

func TestWhatSomebodyElsePutBackStaysAsItIs(t *testing.T) {
	check(t, []situated{
		{"while nothing is needed, nothing is said", func(_ *Policy, o *Observation) { o.Overridden = true }, held(ReasonNormal)},
		{"not even an OOM kill starts a fight", func(_ *Policy, o *Observation) {
			o.Overridden, o.OOMKilledAt = true, noon
		}, held(ReasonOverridden)},
	})
}

func TestAPromisedRateDoesNotWaitForTheCooldown(t *testing.T) {
	// 384Mi at 256Mi a second: 300Mi are full after 328 ms.
	promised := func(left time.Duration, more ...func(*Observation)) func(*Policy, *Observation) {
		return func(p *Policy, o *Observation) {
			p.Cooldown, o.LastChange, o.Rate = time.Minute, noon.Add(left-time.Minute), 256*mebibyte
			o.Sample.Bytes = 300 * mebibyte
			for _, change := range more {
				change(o)
			}
		}
	}
	underWay := func(o *Observation) { o.Resize = Resize{State: ResizeInProgress, Since: noon, Actual: mi(128, 192)} }
	check(t, []situated{
		{"it cannot be full before the cooldown is over", promised(328 * time.Millisecond), held(ReasonCooldown)},
		{"it can", promised(329 * time.Millisecond), raised(ReasonAboveThreshold, 512, 768)},
		{"what was measured a while ago may be more by now", promised(300*time.Millisecond, func(o *Observation) {
			o.Sample.Time = noon.Add(-30 * time.Millisecond)
		}), raised(ReasonAboveThreshold, 512, 768)},
		{"nothing is promised", promised(time.Minute, func(o *Observation) { o.Rate = 0 }), held(ReasonCooldown)},
		{"a restart would help nobody", promised(time.Minute, func(o *Observation) { o.Disruptive = true }), held(ReasonCooldown)},
		{"use that may go anywhere, but is below the threshold", promised(time.Minute, func(o *Observation) {
			o.Sample.Bytes = 280 * mebibyte
		}), held(ReasonNormal)},
		{"a resize that is under way is enough", promised(time.Minute, underWay, func(o *Observation) {
			o.Sample.Bytes = 280 * mebibyte
		}), held(ReasonResizeInProgress)},
		{"one that is under way is not enough", promised(time.Minute, underWay), raised(ReasonAboveThreshold, 512, 768)},
		{"nor does it wait where nothing is promised", promised(0, underWay, func(o *Observation) { o.Rate = 0 }),
			held(ReasonResizeInProgress)},
	})
}
