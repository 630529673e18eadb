package scaling

import "time"

const (
	// oomKillFades is how long an OOM kill asks for a raise: one of last week, survived since, does not.
	oomKillFades = time.Hour

	// lowerAfterOOMKill is how long after an OOM kill memory is not lowered.
	lowerAfterOOMKill = 24 * time.Hour

	// stuckFades is how long a size is not tried again whose rollout was rolled back. A full cluster may have room then.
	stuckFades = time.Hour
)

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

// Bounds are the largest sizes that the world allows one container to have; zero means no bound. A bound below the
// present size allows no more than that.
type Bounds struct {
	// LimitRange of the namespace.
	LimitRange Memory
	// Quota is what the namespace's ResourceQuotas leave.
	Quota Memory
	// Node is what the nodes can still give: that of the Pod in place, any for a rollout.
	Node Memory
}

// Observation is what is known of one container when it is decided upon.
type Observation struct {
	// Way to another size, the gentlest that there is.
	Way
	// Fallback is the way to take where the gentlest one is refused; without Means there is none.
	Fallback Way

	// Size is what the container is meant to have: with a resize on its way, what it is about to have.
	Size Memory
	// Declared is the size that the user gave the workload, below which memory is never lowered; zero when nothing has
	// changed it since.
	Declared Memory
	// Durable is the size that all of the workload's replicas are meant to have; zero when it is that of the container.
	Durable Memory
	// Peak is the largest size that any of the workload's replicas was given. The growth budget is spent on what goes beyond
	// it; zero when none was given more.
	Peak Memory
	// Sample is the newest measurement since the container started.
	Sample Sample
	// History of the measurements since the container started; nil when there is none.
	History *History
	// OOMKilledAt is when the kernel last killed the container for want of memory, and OOMAnswered the latest kill that a change
	// was the answer to: of the container where it is resized in place, of any replica where all are rolled out. Zero when
	// there is none. Both are by the clocks of nodes.
	OOMKilledAt, OOMAnswered time.Time
	// ReplicaOOMKilledAt is the latest kill that is known of any of the workload's replicas.
	ReplicaOOMKilledAt time.Time
	// Raises are the times of the workload's raises since use last levelled off, oldest first.
	Raises []time.Time

	// Rate is how fast use may grow from now on, in bytes per second, without the container being killed: what has reached the
	// threshold does not wait for a cooldown during which it could reach the limit. Zero where no rate is promised.
	Rate int64

	// Paused is true when the user stopped all action on the workload or its AppMonitor.
	Paused bool
	// RolloutInProgress is true while the workload is about to replace the container by one of another size. A rollout
	// that leaves the size as it is does not count: waiting for it would not help. What can be resized in place is not made
	// to wait for a rollout.
	RolloutInProgress bool
	// Busy is true while a change of the operator's replaces other Pods of the workload.
	Busy bool
	// RolloutStuck is true when the workload has given up replacing the container by a larger one.
	RolloutStuck bool
	// Previous is the size to go back to when the rollout is stuck; zero when there is none, or it was gone back before.
	Previous Memory
	// StuckSize is the size whose rollout was rolled back at StuckAt; zero when none was.
	StuckSize Memory
	StuckAt   time.Time
	// Resize in place that is not through.
	Resize Resize
	// Overridden is true when somebody else put back the size that the operator had changed.
	Overridden bool
}

// stale is true when there is nothing recent enough to act on. A sample from the future (clocks of nodes differ) is
// as good as one of now.
func (s Sample) stale(now time.Time, bound time.Duration) bool {
	return s.Time.IsZero() || s.Bytes < 0 || now.Sub(s.Time) > bound
}

// oomKilled is true when the kernel killed the container lately, and nothing was done about it since.
func (o Observation) oomKilled(now time.Time) bool {
	return o.OOMKilledAt.After(o.OOMAnswered) && now.Sub(o.OOMKilledAt) < oomKillFades
}

// lastOOMKill is the latest that is known of, of the container, of another replica, or of one that it took the place of.
func (o Observation) lastOOMKill() time.Time {
	last := o.OOMKilledAt
	for _, other := range []time.Time{o.OOMAnswered, o.ReplicaOOMKilledAt} {
		if other.After(last) {
			last = other
		}
	}
	return last
}

// cooling is true for so long after the last change. Clocks differ: one that lies ahead counts like one that lies back.
func (w Way) cooling(now time.Time, cooldown time.Duration) bool {
	return !w.LastChange.IsZero() && now.Sub(w.LastChange).Abs() < cooldown
}

// stuckBefore is true for a size of which, or of less, a rollout got stuck lately.
func (o Observation) stuckBefore(size Memory, now time.Time) bool {
	return size.Limit >= o.StuckSize.Limit && now.Sub(o.StuckAt) < stuckFades
}
