package scaling

import "time"

// Means is how a container is given another size.
type Means string

const (
	// InPlace resizes the running container; nothing is restarted.
	InPlace Means = "InPlace"
	// Restart resizes the container in its Pod, which restarts the container because its resizePolicy says so.
	Restart Means = "Restart"
	// Rollout changes the workload's template, which replaces its Pods.
	Rollout Means = "Rollout"
)

// Way is one way to another size, and what stands in it.
type Way struct {
	// Means of the change.
	Means Means
	// Disruptive is true when a change this way costs a restart.
	Disruptive bool
	// Obstacle says why this way cannot be taken; empty when it can.
	Obstacle Reason
	// RaisesOnly is true when memory can be given this way, and not be taken back: by an API server that lowers nothing, or because
	// the resize that is under way is somebody else's.
	RaisesOnly bool
	// Foreseen is true when somebody else foresees what happens this way, and knows more: then no forecast is made for it here.
	Foreseen bool
	// LastChange is when the operator last changed what this way changes: the Pod, or the workload. Zero when it never did.
	LastChange time.Time
	// Reaction is the time from one decision to the effect of the next: one tick, and what a change takes.
	Reaction time.Duration
	// Bounds of what can be given.
	Bounds Bounds
	// Refused is a size that was lately refused, for RefusedFor: by a kubelet that has no room for it, say. Zero when none
	// was.
	Refused    Memory
	RefusedFor Reason
}

// halfway is the bound that a refused size makes: where nobody knows how much there is, halving finds out. 384Mi that were
// refused 768Mi try 576Mi, and then, refused again, 480Mi, until the next step gains too little.
func (w Way) halfway(size Memory) Memory {
	if w.Refused.Limit <= size.Limit {
		return Memory{}
	}
	return Memory{Limit: size.Limit + (w.Refused.Limit-size.Limit)/2}
}

// refused is true for a decision that need cannot be met this way, however long it waits. There may be another way.
func (d Decision) refused() bool {
	if d.Action != Hold {
		return false
	}
	switch d.Reason {
	case ReasonInPlaceUnavailable, ReasonResizeInfeasible, ReasonRecoveryFailed, ReasonNodeFull:
		return true
	default:
		return false
	}
}

// passes is true for a hold that ends by itself.
func (d Decision) passes() bool {
	return d.Reason == ReasonRolloutInProgress || d.Reason == ReasonResizeInProgress || d.Reason == ReasonCooldown
}

// otherwise decides again with the rougher way, when the gentler one is refused. A refusal of both is told with the first
// one's reason, unless the second has only to be waited for.
func otherwise(p Policy, o Observation, now time.Time, gentler Decision) Decision {
	o.Way, o.Fallback = o.Fallback, Way{}
	if _, fails := o.Resize.withdrawal(now); fails {
		o.Size, o.Resize = o.Resize.Actual, Resize{}
	}
	rougher := decide(p, o, now)
	switch {
	case rougher.Action == Raise:
		rougher.Instead = gentler.Reason
		return rougher
	case rougher.Action == Hold && rougher.passes():
		return rougher
	default:
		return gentler
	}
}
