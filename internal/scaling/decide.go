// Package scaling decides whether a container's memory is raised or lowered, and to what. It is pure: it knows no
// client, no clock and no API type, so that every rule can be tested, replayed and benchmarked as plain arithmetic.
package scaling

import "time"

// Action is what is to be done.
type Action string

// The actions that a Decision can ask for.
const (
	Hold     Action = "Hold"
	Raise    Action = "Raise"
	Lower    Action = "Lower"
	Rollback Action = "Rollback"
)

// Actions lists all of them.
func Actions() []Action { return []Action{Hold, Raise, Lower, Rollback} }

// Decision is what is to be done with one container, and why.
type Decision struct {
	Action Action
	Reason Reason
	// Target is the size to give to the container; the present one when Action is Hold.
	Target Memory
	// Means of the change; empty for a hold.
	Means Means
	// LimitedBy is the bound that a raise was cut to; empty when it was not.
	LimitedBy Reason
	// Instead is why a gentler means than this one was refused; empty when it was the gentlest.
	Instead Reason
}

// Decide looks at one container. The first case that applies decides:
//
//	   a policy that makes no sense, a pause, a container that is disabled: hold, InvalidPolicy, Paused, Disabled
//	1. no memory limit: hold, NoLimit
//	2. a resize in place that does not come true: withdraw it, ResizeInfeasible or NodeFull
//	3. another size is on its way: hold, RolloutInProgress or ResizeInProgress, unless a resize is too small to last;
//	   or it does not get through: back to the size before, RolloutStuck, and hold when that was done
//	4. the workload's durable size is larger: raise to it in place, CatchUp
//	5. OOM-killed since the last change: raise, OOMKilled
//	6. no sample, or only an old one: hold, StaleSample
//	7. use at or above threshold × limit: raise, AboveThreshold
//	8. use that grows and would reach the limit before the next decision could help: raise, ForecastOOM
//	9. use that has been far below the limit for long: lower, Idle
//	10. otherwise: hold, Normal
//
// A raise is held when nothing can give another size (the obstacle), when somebody else put the last one back
// (Overridden), while other replicas are replaced (RolloutInProgress; neither an OOM kill waits, nor what is resized in
// place), within the cooldown (Cooldown; neither an OOM kill waits, nor a forecast that can be answered without a restart, nor
// what could be killed meanwhile at the rate that is promised to be survived),
// when there were too many (GrowthBudgetExhausted), and when no useful step is left below a ceiling (AtMaximum,
// AtLimitRange, QuotaExceeded, NodeFull). Where the gentlest way is refused for good, the next one is tried: in place, in
// place and a part of it, by rollout.
//
// An OOM kill and a larger durable size come before the question for a sample, because a container in a crash loop, or
// one that has just started, has none.
func Decide(p Policy, o Observation, now time.Time) Decision {
	d := decide(p, o, now)
	if d.refused() && o.Fallback.Means != "" {
		return otherwise(p, o, now, d)
	}
	return d
}

// decide looks at one way only.
func decide(p Policy, o Observation, now time.Time) Decision {
	switch {
	case !p.valid():
		return hold(o, ReasonInvalidPolicy)
	case o.Paused:
		return hold(o, ReasonPaused)
	case p.Disabled:
		return hold(o, ReasonDisabled)
	case o.Size.Limit <= 0:
		return hold(o, ReasonNoLimit)
	}
	if withdrawn, fails := o.Resize.withdrawal(now); fails {
		if o.RaisesOnly {
			return o.stranded(p, now, withdrawn.Reason)
		}
		return withdrawn
	}
	switch {
	case o.RolloutInProgress && o.Disruptive:
		return hold(o, ReasonRolloutInProgress)
	case o.RolloutStuck && (o.Disruptive || o.Previous.Limit > 0):
		return goBack(o)
	case o.Resize.State != ResizeSettled && !o.urgent(p, now):
		return hold(o, ReasonResizeInProgress)
	}
	if d, behind := catchUp(p, o); behind {
		return d
	}
	if o.oomKilled(now) {
		return raise(p, o, now, o.Size.Limit, ReasonOOMKilled, true)
	}
	return decideByUse(p, o, now)
}

// stranded holds a container of which a resize does not come true, and cannot be withdrawn: nothing in place can help any more. Only
// where it needs more than it has that is a refusal.
func (o Observation) stranded(p Policy, now time.Time, why Reason) Decision {
	if o.oomKilled(now) || !o.Sample.stale(now, p.MaxSampleAge) && p.reached(o.Sample.Bytes, o.Resize.Actual.Limit) {
		return hold(o, why)
	}
	return hold(o, ReasonResizeInProgress)
}

// decideByUse are the cases that take a sample.
func decideByUse(p Policy, o Observation, now time.Time) Decision {
	if o.Sample.stale(now, p.MaxSampleAge) {
		return hold(o, ReasonStaleSample)
	}
	need := o.Sample.Bytes
	runsOut := o.runsOut(p, now)
	if runsOut {
		// A forecast says that the limit is not enough, not how much is: growth ends somewhere.
		need = max(need, o.Size.Limit)
	}
	if p.reached(o.Sample.Bytes, o.Size.Limit) {
		return raise(p, o, now, need, ReasonAboveThreshold, (runsOut || o.outruns(p.Cooldown, now)) && !o.Disruptive)
	}
	if runsOut {
		return raise(p, o, now, need, ReasonForecastOOM, !o.Disruptive)
	}
	if target, idle := o.idle(p, now); idle {
		return Decision{Action: Lower, Reason: ReasonIdle, Target: target, Means: o.Means}
	}
	return hold(o, ReasonNormal)
}

func hold(o Observation, why Reason) Decision {
	return Decision{Action: Hold, Reason: why, Target: o.Size}
}

// goBack gives up a size that does not get through, once.
func goBack(o Observation) Decision {
	if o.Previous.Limit <= 0 {
		return hold(o, ReasonRolloutStuck)
	}
	return Decision{Action: Rollback, Reason: ReasonRolloutStuck, Means: Rollout, Target: o.Previous}
}

// urgent is true when the size that is on its way must not be waited for. One that finds no room would not be found any
// for even more.
func (o Observation) urgent(p Policy, now time.Time) bool {
	underWay := o.Resize.State == ResizeInProgress || o.Resize.State == ResizeFailing
	if o.Disruptive || !underWay || o.Sample.stale(now, p.MaxSampleAge) {
		return false
	}
	return o.runsOut(p, now) || o.Rate > 0 && p.reached(o.Sample.Bytes, o.Size.Limit)
}

// raise asks for the size that the need in bytes is below the threshold of, as far as that can be had. What is urgent
// does not wait for the cooldown.
func raise(p Policy, o Observation, now time.Time, need int64, why Reason, urgent bool) Decision {
	var budget int64
	if p.Budget.spent(o, now) {
		budget = max(o.Peak.Limit, o.Size.Limit)
	}
	switch {
	case o.Obstacle != "":
		return hold(o, o.Obstacle)
	case o.Overridden:
		return hold(o, ReasonOverridden)
	case o.Busy && o.Disruptive && why != ReasonOOMKilled:
		return hold(o, ReasonRolloutInProgress)
	case !urgent && o.cooling(now, p.Cooldown):
		return hold(o, ReasonCooldown)
	}
	if !o.Sample.stale(now, p.MaxSampleAge) {
		need = max(need, o.Sample.Bytes)
	}
	wanted := p.wanted(o, need)
	d := cutRaise(p, o, wanted, budget, why)
	if d.Reason == ReasonNodeFull && why == ReasonOOMKilled && o.Disruptive {
		// There is nothing to lose, and a cluster that adds nodes does so for Pods that find no place.
		o.Bounds.Node.Request = 0
		d = cutRaise(p, o, wanted, budget, why)
	}
	if d.Action == Raise && o.Disruptive && o.stuckBefore(d.Target, now) {
		return hold(o, ReasonRolloutStuck)
	}
	return d
}

// wanted is the size that the need in bytes is below the threshold of. A rollout replaces all replicas, and leaves none with less
// than they are meant to have.
func (p Policy) wanted(o Observation, need int64) Memory {
	wanted := p.grow(o.Size, need)
	if o.Means == Rollout && o.Durable.Limit > wanted.Limit {
		wanted = o.meant()
	}
	return wanted
}

// meant is the durable size, as the container can have it: with no smaller request, and with none where there is none.
func (o Observation) meant() Memory {
	meant := o.Durable.like(o.Size)
	meant.Request = max(meant.Request, o.Size.Request)
	if o.Size.Request == 0 {
		meant.Request = 0
	}
	return meant
}

// catchUp asks for the size that the workload's replicas are meant to have, and whether that is more than the container
// has. It is no growth of its own: neither cooldown nor budget apply. Nor is it need: it is worth no restart, and what
// cannot be had is not missed before it is needed.
func catchUp(p Policy, o Observation) (Decision, bool) {
	if o.Durable.Limit <= o.Size.Limit || o.Disruptive || o.Obstacle != "" || o.Overridden {
		return Decision{}, false
	}
	d := cutRaise(p, o, o.meant(), 0, ReasonCatchUp)
	return d, d.Action == Raise
}

// cutRaise asks for as much of the wanted size as the bounds allow, if that is worth it. A budget that is spent allows no
// more than some limit; zero means that there is something left of it.
func cutRaise(p Policy, o Observation, wanted Memory, budget int64, why Reason) Decision {
	target, bound := o.cut(wanted, p.MaxLimit, budget)
	switch {
	case bound != "" && !p.useful(target, o.Size):
		return hold(o, bound)
	case target.Limit <= o.Size.Limit:
		return hold(o, ReasonAtMaximum) // the largest size that there is
	default:
		return Decision{Action: Raise, Reason: why, Target: target, Means: o.Means, LimitedBy: bound}
	}
}
