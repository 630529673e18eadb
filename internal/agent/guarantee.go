package agent

import (
	"fmt"
	"math/bits"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubedemo/memhog-operator/internal/scaling"
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
	// retold is how often it is told at most that the same trouble has another size.
	retold = time.Minute
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
	toldAt time.Time
	broken time.Time // when it was last seen broken
	// denied is true when the agent may not resize at all.
	denied bool
	// worst is the rate that was kept at any moment of late.
	worst lowest
	// held are how many containers are held, by reason, as was counted last.
	held map[scaling.Reason]int
}

// lowest is the lowest of what was measured of late. Whoever looks now and then does not miss it.
type lowest struct {
	present, before int64
	since           time.Time
}

// lowestSpan is for how long the lowest is remembered, at least: as long as our PodMonitor waits from one scrape to the next.
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

// weakest is the container that fails first, and the rate at which it does. Those whose limits are too small even where resizes
// take what is usual are left out: no agent could keep the promise for them.
func (a *Agent) weakest(now time.Time) (*container, int64) {
	var weakest *container
	rate, actuation, small := a.Rate, a.actuation(now), 0
	for _, c := range a.containers {
		switch {
		case !c.promised():
		case keeps(c.actual(), c.policy.Threshold, a.Rate, 0, usualLatency) < a.Rate:
			small++
		default:
			if kept := keeps(c.actual(), c.policy.Threshold, a.Rate, a.pace.floor, actuation); kept < rate {
				weakest, rate = c, kept
			}
		}
	}
	smallContainers.Set(float64(small))
	return weakest, rate
}

// assess measures what rate can be kept, tells the metrics at once, and everybody else when the answer is another one.
func (a *Agent) assess(now time.Time) {
	g := &a.guarantee
	if !a.read || a.server.Load() == nil {
		return // the agent is starting
	}
	if len(a.latency.waiting) == 0 {
		a.latency.failing, g.denied = time.Time{}, false // nobody is waiting for an answer
	}
	if now.Sub(g.at) < assessed && a.latency.failing.IsZero() && len(a.latency.waiting) == 0 {
		return
	}
	g.at = now
	weakest, rate := a.weakest(now)
	blind := a.blind(now)
	if g.denied || !a.abilities.Raise || blind != nil {
		rate = 0
	}
	actuationLatency.Set(a.latency.now(now).Seconds())
	lookLateness.Set(a.lateness.now(now).Seconds())
	guaranteedTarget.Set(float64(a.Rate))
	g.worst.add(rate, now)
	guaranteedRate.Set(float64(g.worst.now()))
	a.countHeld()
	switch stands := a.stands(rate, blind, now); {
	case !a.tell(stands, now):
	case blind != nil:
		a.Log.Info("a container cannot be read", "pod", blind.pod.Name, "namespace", blind.pod.Namespace, "container", blind.container,
			"why", blind.unread.Error())
	case weakest != nil:
		a.Log.Info("the guarantee is not kept", "pod", weakest.pod.Name, "namespace", weakest.pod.Namespace,
			"container", weakest.container, "limit", weakest.actual(), "survives", rate, "resizesTake", a.latency.now(now).String(),
			"looksAreLateBy", a.lateness.now(now).String())
	}
}

// countHeld counts what nothing is promised of. At no moment does a scrape see less.
func (a *Agent) countHeld() {
	held := map[scaling.Reason]int{}
	for _, c := range a.containers {
		if c.held != "" {
			held[c.held]++
		}
	}
	for reason := range a.guarantee.held {
		if held[reason] == 0 {
			heldContainers.DeleteLabelValues(string(reason))
		}
	}
	for reason, containers := range held {
		heldContainers.WithLabelValues(string(reason)).Set(float64(containers))
	}
	a.guarantee.held = held
}

// stands is how the guarantee stands: what cannot be done at all first, then what is too slow. It names no Pod, because AppMonitors of
// other namespaces pass it on, and no figures that are others a moment later.
func (a *Agent) stands(rate int64, blind *container, now time.Time) Guarantee {
	broken := func(reason, format string, args ...any) Guarantee {
		return Guarantee{Kept: corev1.ConditionFalse, Reason: reason, Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case a.guarantee.denied:
		return broken(ReasonCannotResize, "the agent may not resize Pods")
	case !a.abilities.Raise:
		return broken(ReasonCannotResize, "Pods of this node cannot be resized in place")
	case !a.latency.failing.IsZero() && now.Sub(a.latency.failing) >= silent:
		return broken(ReasonCannotResize, "the API server does not answer")
	case blind != nil:
		return broken(ReasonCannotRead, "the control group of a container that runs cannot be read; the agent's log says which")
	case rate < a.Rate:
		return broken(ReasonTooSlow, "resizes take so long, or looks come so late, that growth of %s a second is survived, and not of %s",
			perSecond(roundDown(rate)), perSecond(a.Rate))
	}
	return Guarantee{
		Kept: corev1.ConditionTrue, Reason: ReasonKeepsGuarantee,
		Message: fmt.Sprintf("no container that grows slower than %s a second will be OOM-killed, while there is memory",
			perSecond(a.Rate)),
	}
}

// roundDown is the largest power of two that is not more.
func roundDown(n int64) int64 {
	if n <= 0 {
		return 0
	}
	return 1 << (bits.Len64(uint64(n)) - 1)
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

// tell reports how the guarantee stands, when that is another answer than before, and is true when it does. Bad news is told at once,
// good news once it lasts, and that bad news is another now and then.
func (a *Agent) tell(stands Guarantee, now time.Time) bool {
	g := &a.guarantee
	if stands.Kept != corev1.ConditionTrue {
		g.broken = now
	}
	better := stands.Kept == corev1.ConditionTrue && g.told.Kept == corev1.ConditionFalse
	same := stands.Kept == g.told.Kept && stands.Reason == g.told.Reason
	if same && (stands.Message == g.told.Message || now.Sub(g.toldAt) < retold) || better && now.Sub(g.broken) < trusted {
		return false
	}
	g.told, g.toldAt = stands, now
	if a.Report != nil {
		a.Report(stands)
	}
	return true
}

// perSecond prints a size in whole Mi, or as it is where it is less.
func perSecond(bytes int64) string {
	const mebibyte = 1 << 20
	if bytes >= mebibyte {
		bytes = bytes / mebibyte * mebibyte
	}
	return resource.NewQuantity(bytes, resource.BinarySI).String()
}
