package agent

import (
	"context"
	"errors"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubedemo/memhog-operator/internal/policies"
	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/trim"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

const (
	// firstRetry and lastRetry bound the pause before the API server is asked again that gave no answer. It doubles in between.
	firstRetry = 20 * time.Millisecond
	lastRetry  = 500 * time.Millisecond

	// firstDenial and lastDenial do the same for what was denied by somebody who will not change his mind in a moment. An API server
	// that has just started may not know yet what is permitted: that is asked for every firstDenial.
	firstDenial = time.Second
	lastDenial  = 2 * time.Minute

	// lastOutage is the longest pause while a webhook does not answer, which may be back at any moment.
	lastOutage = 10 * time.Second

	// patience is how long the API server may take for one answer.
	patience = 5 * time.Second
)

// raise is a decision to give a container more memory.
type raise struct {
	decision scaling.Decision
	from     scaling.Memory
	sample   scaling.Sample
}

// ask has the API server resize a container, without waiting for the answer.
func (a *Agent) ask(ctx context.Context, c *container, r raise, now time.Time) {
	c.asking, c.asked = true, r.decision.Target
	a.latency.begin(c, now)
	pod := c.pod
	go func() {
		patient, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		resized, err := workload.ResizePod(patient, a.Client, pod, workload.AgentFieldManager, []workload.Resize{
			{Container: c.container, Size: workload.Size(r.decision.Target)},
		})
		select {
		case a.answers <- answer{container: c, raise: r, pod: resized, err: err}:
		case <-ctx.Done():
		}
	}()
}

// answered takes over what became of a resize.
func (a *Agent) answered(got answer) {
	c, now := got.container, a.Clock.Now()
	c.asking = false
	if a.containers[c.slot] != c {
		a.latency.drop(c)
		return // it is gone
	}
	refusal := workload.RefusalOf(got.err)
	switch {
	case errors.Is(got.err, workload.ErrChanged), apierrors.IsNotFound(got.err) && refusal == workload.NotRefused:
		// Somebody was faster, or an answer was lost; the cache will tell in a moment, or has told while this was asked.
		a.count(resultChanged, now)
		a.latency.spoil(c)
		a.lookAnew(c)
		c.rest(now, firstRetry, lastRetry)
	case refusal != workload.NotRefused:
		a.count(resultRefused, now)
		a.latency.drop(c)
		if refusal == workload.RefusedAltogether {
			// As an API server says that has just started, too. Discovery will tell whether it is so.
			a.Server.Doubt()
			c.retryAt = now.Add(rediscovery)
		} else {
			c.refused.Note(got.raise.decision.Target, policies.Answers[refusal], now)
		}
		a.Log.V(1).Info("resize refused", "pod", c.pod.Name, "container", c.container, "answer", got.err.Error())
	case denied(got.err):
		a.count(resultRefused, now)
		a.deny(c, got.err, now, lastDenial)
	case webhookAway(got.err):
		a.count(resultRefused, now)
		a.deny(c, got.err, now, lastOutage)
	case got.err != nil:
		a.failed(c, got.err, now)
	default:
		a.made(c, got, now)
	}
	if a.containers[c.slot] == c {
		a.queue.schedule(c, now)
	}
}

// denied is true for an answer that says no to this resize, for a reason that is not known here: that of a webhook, of a policy, or of
// whoever gives permissions.
func denied(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsUnauthorized(err)
}

// webhookAway is true when it was a webhook that gave no answer, without which the API server resizes nothing. It may be one of some Pods
// only, so it says nothing of others.
func webhookAway(err error) bool {
	return apierrors.IsInternalError(err) && strings.Contains(err.Error(), "failed calling webhook")
}

// deny lets a container rest, for so long at most. A missing permission concerns all of them.
func (a *Agent) deny(c *container, err error, now time.Time, atMost time.Duration) {
	if unauthorized(err) {
		if !a.guarantee.denied {
			a.Log.Error(err, "the agent may not resize Pods")
		}
		a.guarantee.denied = true
		c.pause, c.retryAt = 0, now.Add(firstDenial)
		return
	}
	a.latency.drop(c)
	if !c.denied {
		a.Log.Error(err, "resizing was denied", "pod", c.pod.Name, "namespace", c.pod.Namespace, "container", c.container)
	}
	c.held, c.denied = heldDenied, true
	c.rest(now, firstDenial, atMost)
}

// rest lets a container wait before the API server is asked again; twice as long as the last time, within bounds.
func (c *container) rest(now time.Time, first, last time.Duration) {
	if c.pause = min(2*c.pause, last); c.pause < first {
		c.pause = first
	}
	c.retryAt = now.Add(c.pause)
}

// heldDenied marks a container of which a resize was denied.
const heldDenied = scaling.ReasonResizeInfeasible

// unauthorized is true for a denial that is about the agent, and not about a Pod.
func unauthorized(err error) bool {
	return apierrors.IsUnauthorized(err) || apierrors.IsForbidden(err) && strings.Contains(err.Error(), "cannot patch resource")
}

// failed notes that the API server gave no answer, or one that says nothing of the resize.
func (a *Agent) failed(c *container, err error, now time.Time) {
	resizesTotal.WithLabelValues(resultFailed).Inc()
	if a.latency.failing.IsZero() {
		a.Log.Error(err, "resizing failed", "pod", c.pod.Name, "container", c.container)
	}
	a.latency.unanswered(now)
	c.rest(now, firstRetry, lastRetry)
	a.lookAnew(c) // the answer may have been lost, and not the resize
}

// lookAnew has what a container's Pod tells taken over once more.
func (a *Agent) lookAnew(c *container) {
	delete(a.versions, c.slot.pod)
	a.Changed()
}

// count notes an answer of the API server.
func (a *Agent) count(result string, now time.Time) {
	resizesTotal.WithLabelValues(result).Inc()
	a.latency.answered(now)
	a.guarantee.denied = false
}

// made takes over a resize that the API server has accepted, before the cache has it.
func (a *Agent) made(c *container, got answer, now time.Time) {
	a.count(resultMade, now)
	c.pause, c.retryAt = 0, time.Time{}
	c.held, c.denied = "", false
	target := got.raise.decision.Target
	a.Log.Info("raised", "pod", c.pod.Name, "namespace", c.pod.Namespace, "container", c.container,
		"from", got.raise.from.Limit, "to", target.Limit, "used", got.raise.sample.Bytes, "reason", got.raise.decision.Reason)
	c.raisedAt = now
	c.gave(target, now, c.known.Peak.Limit)
	if c.target = target.Limit; c.group == nil {
		c.target = 0
	}
	trimmed, err := trim.Pod(got.pod)
	pod, ok := trimmed.(*corev1.Pod)
	if err != nil || !ok || pod.Generation <= c.pod.Generation {
		return // the cache was faster
	}
	a.adopt(pod, now)
}
