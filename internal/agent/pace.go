package agent

import (
	"time"
)

const (
	// shortest and longest bound the time between two looks at a container.
	shortest = 10 * time.Millisecond
	longest  = time.Second

	// margin is time for what is not measured: the work of the agent itself between a look and the patch.
	margin = 20 * time.Millisecond

	// idleLook is the time between looks at a container that is not given what it needs: what stands in its way does not go away
	// within milliseconds.
	idleLook = 250 * time.Millisecond

	// affordable is how many looks a second are taken at containers that do not grow. A look takes some 10 µs, so these are a
	// hundredth of a core.
	affordable = 1000
)

// deadline is when a container has to be looked at again, as the time from now: before it could reach its limit at the guaranteed
// rate, early enough for a resize.
//
// 192Mi of 384Mi in use, at 256Mi a second, with resizes that take 130 ms: 750 ms − 130 ms − 20 ms = 600 ms. With 350Mi in use
// there is no time left, and the shortest is what it is.
func deadline(used, limit, rate int64, actuation time.Duration) time.Duration {
	if rate <= 0 {
		return longest
	}
	full := float64(max(0, limit-used)) / float64(rate)
	if full >= (longest + actuation + margin).Seconds() {
		return longest
	}
	return min(longest, max(shortest, time.Duration(full*float64(time.Second))-actuation-margin))
}

// keeps is the fastest growth, in bytes per second, that a container with some limit survives: what fills, from just below the
// threshold on, no more than the rest until a look comes and a resize is through.
//
// 384Mi at 75 %, with looks every 10 ms and resizes that take 130 ms: 96Mi / 160 ms = 600Mi a second.
func keeps(limit int64, threshold float64, look, actuation time.Duration) int64 {
	return int64(float64(limit) * (1 - threshold) / (look + actuation + margin).Seconds())
}

// pace spares the processor: with many containers whose deadlines are close, those that do not grow are looked at less often than
// that, all by the same floor.
type pace struct {
	floor time.Duration
	// looks at containers that do not grow since the time since.
	looks int
	since time.Time
}

// paceSpan is how long looks are counted until the floor is set anew.
const paceSpan = time.Second

// looked counts a look at a container that does not grow.
func (p *pace) looked(now time.Time) {
	p.looks++
	span := now.Sub(p.since)
	if p.since.IsZero() {
		p.since = now
		return
	}
	if span < paceSpan {
		return
	}
	perSecond := float64(p.looks) / span.Seconds()
	p.looks, p.since = 0, now
	switch floor := p.at(); {
	case perSecond > affordable:
		p.floor = min(longest, time.Duration(float64(floor)*perSecond/affordable))
	case perSecond < affordable/2:
		p.floor = max(shortest, floor/2)
	}
}

// at is the shortest time between two looks at a container that does not grow.
func (p *pace) at() time.Duration { return max(shortest, p.floor) }

// lateness is by how much looks come later than they should, at most, of late.
type lateness struct {
	worst, before time.Duration
	since         time.Time
}

// latenessSpan is for how long the worst is remembered, at least.
const latenessSpan = 5 * time.Second

// looked notes a look that was due at some time.
func (l *lateness) looked(due, now time.Time) {
	l.turn(now)
	l.worst = max(l.worst, now.Sub(due))
}

func (l *lateness) now(now time.Time) time.Duration {
	l.turn(now)
	return max(l.worst, l.before)
}

func (l *lateness) turn(now time.Time) {
	switch age := now.Sub(l.since); {
	case age >= 2*latenessSpan:
		l.worst, l.before, l.since = 0, 0, now
	case age >= latenessSpan:
		l.before, l.worst, l.since = l.worst, 0, now
	}
}
