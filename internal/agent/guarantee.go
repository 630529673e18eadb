package agent

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Reasons of the condition that an agent reports on its own Pod.
const (
	// ReasonKeepsGuarantee: no watched container that grows slower than the guaranteed rate will be OOM-killed.
	ReasonKeepsGuarantee = "KeepsGuarantee"
	// ReasonStarting: the agent has not read yet what it has to watch.
	ReasonStarting = "Starting"
	// ReasonTooSlow: resizes, or the agent itself, are too slow for the guaranteed rate, or limits too small.
	ReasonTooSlow = "TooSlow"
	// ReasonCannotRead: a container that runs has no control group that can be read.
	ReasonCannotRead = "CannotRead"
	// ReasonCannotResize: the API server does not answer, or forbids what the agent is there for.
	ReasonCannotResize = "CannotResize"
)

const (
	// assessed is how often the guarantee is looked at where nothing happens.
	assessed = 250 * time.Millisecond
	// trusted is for how long it must be kept again to be told so.
	trusted = 10 * time.Second
	// silent is how long the API server must have given no answer for that to be what is told.
	silent = 2 * time.Second
)

// Guarantee is how the guarantee stands.
type Guarantee struct {
	Kept corev1.ConditionStatus
	// Reason and Message for people.
	Reason, Message string
}

// guarantee watches over the promise that no container that fills slower than a rate is OOM-killed while its node has memory, its
// AppMonitor allows it, and the API server answers.
type guarantee struct {
	at     time.Time
	told   Guarantee
	broken time.Time // when it was last seen broken
	// failure is why the API server gave no answer, and denied why the agent may not resize at all; nil when it did, and may.
	failure, denied error
	// worst is the rate that was kept at any moment of late.
	worst lowest
}

// lowest is the lowest of what was measured of late. Whoever looks now and then does not miss it.
type lowest struct {
	present, before int64
	since           time.Time
}

// lowestSpan is for how long the lowest is remembered, at least.
const lowestSpan = 10 * time.Second

func (l *lowest) add(value int64, now time.Time) {
	switch age := now.Sub(l.since); {
	case age >= 2*lowestSpan:
		l.present, l.before, l.since = value, value, now
	case age >= lowestSpan:
		l.before, l.present, l.since = l.present, value, now
	}
	l.present = min(l.present, value)
}

func (l *lowest) now() int64 { return min(l.present, l.before) }

// weakest is the container that fails first, and the rate at which it does.
func (a *Agent) weakest(now time.Time) (*container, int64) {
	var weakest *container
	rate, actuation := a.Rate, a.actuation(now)
	for _, c := range a.containers {
		if !c.promised() {
			continue
		}
		if kept := keeps(c.actual(), c.policy.Threshold, a.Rate, a.pace.floor, actuation); kept < rate {
			weakest, rate = c, kept
		}
	}
	return weakest, rate
}

// assess measures what rate can be kept, tells the metrics at once, and everybody else when the answer is another one.
func (a *Agent) assess(now time.Time) {
	g := &a.guarantee
	if !a.read || a.server.Load() == nil {
		return // the agent is starting
	}
	if len(a.latency.waiting) == 0 {
		a.latency.failing, g.failure = time.Time{}, nil // nobody is waiting for an answer
	}
	if now.Sub(g.at) < assessed && a.latency.failing.IsZero() && len(a.latency.waiting) == 0 {
		return
	}
	g.at = now
	weakest, rate := a.weakest(now)
	actuationLatency.Set(a.latency.now(now).Seconds())
	lookLateness.Set(a.lateness.now(now).Seconds())
	guaranteedTarget.Set(float64(a.Rate))
	if a.guarantee.denied != nil || !a.around.abilities.Raise || a.blind(now) != nil {
		rate = 0
	}
	g.worst.add(rate, now)
	guaranteedRate.Set(float64(g.worst.now()))
	a.tell(a.stands(weakest, rate, now), now)
}

// stands is how the guarantee stands: what cannot be done at all first, then what is too slow.
func (a *Agent) stands(weakest *container, rate int64, now time.Time) Guarantee {
	broken := func(reason, format string, args ...any) Guarantee {
		return Guarantee{Kept: corev1.ConditionFalse, Reason: reason, Message: fmt.Sprintf(format, args...)}
	}
	silence := now.Sub(a.latency.failing)
	switch blind := a.blind(now); {
	case a.guarantee.denied != nil:
		return broken(ReasonCannotResize, "the agent may not resize Pods: %v", a.guarantee.denied)
	case !a.around.abilities.Raise:
		return broken(ReasonCannotResize, "Pods of this node cannot be resized in place")
	case !a.latency.failing.IsZero() && silence >= silent:
		return broken(ReasonCannotResize, "the API server does not answer: %v", a.guarantee.failure)
	case blind != nil:
		return broken(ReasonCannotRead, "container %s of Pod %s/%s cannot be read: %v", blind.container, blind.pod.Namespace,
			blind.pod.Name, blind.unread)
	case weakest != nil:
		return broken(ReasonTooSlow,
			"container %s of Pod %s/%s, of %s, survives growth of %s a second, not of %s: resizes take up to %s, looks are up to %s late",
			weakest.container, weakest.pod.Namespace, weakest.pod.Name, perSecond(weakest.actual()), perSecond(rate), perSecond(a.Rate),
			a.latency.now(now).Round(time.Millisecond), a.lateness.now(now).Round(time.Millisecond))
	}
	return Guarantee{
		Kept: corev1.ConditionTrue, Reason: ReasonKeepsGuarantee,
		Message: fmt.Sprintf("no container that grows slower than %s a second will be OOM-killed, while there is memory",
			perSecond(a.Rate)),
	}
}

// blind is a container that cannot be read; nil when all can.
func (a *Agent) blind(now time.Time) *container {
	for _, c := range a.containers {
		if c.invisible(now) {
			return c
		}
	}
	return nil
}

// tell reports how the guarantee stands, when that is another answer than before. Bad news is told at once, good news once it lasts.
func (a *Agent) tell(stands Guarantee, now time.Time) {
	g := &a.guarantee
	if stands.Kept != corev1.ConditionTrue {
		g.broken = now
	}
	better := stands.Kept == corev1.ConditionTrue && g.told.Kept == corev1.ConditionFalse
	if stands.Kept == g.told.Kept && stands.Reason == g.told.Reason || better && now.Sub(g.broken) < trusted {
		return
	}
	g.told = stands
	if a.Report != nil {
		a.Report(stands)
	}
}

// perSecond prints a size in whole Mi, or as it is where it is less.
func perSecond(bytes int64) string {
	const mebibyte = 1 << 20
	if bytes >= mebibyte {
		bytes = bytes / mebibyte * mebibyte
	}
	return resource.NewQuantity(bytes, resource.BinarySI).String()
}
