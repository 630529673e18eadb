package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// raise is a planned growth from one size to the next.
type raise struct {
	from, to size
	crossed  time.Time // when memory reached the threshold of the size before, or zero
	decided  time.Time // when the new size was first asked for
	done     time.Time // when the kubelet put it in force, or a new Pod that has it was Ready
}

// outcome is what the record comes down to.
type outcome struct {
	inPlace  bool
	raises   []raise
	asked    []size // one after the other
	oomKills int
	restarts int
	rollouts int
	pods     int
}

// outcome sums the record up. The times are those at which this program saw things happen, which is milliseconds
// after they did; the API's own times have a resolution of a second.
func (r *record) outcome() outcome {
	o := outcome{
		inPlace: r.inPlace, asked: r.template.sizes(),
		oomKills: len(r.oomKilled), rollouts: r.revision - r.firstRevision, pods: len(r.pods),
	}
	asked := r.template
	if r.inPlace && len(r.pods) > 0 {
		asked = r.pods[0].asked
		o.asked = asked.sizes()
	}
	for i, to := range r.plan[1:] {
		from := r.plan[i]
		o.raises = append(o.raises, raise{
			from: from, to: to, crossed: r.crossing(r.threshold * from.limitMiB()), decided: asked.reached(to), done: r.done(to),
		})
	}
	for _, pod := range r.pods {
		o.restarts += int(pod.restarts)
	}
	return o
}

// done is when a Pod first served with a size, or zero.
func (r *record) done(s size) time.Time {
	if r.inPlace {
		if len(r.pods) == 0 {
			return time.Time{}
		}
		return r.pods[0].enforced(s)
	}
	for _, pod := range r.pods {
		if pod.held[0].size == s && !pod.ready.IsZero() {
			return pod.ready
		}
	}
	return time.Time{}
}

// crossing is the moment at which the first Pod's memory reached an amount, on a straight line between the sample before
// and the one after: 287 MiB at 43 s and 289 MiB at 44 s make 43.5 s for 288 MiB. It is zero when it did not.
func (r *record) crossing(mib float64) time.Time {
	if len(r.pods) == 0 {
		return time.Time{}
	}
	samples := r.pods[0].finest()
	for i, s := range samples {
		if s.mib < mib {
			continue
		}
		if i == 0 {
			return s.at
		}
		last := samples[i-1]
		part := (mib - last.mib) / (s.mib - last.mib)
		return last.at.Add(time.Duration(part * float64(s.at.Sub(last.at))))
	}
	return time.Time{}
}

// finished says that there is nothing more to wait for.
func (r *record) finished() bool {
	return !slices.ContainsFunc(r.outcome().raises, func(r raise) bool { return r.decided.IsZero() || r.done.IsZero() })
}

// verdict is nil for a rescue, and else says what was missing.
func (o outcome) verdict() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if err := o.missing(); err != nil {
		fail("%w", err)
	}
	if o.oomKills > 0 {
		fail("the kernel killed memhog %s", times(o.oomKills))
	}
	if o.restarts > 0 {
		fail("memhog was restarted %s", times(o.restarts))
	}
	switch {
	case o.inPlace && o.rollouts > 0:
		fail("the Deployment was rolled out %s", times(o.rollouts))
	case o.inPlace && o.pods > 1:
		fail("there were %d Pods, not one", o.pods)
	case o.rollouts > 1:
		fail("there were %d rollouts, not one", o.rollouts)
	}
	return errors.Join(errs...)
}

// missing says how what was asked for, and what came of it, falls short of the plan.
func (o outcome) missing() error {
	who, done := "the Deployment", "but no new Pod became Ready"
	if o.inPlace {
		who, done = "the Pod", "but the kubelet did not put it in force"
	}
	plan := o.plan()
	same := min(len(o.asked), len(plan))
	switch {
	case o.raises[0].crossed.IsZero() && len(o.asked) <= 1:
		return errors.New("memhog's memory never reached the threshold")
	case len(o.asked) == 1:
		return fmt.Errorf("%s was not raised: it still stands at %s", who, o.asked[0])
	case !slices.Equal(o.asked[:same], plan[:same]) || len(o.asked) > len(plan):
		return fmt.Errorf("%s was raised %s, not %s", who, arrows(o.asked), arrows(plan))
	}
	for i, r := range o.raises {
		if i+1 < len(o.asked) && r.done.IsZero() {
			return fmt.Errorf("%s was raised to %s, %s", who, r.to, done)
		}
	}
	if len(o.asked) < len(plan) {
		return fmt.Errorf("%s was raised %s, and not to %s", who, arrows(o.asked), plan[len(o.asked)])
	}
	return nil
}

// plan lists the sizes from first to last.
func (o outcome) plan() []size {
	plan := []size{o.raises[0].from}
	for _, r := range o.raises {
		plan = append(plan, r.to)
	}
	return plan
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// foreseen is true when the size was raised before memory reached the threshold.
func (r raise) foreseen() bool { return r.crossed.IsZero() || r.decided.Before(r.crossed) }

// String is the story's last line.
func (o outcome) String() string {
	done := "new Pod Ready"
	if o.inPlace {
		done = "in force"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "memhog rescued: %s", o.raises[0].from)
	for _, r := range o.raises {
		how := "crossing → decision " + short(r.decided.Sub(r.crossed))
		if r.foreseen() {
			how = "foreseen before the threshold was reached"
		}
		fmt.Fprintf(&b, " → %s (%s; decision → %s %s)", r.to, how, done, short(r.done.Sub(r.decided)))
	}
	fmt.Fprintf(&b, "; OOM kills %d; restarts %d; rollouts %d", o.oomKills, o.restarts, o.rollouts)
	return b.String()
}

// short is a duration as people say it, 2.5 s or 42 ms.
func short(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
