package controllers

import (
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubedemo/memhog-operator/internal/policies"
	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// recoveryTime is how long after an OOM kill was answered in place another one counts as its repetition.
const recoveryTime = 10 * time.Minute

// slot is one container of one Pod.
type slot struct {
	pod       types.UID
	container string
}

// resizes is what is remembered of resizes in place. All of it may be lost at a restart: what is under way is seen again, and
// what was refused is tried once more.
type resizes map[slot]*resizing

// resizing is what is remembered of the resizes of one container.
type resizing struct {
	// first is the size that the container had when it was first seen, has what it has now, and told what was last told of.
	first, has, told scaling.Memory
	// state of the resize that is under way, and since when it is in that state.
	state workload.ResizeState
	since time.Time
	// asked is the decision to a size that was asked for and is not through yet; nil when there is none.
	asked *decision
	// given is the largest size that the operator asked for, or an agent gave.
	given scaling.Memory
	// changedAt is when this process last asked for another size, and before when the container had been resized before that;
	// withdrawn is true when that came to nothing.
	changedAt, before time.Time
	withdrawn         bool
	// limit that it was meant to have at the last look, and podAt when it was given that, by its Pod.
	limit int64
	podAt time.Time
	// gotAt is when it was given what it has, as far as that was seen: not what it was asked to have since, and may never get.
	gotAt time.Time
	// grewAt is when the last raise was seen to have come true.
	grewAt time.Time
	// refused is what could not be had lately.
	refused scaling.Refused
	// rescue is the latest answer to an OOM kill.
	rescue rescue
}

// rescue is an answer to an OOM kill in place: when the kill was, by the node's clock, and the limit that was too small; when
// it was answered, and the most that was seen in use since.
type rescue struct {
	killed time.Time
	limit  int64
	at     time.Time
	peak   int64
}

// of returns what is remembered of a container.
func (r resizes) of(s slot) *resizing {
	if r[s] == nil {
		r[s] = &resizing{}
	}
	return r[s]
}

// keepOnly forgets containers that are gone.
func (r resizes) keepOnly(containers []container) {
	there := map[slot]bool{}
	for _, c := range containers {
		there[c.slot()] = true
	}
	maps.DeleteFunc(r, func(s slot, _ *resizing) bool { return !there[s] })
}

// follow notes what the kubelet says of the container, and returns the resize that is not through, as decisions see it.
func (z *resizing) follow(pod *corev1.Pod, spec corev1.Container, sample scaling.Sample, now time.Time) scaling.Resize {
	if z.asked != nil && z.asked.Target.Limit != workload.SizeOf(spec.Resources).Limit {
		if z.asked.pod.Generation != 0 && pod.Generation <= z.asked.pod.Generation {
			// The Pod is seen as it was before it was asked for.
			return scaling.Resize{State: policies.ResizeStates[z.state], Since: z.since, Actual: z.has}
		}
		z.asked = nil // somebody else has given it another size since
	}
	state, actual := workload.ResizeOf(pod, spec)
	if state != z.state || z.since.IsZero() {
		z.state, z.since = state, now
	}
	before := z.has
	if z.has = scaling.Memory(actual); before.Limit > 0 && z.has.Limit > before.Limit {
		z.grewAt = now // whoever asked for it
	}
	if z.first == (scaling.Memory{}) {
		z.first = z.has
	}
	if sample.Time.After(z.rescue.at) {
		z.rescue.peak = max(z.rescue.peak, sample.Bytes)
	}
	if state != workload.ResizeSettled {
		return scaling.Resize{State: policies.ResizeStates[state], Since: z.since, Actual: z.has}
	}
	return scaling.Resize{}
}

// resizedAt is when the operator or an agent of it last resized the container for good; zero when somebody else did since. Its Pod
// has one time for all of its containers that either of them resized: a later one is this container's where its limit is another
// one than it was at the last look. What was withdrawn is no change.
func (z *resizing) resizedAt(pod time.Time, resizer workload.Resizer, limit int64) time.Time {
	if limit != z.limit {
		z.limit, z.podAt = limit, pod
	}
	switch {
	case !resizer.Ours():
		return time.Time{}
	case resizer == workload.AgentResized && !z.podAt.Before(z.changedAt.Truncate(time.Second)):
		return z.podAt // since this process resized it, or withdrew what it had asked for
	case z.withdrawn:
		return z.before
	case !z.changedAt.IsZero():
		return z.changedAt
	default:
		return z.podAt
	}
}

// keep notes when the container was resized, if what it was given then has come true.
func (z *resizing) keep(resizedAt, now time.Time) {
	if z.state == workload.ResizeSettled || z.grewAt.Equal(now) {
		z.gotAt = resizedAt
	}
}

// waits notes that the container's Pod finds no node.
func (z *resizing) waits(now time.Time) {
	if z.state != workload.ResizeDeferred {
		z.state, z.since = workload.ResizeDeferred, now
	}
}

// completed returns the decision that came true, once: the container has the size that was asked for.
func (z *resizing) completed() *decision {
	if z.asked == nil || z.state != workload.ResizeSettled {
		return nil
	}
	done := z.asked
	z.asked, z.told = nil, z.has
	if done.Action == scaling.Raise {
		z.refused.Given()
	}
	return done
}

// ask notes that the API server has accepted a decision.
func (z *resizing) ask(d decision, now time.Time) {
	switch {
	case d.Action == scaling.Rollback:
		if d.observed.Size.Limit > d.Target.Limit {
			z.refused.Note(d.observed.Size, d.Reason, now) // a raise; what cannot be lowered may be raised all the same
		}
		z.given, z.rescue = d.Target, rescue{}
	case d.Action == scaling.Raise && d.Target.Limit > z.given.Limit, d.Action == scaling.Lower:
		z.given = d.Target
	}
	if d.Action == scaling.Raise && d.Reason == scaling.ReasonOOMKilled {
		z.rescue = rescue{killed: d.observed.OOMKilledAt, limit: d.observed.Size.Limit, at: now}
	}
	switch {
	case d.Action != scaling.Rollback:
		z.before = d.resizedAt
	case z.asked == nil:
		z.before = z.gotAt // what is withdrawn an agent has asked for
	}
	z.limit = d.Target.Limit
	z.withdrawn, z.changedAt = d.Action == scaling.Rollback, now
	d.listed, d.askedAt = true, now
	z.asked, z.state, z.since = &d, workload.ResizeInProgress, now
}

// unrecovered is true when the container was OOM-killed again after it was given more in place for that, and was never seen
// to use any of it.
func (z *resizing) unrecovered(killed time.Time) bool {
	return !z.rescue.at.IsZero() && killed.After(z.rescue.at) && killed.Sub(z.rescue.at) < recoveryTime &&
		z.rescue.peak <= z.rescue.limit
}

// hasOr returns the size that the container has, by its kubelet, or another one where that is not known.
func (z *resizing) hasOr(size scaling.Memory) scaling.Memory {
	if z.has == (scaling.Memory{}) {
		return size
	}
	return z.has
}
