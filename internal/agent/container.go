package agent

import (
	"math"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/cgroup"
	"github.com/kubedemo/memhog-operator/internal/policies"
	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// group is what is read of a container's control group.
type group interface {
	Usage() (int64, error)
	Limit() (int64, error)
	Memory() (cgroup.Memory, error)
	Close() error
}

// slot is one container of one Pod.
type slot struct {
	pod       types.UID
	container string
}

// container is one that is watched.
type container struct {
	slot
	pod    *corev1.Pod
	policy scaling.Policy
	// known is what the Pod tells of it, without a sample.
	known scaling.Observation
	// id is the runtime's, of the container that runs; group is that one's, nil while it was not found.
	id    string
	group group
	// unreadSince is since when it could not be read, though it runs, and unread why; zero when it can be.
	unreadSince time.Time
	unread      error
	// limit is what the kernel enforces, when it was last read.
	limit int64

	history scaling.History
	// last is the latest sample, and speed how fast use grew up to it since the one before, in bytes per second.
	last    scaling.Sample
	speed   int64
	refused scaling.Refused
	gifts
	// undone are the gifts as they were before the latest.
	undone gifts
	// raisedAt is when it was last raised by the agent; zero when it never was.
	raisedAt time.Time

	// asking is true while the API server is asked for a resize to the size asked, and target the limit that is awaited since; zero when
	// none is.
	asking bool
	asked  scaling.Memory
	target int64
	// retryAt is when the API server is asked again, after it gave no answer, or one that is no decision of anybody's; pause is for how
	// long it was left alone the last time.
	retryAt time.Time
	pause   time.Duration

	// foreseen is true when its growth is: the threshold is too late for it.
	foreseen bool
	// held is why memory that is needed is not given; empty when nothing is needed.
	held scaling.Reason
	// denied is true from a denial until a resize is made, or not needed any more.
	denied bool
	// due is when it is looked at next, and at its place in the queue; -1 when it is not in it.
	due time.Time
	at  int
}

// gifts are what the agent gave a container: the largest size, and when it did what goes beyond all that the workload was given before.
type gifts struct {
	given  scaling.Memory
	raises []time.Time
}

// surroundings are what all containers of the node have in common.
type surroundings struct {
	abilities workload.Abilities
	rate      int64
	now       time.Time
}

// follow takes over what a Pod and its AppMonitor say of the container.
func (c *container) follow(pod *corev1.Pod, spec corev1.Container, m *v1.AppMonitor, s surroundings) error {
	resizer, at, err := workload.ResizedBy(pod, spec.Name)
	if err != nil {
		return err
	}
	note := workload.NoteOf(pod)
	of := note.Containers[spec.Name]
	size := scaling.Memory(workload.SizeOf(spec.Resources))
	was := c.known.Resize
	state, actual := workload.ResizeOf(pod, spec)
	c.inherit(resizer, size, at, state, of.Peak.Limit)
	c.pod, c.policy = pod, policies.Of(m, spec.Name, longest+margin)
	c.policy.LowerAfter = 0
	// Whether use has levelled off only the operator can tell, which then notes no raises: below the threshold caches of files are in
	// what is read here.
	c.policy.Budget.Final = true
	c.known = scaling.Observation{
		Way: scaling.Way{
			// Nothing is ever taken back from here.
			Means: scaling.InPlace, RaisesOnly: true, Obstacle: obstacle(pod, spec, s.abilities),
		},
		Size:       size,
		Paused:     policies.Paused(m) || policies.Paused(pod) || note.Paused,
		Overridden: of.Overridden,
		Peak:       scaling.Memory(of.Peak),
		Rate:       s.rate,
	}
	if resizer.Ours() {
		c.known.LastChange = at
	}
	if resizer == workload.OtherResized && c.known.Size.Limit < c.given.Limit {
		c.known.Overridden = true
	}
	if c.raisedAt.After(c.known.LastChange) {
		c.known.LastChange = c.raisedAt
	}
	c.known.Raises = c.counted(of)
	c.known.Resize = resizeOf(state, actual, s.now)
	if c.known.Resize.State == was.State {
		c.known.Resize.Since = was.Since
	} else {
		c.refuse(was.State, s.now)
	}
	return nil
}

// refuse notes that a size cannot be had, as the kubelet says, whoever asked for it. One that fails is taken back by the operator,
// and would be asked for again.
func (c *container) refuse(was scaling.ResizeState, now time.Time) {
	switch c.known.Resize.State {
	case scaling.ResizeDeferred:
		c.refused.Note(c.known.Size, scaling.ReasonNodeFull, now)
	case scaling.ResizeInfeasible:
		c.refused.Note(c.known.Size, scaling.ReasonResizeInfeasible, now)
	case scaling.ResizeSettled:
		if was == scaling.ResizeFailing && c.known.Size.Limit < c.target {
			c.refused.Note(scaling.Memory{Limit: c.target}, scaling.ReasonResizeInfeasible, now)
		}
	case scaling.ResizeInProgress, scaling.ResizeFailing:
		// It may still come true.
	}
}

// inherit takes over what the agent's own memory lacks: a raise of an earlier process, or one whose answer was lost, and what the operator
// has lowered since.
func (c *container) inherit(by workload.Resizer, size scaling.Memory, at time.Time, state workload.ResizeState, peak int64) {
	switch {
	case c.asking || c.target > 0:
		// What becomes of that is not known yet.
	case by == workload.AgentResized && (state == workload.ResizeDeferred || state == workload.ResizeInfeasible):
		if size.Limit == c.given.Limit {
			c.unspend()
		}
	case by == workload.AgentResized && size.Limit > c.given.Limit:
		c.gave(size, at, peak)
	case by == workload.OperatorResized && size.Limit < c.given.Limit:
		c.given = size
	}
}

// gave notes a raise. It counts where it goes beyond all that the workload was given before.
func (c *container) gave(size scaling.Memory, at time.Time, peak int64) {
	c.undone = c.gifts
	if size.Limit > max(c.given.Limit, peak) {
		c.raises = append(slices.Clone(c.raises), at)
	}
	if size.Limit > c.given.Limit {
		c.given = size
	}
}

// unspend takes back the latest raise, which came to nothing.
func (c *container) unspend() { c.gifts = c.undone }

// counted are the raises that the growth budget is spent on: those that the operator knows of, and the agent's own since.
func (c *container) counted(of workload.ContainerNote) []time.Time {
	var last time.Time
	if n := len(of.Raises); n > 0 {
		last = of.Raises[n-1]
	}
	own := c.raises
	for len(own) > 0 && (!own[0].Truncate(time.Second).After(last) || c.given.Limit <= of.Peak.Limit) {
		own = own[1:]
	}
	c.raises = own
	return slices.Concat(of.Raises, own)
}

// resizeOf is the resize that is not through, as decisions see it.
func resizeOf(state workload.ResizeState, actual workload.Size, now time.Time) scaling.Resize {
	if state == workload.ResizeSettled {
		return scaling.Resize{}
	}
	return scaling.Resize{State: policies.ResizeStates[state], Since: now, Actual: scaling.Memory(actual)}
}

// obstacle is why a container cannot be resized in place without a restart; empty when it can.
func obstacle(pod *corev1.Pod, spec corev1.Container, can workload.Abilities) scaling.Reason {
	if !can.Of(pod).Raises(pod) || workload.RestartsOnResize(spec) {
		return scaling.ReasonInPlaceUnavailable
	}
	return ""
}

// hopeless is true for a resize that the node will not do, or not now.
func (c *container) hopeless() bool {
	return c.known.Resize.State == scaling.ResizeDeferred || c.known.Resize.State == scaling.ResizeInfeasible
}

// actual is the limit that the container has: the kernel's, where that was read, else by its Pod.
func (c *container) actual() int64 {
	if c.limit > 0 && c.limit < math.MaxInt64 {
		return c.limit
	}
	if c.known.Resize.State != scaling.ResizeSettled && c.known.Resize.Actual.Limit > 0 {
		return c.known.Resize.Actual.Limit
	}
	return c.known.Size.Limit
}

// read takes a sample. Only what may have reached the threshold is read in full, which takes ten times as long: the rest has not,
// whatever part of it are caches of files. Where growth is foreseen it matters earlier.
func (c *container) read(now time.Time) (scaling.Sample, error) {
	used, err := c.group.Usage()
	if err != nil {
		return scaling.Sample{}, err
	}
	enough := float64(c.known.Size.Limit) * c.policy.Threshold
	if c.foreseen {
		enough /= inDetail
	}
	if float64(used) < enough {
		return scaling.Sample{Bytes: used, Time: now}, nil
	}
	m, err := c.group.Memory()
	return scaling.Sample{Bytes: m.WorkingSet(), Time: now}, err
}

// measure notes how fast use grows.
func (c *container) measure(s scaling.Sample) {
	c.speed = 0
	if span := s.Time.Sub(c.last.Time); !c.last.Time.IsZero() && span > 0 {
		c.speed = max(0, int64(float64(s.Bytes-c.last.Bytes)/span.Seconds()))
	}
	c.last = s
}

// rate is how fast the container may have to be expected to grow, in bytes per second: as the guarantee says, and twice as fast
// as it does, if that is more.
func (c *container) rate() int64 { return max(c.known.Rate, 2*c.speed) }

// inDetail is the part of the threshold, one of so many, from which on it matters what the memory is used for.
const inDetail = 4

// allowed is true for a container that nobody and nothing keeps from being raised in place, as far as its Pod tells.
func (c *container) allowed() bool {
	return c.known.Size.Limit > 0 && !c.policy.Disabled && !c.known.Paused && !c.known.Overridden && c.known.Obstacle == ""
}

// promised is true for a container that the guarantee is about, and that can be read.
func (c *container) promised() bool { return c.allowed() && c.group != nil && c.held == "" }

// runs is true for a container that runs; a whole Pod that is watched does.
func (c *container) runs() bool { return c.id != "" || c.container == workload.WholePod }

// blindAfter is how long a container that runs may not be found: what has just ended or started says so a moment later.
const blindAfter = 5 * time.Second

// invisible is true for a container that the guarantee would be about, if it could be read.
func (c *container) invisible(now time.Time) bool {
	return c.allowed() && c.group == nil && !c.unreadSince.IsZero() && now.Sub(c.unreadSince) > blindAfter
}
