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

	// calmLook is the time between looks at a container that is just below the threshold.
	calmLook = 50 * time.Millisecond

	// idleLook is the time between looks at a container that is not given what it needs: what stands in its way does not go away
	// within milliseconds.
	idleLook = 250 * time.Millisecond

	// spare is how many looks a second are taken in all, though no deadline asks for them: half of what is affordable. Where few
	// containers are watched, much faster growth than is promised is seen in time.
	spare = affordable / 2

	// affordable is how many looks a second are taken at containers that do not grow. A look takes up to 27 µs of a processor, so these
	// are about a hundredth of a core.
	affordable = 400
)

// schedule is when a container has to be looked at again, as the time from now: when it could have reached the threshold at the
// guaranteed rate, so that all that lies between threshold and limit is left for the resize, however long it takes. Just below the
// threshold that would be all the time: there it is looked at every calmLook; but early enough before it could reach the limit, if
// resizes take so long.
//
// At 256Mi a second, with 384Mi at 75 % and resizes that take 130 ms: with 192Mi in use 96Mi / 256Mi = 375 ms. With 280Mi in use
// calmLook, because a look by the limit, after 406 ms − 130 ms − 20 ms, could be later. With 340Mi in use 22 ms.
func schedule(used, limit int64, threshold float64, rate int64, actuation time.Duration) time.Duration {
	if rate <= 0 {
		return longest
	}
	until := func(bytes float64) time.Duration {
		seconds := (bytes - float64(used)) / float64(rate)
		return time.Duration(min(seconds, 2*(longest+actuation+margin).Seconds()) * float64(time.Second))
	}
	wait := max(calmLook, until(float64(limit)*threshold))
	return max(shortest, min(longest, wait, until(float64(limit))-actuation-margin))
}

// spared is how often each of some containers can be looked at for what looks cost little: one every 10 ms, 20 every 100 ms each.
func spared(containers int) time.Duration {
	return max(shortest, time.Duration(containers)*time.Second/spare)
}

// keeps is the fastest growth, in bytes per second, that a container with some limit survives: what fills, from just below the
// threshold on, no more than the rest until the next look comes, no sooner than after the floor, and a resize is through.
//
// 384Mi at 75 %, with a look every 50 ms and resizes that take 130 ms: 96Mi / 200 ms = 480Mi a second.
func keeps(limit int64, threshold float64, rate int64, floor, actuation time.Duration) int64 {
	look := schedule(int64(float64(limit)*threshold)-1, limit, threshold, rate, actuation)
	kept := int64(float64(limit) * (1 - threshold) / (max(look, floor) + actuation + margin).Seconds())
	if look > shortest && look >= floor {
		return max(kept, rate) // there was time left, whatever rounding makes of it
	}
	return kept
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
