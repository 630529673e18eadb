package controllers

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubedemo/memhog-operator/internal/policies"
	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/usage"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// container is one container of one Pod, and what it is decided upon.
type container struct {
	name string
	pod  *corev1.Pod
	owner
	// record of what was changed of the container; empty when nothing was that still counts.
	record workload.Record
	// resizing is what is remembered of its resizes, resizer is who last resized it in place, and resizedAt when; zero when that was
	// neither the operator nor an agent of it.
	resizing  *resizing
	resizer   workload.Resizer
	resizedAt time.Time
	policy    scaling.Policy
	observed  scaling.Observation
	// heap is the argument that fixes the size of the program's heap; empty when there is none.
	heap string
}

// container observes one container of a running Pod.
func (o *observer) container(pod *corev1.Pod, owner owner, c corev1.Container) (container, error) {
	seen := container{
		name: c.Name, pod: pod, owner: owner, policy: policies.Of(o.monitor, c.Name, o.MaxSampleAge), heap: workload.FixedHeap(c),
	}
	seen.resizing = o.page.resizes.of(seen.slot())
	resizer, at, err := workload.ResizedBy(pod, c.Name)
	if err != nil {
		return container{}, err
	}
	seen.resizer, seen.resizedAt = resizer, seen.resizing.resizedAt(at, resizer, workload.SizeOf(c.Resources).Limit)
	owner.Saw(c.Name)
	sample := o.sampleOf(pod, c.Name)
	seen.observed = scaling.Observation{
		Size:        scaling.Memory(workload.SizeOf(c.Resources)),
		Sample:      sample,
		OOMKilledAt: workload.OOMKilledAt(pod, c.Name),
		Paused:      o.paused(pod, owner),
		Resize:      seen.resizing.follow(pod, c, sample, o.now),
		Durable:     scaling.Memory(owner.learned(c.Name)),
	}
	seen.resizing.keep(seen.resizedAt, o.now)
	seen.observeWorkload(c)
	o.ladder(&seen, c)
	if !resizer.Ours() && seen.observed.Resize.State != scaling.ResizeSettled {
		seen.observed.RaisesOnly = true // what somebody else asked for is his to take back
	}
	seen.observeInPlace()
	seen.observeKills()
	if owner.Stopped && seen.observed.Means == scaling.Rollout {
		seen.observed.Paused = true
	}
	if process := seen.process(); !process.started.IsZero() {
		seen.observed.History = o.page.trends.add(process, seen.observed.Sample, seen.policy.LowerAfter)
	}
	return seen, nil
}

// observeWorkload adds what the workload tells of the container: how its rollouts stand, and what was changed of it.
func (c *container) observeWorkload(spec corev1.Container) {
	o := &c.observed
	rollout := c.RolloutOf(spec, c.durable(c.name), c.revision)
	o.Overridden = rollout == workload.RolloutBypassed
	o.RolloutInProgress = rollout == workload.RolloutInProgress || c.behind
	o.RolloutStuck = rollout == workload.RolloutStuck
	o.Busy = c.busy
	record, known := c.records[c.name]
	if !known {
		return
	}
	switch record.Standing(c.Workload, c.name, workload.SetOf(c.pod)) {
	case workload.Kept:
		if o.RolloutStuck && !record.InPlace {
			o.Previous = scaling.Memory(record.Previous)
		}
	case workload.TakenBack:
		o.Overridden = true
		// While Pods are still replaced, this may be an old one that lingers.
		o.RolloutInProgress = o.RolloutInProgress || c.RollingOut
	default:
		return
	}
	c.record = record
	o.Declared, o.Peak, o.Raises = scaling.Memory(record.Declared), scaling.Memory(record.Given), record.Raises
	o.StuckSize, o.StuckAt = scaling.Memory(record.Stuck.Size), record.Stuck.At
	o.ReplicaOOMKilledAt = record.OOMKilledAt
}

// observeKills finds out which OOM kill was answered. A rollout answers those of all replicas. In place, what one replica was given
// helps no other; a Pod that was raised after a kill, or while it was being raised, was raised enough for that, also when nobody
// got around to recording it.
func (c *container) observeKills() {
	o := &c.observed
	if recorded := o.ReplicaOOMKilledAt; o.Means == scaling.Rollout || recorded.Equal(o.OOMKilledAt) {
		o.OOMAnswered = recorded
	}
	if raised := c.raisedAt(); !raised.IsZero() && !o.OOMKilledAt.After(raised) && o.OOMKilledAt.After(o.OOMAnswered) {
		o.OOMAnswered = o.OOMKilledAt
	}
	if killed := c.resizing.rescue.killed; killed.After(o.OOMAnswered) {
		o.OOMAnswered = killed // whatever the node's clock says
	}
}

// raisedAt is when the container was last resized in place: when that was seen to have come true, if it was, else when it was asked.
func (c *container) raisedAt() time.Time {
	if c.resizing.grewAt.After(c.resizedAt) {
		return c.resizing.grewAt
	}
	return c.resizedAt
}

// observeInPlace adds what resizes in place tell. What somebody else resized to less than the operator gave, or an agent of it, is
// not fought for.
func (c *container) observeInPlace() {
	o, z := &c.observed, c.resizing
	switch {
	case c.resizer == workload.AgentResized && z.asked == nil && z.has.Limit > z.given.Limit:
		z.given = z.has
	case c.resizer == workload.OtherResized:
		given := max(z.given.Limit, c.record.Durable.Limit)
		o.Overridden = o.Overridden || o.Size.Limit < given
	}
	if declared := scaling.Memory(c.Declared(c.name)); o.Declared.Limit > 0 &&
		(c.record.InPlace && c.Template != nil || o.Means != scaling.Rollout && declared.Limit > o.Declared.Limit) {
		// New Pods have at least what the template says, and lowering below that would not last.
		o.Declared = declared
	}
}

// unannounced is a raise in place that was not announced: the operator was restarted since, or another process of it made the
// raise.
func (c *container) unannounced() (decision, bool) {
	z := c.resizing
	before := z.told
	if before == (scaling.Memory{}) {
		before = scaling.Memory(c.record.Given)
		if before == (scaling.Memory{}) {
			before = scaling.Memory(c.Declared(c.name))
		}
	}
	if z.state != workload.ResizeSettled || z.asked != nil {
		return decision{}, false
	}
	z.told = z.has
	if c.resizedAt.IsZero() || before.Limit <= 0 || z.has.Limit <= before.Limit {
		return decision{}, false
	}
	found := decision{container: *c, Decision: scaling.Decision{
		Action: scaling.Raise, Reason: scaling.ReasonAboveThreshold, Means: scaling.InPlace, Target: z.has,
	}}
	switch {
	case c.resizer == workload.AgentResized:
		// It was in use: agents answer no kill, and do not know what the workload has learned.
	case !c.observed.OOMKilledAt.IsZero() && c.resizedAt.Sub(c.observed.OOMKilledAt).Abs() < recoveryTime:
		found.Reason = scaling.ReasonOOMKilled
	case z.has.Limit <= c.learned(c.name).Limit:
		found.Reason = scaling.ReasonCatchUp
	}
	found.observed.Size = before
	found.observed.Sample = scaling.Sample{} // what it was decided upon is not known here
	return found, true
}

// grown is what the container was given in place, once it has it; false when that is nothing.
func (c *container) grown() (workload.Grown, bool) {
	if c.resizedAt.IsZero() || c.resizing.state != workload.ResizeSettled {
		return workload.Grown{}, false
	}
	g := workload.Grown{
		From: workload.Size(c.resizing.first), Size: workload.Size(c.resizing.has), At: c.resizedAt,
		OOMKilledAt: c.resizing.rescue.killed,
	}
	if killed := c.observed.OOMKilledAt; !killed.After(c.raisedAt()) && killed.After(g.OOMKilledAt) {
		g.OOMKilledAt = killed
	}
	return g, true
}

func (c *container) process() process {
	return process{pod: c.pod.UID, container: c.name, started: workload.StartOf(c.pod, c.name)}
}

func (c *container) slot() slot { return slot{pod: c.pod.UID, container: c.name} }

func (c *container) place() place { return place{workload: c.GetUID(), container: c.name} }

// subject is the object that a user looks at to learn what became of the container.
func (c *container) subject() client.Object { return c.Object }

// sampleOf returns the container's newest sample, unless the container does not run or has started since: then the
// sample is of another process, and an OOM-killed one would be raised for its predecessor's use. A whole Pod uses what its
// containers do together, as far back as the oldest of their samples.
func (r *AppMonitorReconciler) sampleOf(pod *corev1.Pod, name string) scaling.Sample {
	if name != workload.WholePod {
		return r.sampleOfOne(pod, name)
	}
	var sum scaling.Sample
	for i, s := range workload.Statuses(pod) {
		one := r.sampleOfOne(pod, s.Name)
		switch {
		case s.State.Running == nil: // an init container that is over, or one that waits
			continue
		case one.Time.IsZero():
			return scaling.Sample{}
		case i == 0 || sum.Time.IsZero() || one.Time.Before(sum.Time):
			sum.Time = one.Time
		}
		sum.Bytes += one.Bytes
	}
	return sum
}

func (r *AppMonitorReconciler) sampleOfOne(pod *corev1.Pod, name string) scaling.Sample {
	sample, ok := r.Samples.Newest(usage.Container{Namespace: pod.Namespace, Pod: pod.Name, Name: name})
	started := workload.StartOf(pod, name)
	if !ok || started.IsZero() || sample.Time.Before(started) {
		return scaling.Sample{}
	}
	return scaling.Sample(sample)
}

// called is what a user calls the container.
func (c *container) called() string {
	if c.name == workload.WholePod {
		return "the whole Pod"
	}
	return "container " + c.name
}

// unread is true for a container that should have a good sample by now, and has not.
func (r *AppMonitorReconciler) unread(c container) bool {
	now, started := r.Clock.Now(), workload.StartOf(c.pod, c.name)
	return !started.IsZero() && now.Sub(started) > r.MaxSampleAge && now.Sub(c.observed.Sample.Time) > r.MaxSampleAge
}
