package agent

import (
	"context"
	"errors"
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
		// Somebody was faster; the cache will tell in a moment.
		a.count(resultChanged, now)
		c.retryAt = now.Add(firstRetry)
	case refusal != workload.NotRefused:
		a.count(resultRefused, now)
		a.latency.drop(c)
		if refusal == workload.RefusedAltogether {
			a.Server.Doubt()
		}
		c.refused.Note(got.raise.decision.Target, policies.Answers[refusal], now)
		a.Log.V(1).Info("resize refused", "pod", c.pod.Name, "container", c.container, "answer", got.err.Error())
	case got.err != nil:
		a.failed(c, got.err, now)
	default:
		a.made(c, got, now)
	}
	a.queue.schedule(c, now)
}

// failed notes that the API server gave no answer, or one that says nothing of the resize.
func (a *Agent) failed(c *container, err error, now time.Time) {
	resizesTotal.WithLabelValues(resultFailed).Inc()
	if a.latency.failing.IsZero() {
		a.Log.Error(err, "resizing failed", "pod", c.pod.Name, "container", c.container)
	}
	a.latency.unanswered(now)
	a.guarantee.failure = err
	c.retryAt = now.Add(min(firstRetry<<min(c.tries, 10), lastRetry))
	c.tries++
}

// count notes an answer of the API server.
func (a *Agent) count(result string, now time.Time) {
	resizesTotal.WithLabelValues(result).Inc()
	a.latency.answered(now)
	a.guarantee.failure = nil
}

// made takes over a resize that the API server has accepted, before the cache has it.
func (a *Agent) made(c *container, got answer, now time.Time) {
	a.count(resultMade, now)
	c.tries, c.retryAt = 0, time.Time{}
	c.refused.Given()
	target := got.raise.decision.Target
	a.Log.V(1).Info("raised", "pod", c.pod.Name, "namespace", c.pod.Namespace, "container", c.container,
		"from", got.raise.from.Limit, "to", target.Limit, "used", got.raise.sample.Bytes, "reason", got.raise.decision.Reason)
	c.raisedAt = now
	if target.Limit > max(c.given.Limit, c.known.Peak.Limit) {
		c.given, c.raises = target, append(c.raises, now)
	}
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
