package main

import (
	"errors"
	"fmt"
	"time"
)

// outcome is what the record comes down to.
type outcome struct {
	from, to size
	crossed  time.Time // zero when memory was never seen to reach the threshold
	decided  time.Time
	ready    time.Time
	oomKills int
	restarts int
	rollouts int
}

// outcome sums the record up. The times are those at which this program saw things happen, which is milliseconds
// after they did; the API's own times have a resolution of a second.
func (r *record) outcome() outcome {
	o := outcome{
		from: r.before, to: r.settled, crossed: r.crossing(), decided: r.decided,
		oomKills: len(r.oomKilled), rollouts: r.revision - r.firstRevision,
	}
	for _, pod := range r.pods {
		o.restarts += int(pod.restarts)
		if pod.size == r.goal && o.ready.IsZero() {
			o.ready = pod.ready
		}
	}
	return o
}

// crossing is the moment at which the first Pod's own count reached the threshold, on a straight line between the
// line of its log before and the one after: 287 MiB at 43 s and 289 MiB at 44 s make 43.5 s for 288 MiB.
func (r *record) crossing() time.Time {
	if len(r.pods) == 0 {
		return time.Time{}
	}
	line := r.threshold * r.before.limitMiB()
	own := r.pods[0].own
	for i, s := range own {
		if s.mib < line {
			continue
		}
		if i == 0 {
			return s.at
		}
		last := own[i-1]
		part := (line - last.mib) / (s.mib - last.mib)
		return last.at.Add(time.Duration(part * float64(s.at.Sub(last.at))))
	}
	return time.Time{}
}

// finished says that there is nothing more to wait for.
func (r *record) finished() bool {
	o := r.outcome()
	return o.to == r.goal && !o.ready.IsZero()
}

// verdict is nil for a rescue, and else says what was missing.
func (o outcome) verdict(goal size) error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch {
	case o.crossed.IsZero() && o.decided.IsZero():
		fail("memhog's memory never reached the threshold")
	case o.decided.IsZero():
		fail("the Deployment was not raised: it still stands at %s", o.from)
	case o.to != goal:
		fail("the Deployment was raised from %s to %s, not to %s", o.from, o.to, goal)
	case o.ready.IsZero():
		fail("the Deployment was raised to %s, but no new Pod became Ready", o.to)
	}
	if o.oomKills > 0 {
		fail("the kernel killed memhog %s", times(o.oomKills))
	}
	if o.restarts > 0 {
		fail("memhog was restarted %s", times(o.restarts))
	}
	if o.rollouts > 1 {
		fail("there were %d rollouts, not one", o.rollouts)
	}
	return errors.Join(errs...)
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// foreseen is true when the Deployment was raised before memory reached the threshold.
func (o outcome) foreseen() bool { return o.crossed.IsZero() || o.decided.Before(o.crossed) }

// String is the story's last line.
func (o outcome) String() string {
	how := fmt.Sprintf("crossing → decision %.1f s, → new Pod Ready %.1f s",
		o.decided.Sub(o.crossed).Seconds(), o.ready.Sub(o.crossed).Seconds())
	if o.foreseen() {
		how = fmt.Sprintf("foreseen before the threshold was reached; decision → new Pod Ready %.1f s", o.ready.Sub(o.decided).Seconds())
	}
	return fmt.Sprintf("memhog rescued: %s → %s; %s; OOM kills %d; restarts %d; rollouts %d",
		o.from, o.to, how, o.oomKills, o.restarts, o.rollouts)
}
