package scaling

import "time"

// deferredPatience is how long a resize may wait for room on its node. While it waits the scheduler counts it as used, and
// the container has no more than before.
const deferredPatience = 5 * time.Second

// failingPatience is how long a resize may fail that its kubelet has begun, and tries again and again. Nothing else can be done in
// place meanwhile: not even for a container that is OOM-killed.
const failingPatience = time.Minute

// ResizeState is how a resize in place stands, as the kubelet says.
type ResizeState int

// What can be of a resize.
const (
	// ResizeSettled: the container has the size that it is meant to have.
	ResizeSettled ResizeState = iota
	// ResizeInProgress: the kubelet has not given it that size yet.
	ResizeInProgress
	// ResizeDeferred: the node has no room for it at the moment.
	ResizeDeferred
	// ResizeInfeasible: the node will never give it that size.
	ResizeInfeasible
	// ResizeFailing: the kubelet has tried, and did not get it done yet.
	ResizeFailing
)

// Resize is a resize of the container in place that is not through.
type Resize struct {
	State ResizeState
	// Since is when it was first seen in this state.
	Since time.Time
	// Actual is the size that the container still has; zero when that is not known. The resize is not withdrawn then.
	Actual Memory
}

// withdrawal takes back a resize that does not come true: it reserves room on the node and helps nobody.
func (r Resize) withdrawal(now time.Time) (Decision, bool) {
	d := Decision{Action: Rollback, Means: InPlace, Target: r.Actual}
	switch {
	case r.Actual.Limit <= 0:
		return d, false
	case r.State == ResizeInfeasible, r.State == ResizeFailing && now.Sub(r.Since) >= failingPatience:
		d.Reason = ReasonResizeInfeasible
		return d, true
	case r.State == ResizeDeferred && now.Sub(r.Since) >= deferredPatience:
		d.Reason = ReasonNodeFull
		return d, true
	default:
		return d, false
	}
}
