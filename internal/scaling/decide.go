// Package scaling decides whether a container's memory is raised, and to what. It is pure: it knows no client, no
// clock and no API type, so that every rule can be tested, replayed and benchmarked as plain arithmetic.
package scaling

import "time"

// Policy is what the user asked for, for one container.
type Policy struct {
	// Threshold is the fraction of the limit at which memory is raised, in (0, 1].
	Threshold float64
	// Multiplier is the factor of one raise, greater than 1.
	Multiplier float64
	// MaxSampleAge is the greatest age at which a sample is still acted on.
	MaxSampleAge time.Duration
}

// Memory is a container's memory request and limit in bytes; zero means none.
type Memory struct {
	Request int64
	Limit   int64
}

// Sample is one measurement of a container's memory use.
type Sample struct {
	// Bytes in use.
	Bytes int64
	// Time of the measurement itself, not of the request for it. Zero means that there is no sample.
	Time time.Time
}

// Observation is what is known of one container when it is decided upon.
type Observation struct {
	// Size is what the container runs with.
	Size Memory
	// Sample is the newest measurement since the container started.
	Sample Sample
	// Paused is true when the user stopped all action on the workload or its AppMonitor.
	Paused bool
	// RolloutInProgress is true while the workload is about to replace the container by a larger one. A rollout that
	// leaves the size as it is does not count: waiting for it would not help.
	RolloutInProgress bool
	// RolloutStuck is true when the workload has given up replacing the container by a larger one.
	RolloutStuck bool
	// Resizable is true when there is a way to give the container another size.
	Resizable bool
}

// Action is what is to be done.
type Action string

// The actions that a Decision can ask for.
const (
	Hold  Action = "Hold"
	Raise Action = "Raise"
)

// Decision is what is to be done with one container, and why.
type Decision struct {
	Action Action
	Reason Reason
	// Target is the size to give to the container; the present one unless Action is Raise.
	Target Memory
}

// Decide looks at one container. The first case that applies decides:
//
//  0. a policy that makes no sense, or a pause: hold
//  1. no memory limit: hold, NoLimit
//  2. no sample, or only an old one: hold, StaleSample
//  3. a larger size is already on its way: hold, RolloutInProgress; or does not get through: hold, RolloutStuck
//  6. use at or above threshold × limit: raise, AboveThreshold
//  9. otherwise: hold, Normal
//
// The numbers are those of the complete list of rules; those that are missing here are not implemented yet.
func Decide(p Policy, o Observation, now time.Time) Decision {
	switch {
	case !p.valid():
		return hold(o, ReasonInvalidPolicy)
	case o.Paused:
		return hold(o, ReasonPaused)
	case o.Size.Limit <= 0:
		return hold(o, ReasonNoLimit)
	case o.Sample.stale(now, p.MaxSampleAge):
		return hold(o, ReasonStaleSample)
	case o.RolloutInProgress:
		return hold(o, ReasonRolloutInProgress)
	case o.RolloutStuck:
		return hold(o, ReasonRolloutStuck)
	case p.reached(o.Sample.Bytes, o.Size.Limit):
		return raise(p, o, ReasonAboveThreshold)
	default:
		return hold(o, ReasonNormal)
	}
}

func hold(o Observation, why Reason) Decision {
	return Decision{Action: Hold, Reason: why, Target: o.Size}
}

// raise asks for the larger size, unless nothing can give it.
func raise(p Policy, o Observation, why Reason) Decision {
	if !o.Resizable {
		return hold(o, ReasonUnsupportedOwner)
	}
	target := p.grow(o.Size, o.Sample.Bytes)
	if target.Limit <= o.Size.Limit {
		return hold(o, ReasonAtMaximum)
	}
	return Decision{Action: Raise, Reason: why, Target: target}
}

// stale is true when there is nothing recent enough to act on. A sample from the future (clocks of nodes differ) is
// as good as one of now.
func (s Sample) stale(now time.Time, bound time.Duration) bool {
	return s.Time.IsZero() || s.Bytes < 0 || now.Sub(s.Time) > bound
}
