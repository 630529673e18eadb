package agent

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// look reads what a container uses, raises it when it has to be, and sets when to look again.
func (a *Agent) look(ctx context.Context, c *container, now time.Time) {
	if c.known.Size.Limit <= 0 || c.group == nil && !a.find(c, now) {
		a.queue.schedule(c, now.Add(longest))
		return
	}
	looksTotal.Inc()
	sample, err := c.read(now)
	if err == nil && (c.limit == 0 || c.target > 0 || c.known.Resize.State != scaling.ResizeSettled) {
		c.limit, err = c.group.Limit()
	}
	if err != nil {
		a.assess(now)
		a.latency.lost(c, now)
		a.unreadable(c, err, now)
		a.queue.schedule(c, now.Add(longest))
		return
	}
	c.history.Add(sample, 0)
	c.measure(sample)
	a.arrived(c, now)
	if !c.asking && !now.Before(c.retryAt) {
		a.decide(ctx, c, sample, now)
	}
	a.queue.schedule(c, now.Add(a.next(c, sample, now)))
}

// find opens the control group of a container that runs.
func (a *Agent) find(c *container, now time.Time) bool {
	if !c.runs() {
		c.unreadSince = time.Time{}
		return false
	}
	opened, err := a.Groups.Open(string(c.pod.UID), c.id)
	if err != nil {
		a.unreadable(c, err, now)
		return false
	}
	c.unreadSince, c.unread = time.Time{}, nil
	c.group, c.history, c.last = opened, scaling.History{}, scaling.Sample{}
	return true
}

// unreadable lets go of a control group that cannot be read, and notes since when. One that is not there may be that of a container
// which has just ended.
func (a *Agent) unreadable(c *container, err error, now time.Time) {
	c.lose()
	if c.unreadSince.IsZero() {
		c.unreadSince = now
	}
	if c.unread == nil && !errors.Is(err, fs.ErrNotExist) {
		a.Log.Error(err, "reading a control group failed", "pod", c.pod.Name, "namespace", c.pod.Namespace, "container", c.container)
	}
	c.unread = err
}

// arrived notes that the kernel enforces a limit that was asked for.
func (a *Agent) arrived(c *container, now time.Time) {
	if c.target == 0 {
		return
	}
	if c.limit >= c.target {
		if took, measured := a.latency.end(c, now); measured {
			reactionSeconds.Observe(took.Seconds())
			a.Log.V(1).Info("resized", "pod", c.pod.Name, "container", c.container, "limit", c.limit, "took", took.String())
		}
		c.target = 0
		c.refused.Given()
		return
	}
	if takenBack := c.known.Size.Limit < c.target; takenBack || c.hopeless() {
		// The node will not give it, or somebody has changed his mind.
		a.latency.drop(c)
		c.target = 0
		c.unspend()
	}
}

// actuation is how long it takes at most from a look to the new limit, as things stand.
func (a *Agent) actuation(now time.Time) time.Duration {
	return a.latency.now(now) + a.lateness.now(now)
}

// decide raises the container when the rules say so.
func (a *Agent) decide(ctx context.Context, c *container, sample scaling.Sample, now time.Time) {
	o, policy := c.known, c.policy
	o.Sample, o.History = sample, &c.history
	reaction := min(longest, a.latency.usual(now)+a.lateness.now(now)+margin+shortest)
	// Looks are as close as they have to be, and what lies above the threshold is enough for a resize: so most is left to the
	// threshold, and what fills quickly when it starts is not raised for that. Where it is not enough, growth is foreseen for as
	// long as a resize takes.
	policy.Horizon = reaction
	c.foreseen = policy.Forecasts && keeps(c.actual(), policy.Threshold, o.Rate, 0, a.latency.usual(now)) < o.Rate
	policy.Forecasts = c.foreseen
	c.refused.Obstructs(&o.Way, now)
	d := scaling.Decide(policy, o, now)
	if d.Action == scaling.Raise || d.Reason == scaling.ReasonNodeFull {
		o.Bounds = a.bounds(ctx, c)
		if c.refused.FoundRoom(o.Bounds.Node.Request) {
			o.Refused, o.RefusedFor = scaling.Memory{}, ""
		}
		d = scaling.Decide(policy, o, now)
	}
	if c.denied = c.denied && d.Action == scaling.Raise; !c.denied {
		c.held = ""
	}
	if d.Action != scaling.Raise && c.target == 0 {
		a.latency.drop(c) // somebody else has given it enough
	}
	switch {
	case d.Action == scaling.Raise:
		a.ask(ctx, c, raise{decision: d, from: o.Size, sample: sample}, now)
	case d.Reason == scaling.ReasonPaused, d.Reason == scaling.ReasonDisabled, d.Reason == scaling.ReasonInvalidPolicy,
		d.Reason != scaling.ReasonCooldown && slices.Contains(scaling.Refusals(), d.Reason):
		c.held = d.Reason
	}
}

// bounds are what the node can still give to a container, as far as can be seen from here: LimitRanges and quotas the API server
// holds, and says so.
func (a *Agent) bounds(ctx context.Context, c *container) scaling.Bounds {
	node := &corev1.Node{}
	if a.Client.Get(ctx, client.ObjectKey{Name: a.Node}, node) != nil {
		return scaling.Bounds{} // the kubelet will tell
	}
	var requested int64
	for _, takes := range a.takes {
		requested += takes.bytes
	}
	for _, other := range a.containers {
		if other.asking && other != c {
			requested += other.asked.Request - other.known.Size.Request
		}
	}
	all := []corev1.Node{*node}
	var b scaling.Bounds
	b.Node.Limit = workload.AllocatableOf(all, a.Node)
	b.Node.Request = workload.NodeBoundInPlace(all, map[string]int64{a.Node: requested}, c.pod, c.pod, c.container)
	return b
}

// next is the time until the container has to be looked at again.
func (a *Agent) next(c *container, sample scaling.Sample, now time.Time) time.Duration {
	wait := min(spared(len(a.containers)), schedule(sample.Bytes, c.actual(), c.policy.Threshold, c.rate(), a.actuation(now)))
	switch {
	case c.target > 0 || c.asking:
		return shortest // to see how long it takes
	case c.held != "":
		return max(wait, idleLook)
	case !c.retryAt.IsZero() && now.Before(c.retryAt):
		return max(shortest, min(wait, c.retryAt.Sub(now)))
	case c.history.Grows():
		return wait
	}
	a.pace.looked(now)
	return max(wait, a.pace.at())
}
