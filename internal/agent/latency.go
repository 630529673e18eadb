package agent

import (
	"slices"
	"time"
)

const (
	// usualLatency is what a resize is taken to take at least until enough were seen: the API server's answer and the kubelet's work,
	// which were seen to take 27 to 75 ms on an idle machine, and some more on a busy one.
	usualLatency = 150 * time.Millisecond
	fewest       = 20

	// measured is how many resizes are remembered, and for how long: a slow hour must not count for ever where little happens.
	measured     = 64
	measuredFade = 10 * time.Minute

	// high is the quantile of what resizes took that the next one is taken to take at most.
	high = 0.95

	// aftermath is how long after the API server was away kubelets may take to find it again.
	aftermath = 10 * time.Second
)

// latency is how long resizes take, from the decision to the new limit in the control group.
type latency struct {
	took []took
	// waiting are those that are not through.
	waiting map[*container]underWay
	// failing is when the API server was first asked in vain, since it last gave an answer; zero when it answers. answers is when it
	// first answered again after that.
	failing, answers time.Time
}

// underWay is a resize that is not through: when it was decided upon, and whether it is known by now that what it takes says nothing of
// others.
type underWay struct {
	begun   time.Time
	spoiled bool
}

type took struct {
	at       time.Time
	duration time.Duration
}

// begin notes a resize that was decided upon.
func (l *latency) begin(c *container, now time.Time) {
	if l.waiting == nil {
		l.waiting = map[*container]underWay{}
	}
	if _, waits := l.waiting[c]; !waits {
		l.waiting[c] = underWay{begun: now}
	}
}

// spoil notes that a resize takes longer for a reason of its own: somebody else was faster, say.
func (l *latency) spoil(c *container) {
	if w, waits := l.waiting[c]; waits {
		l.waiting[c] = underWay{begun: w.begun, spoiled: true}
	}
}

// end notes that it is through, and returns what it took. What was asked for while the API server was away, or a moment after, says
// nothing of what resizes take; while it is not through it counts all the same.
func (l *latency) end(c *container, now time.Time) (time.Duration, bool) {
	w, waits := l.waiting[c]
	if !waits {
		return 0, false
	}
	begun := w.begun
	delete(l.waiting, c)
	if w.spoiled || !l.failing.IsZero() || begun.Before(l.answers.Add(aftermath)) {
		return now.Sub(begun), true
	}
	if len(l.took) == measured {
		l.took = slices.Delete(l.took, 0, 1)
	}
	l.took = append(l.took, took{at: now, duration: now.Sub(begun)})
	return now.Sub(begun), true
}

// lost ends the wait for a resize of a container that is gone, killed perhaps because it took too long: then what it took by now says
// something of the next one.
func (l *latency) lost(c *container, now time.Time) {
	if w, waits := l.waiting[c]; waits && now.Sub(w.begun) > l.usual(now) {
		l.end(c, now)
		return
	}
	l.drop(c)
}

// drop forgets a resize of which nothing will come: what it took says nothing of the next one.
func (l *latency) drop(c *container) { delete(l.waiting, c) }

// answered notes that the API server gave an answer, whatever it was; unanswered that it gave none.
func (l *latency) answered(now time.Time) {
	if !l.failing.IsZero() {
		l.failing, l.answers = time.Time{}, now
	}
}

func (l *latency) unanswered(now time.Time) {
	if l.failing.IsZero() {
		l.failing = now
	}
}

// usual is what a resize takes at most when nothing is out of the ordinary: the high quantile of the latest ones.
func (l *latency) usual(now time.Time) time.Duration {
	var of [measured]time.Duration
	n := 0
	for _, t := range l.took {
		if now.Sub(t.at) < measuredFade {
			of[n] = t.duration
			n++
		}
	}
	if n == 0 {
		return usualLatency
	}
	slices.Sort(of[:n])
	took := of[int(high*float64(n-1)+0.5)]
	if n < fewest {
		return max(usualLatency, took)
	}
	return took
}

// now is how long the next resize is taken to take at most: what is usual, and no less than those have taken by now that are not
// through, or than the API server has been silent.
func (l *latency) now(now time.Time) time.Duration {
	worst := l.usual(now)
	for _, w := range l.waiting {
		worst = max(worst, now.Sub(w.begun))
	}
	if !l.failing.IsZero() {
		worst = max(worst, now.Sub(l.failing))
	}
	return worst
}
