package world

import (
	"time"

	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/test/replay/trace"
)

// The kubelet starts what ended after a pause that doubles each time, up to a longest one. A container that ran for long
// enough begins again with the first.
const (
	firstBackoff   = 10
	longestBackoff = 5 * 60
	goodRun        = 10 * 60
)

// Counts is what became of a container.
type Counts struct {
	// OOMKills by the kernel.
	OOMKills int
	// Restarts that the autoscaler caused, to give the container another size.
	Restarts int
	// Changes of the size that came into effect.
	Changes int
	// DownSeconds in which it did not run.
	DownSeconds int
}

// Container is one container of one Pod, and of the Pods that take that one's place.
type Container struct {
	trace   trace.Trace
	size    Memory
	reading reading
	counts  Counts

	running bool
	// started is the second at which the process started, podStarted that at which the Pod did.
	started, podStarted int
	// resume is the second at which what does not run starts.
	resume int
	exits  int // since the last good run
	// killedAt is when the kernel last killed it in this Pod, and killedAfter how many seconds it had run by then.
	killedAt    time.Time
	killedAfter int
	use         trace.Use
	pending     *change
}

// change is a size on its way.
type change struct {
	size Memory
	due  int
	// replaces is true for a new Pod, as opposed to a resize of the one that is there.
	replaces bool
}

// New returns a container that starts when its first second passes.
func New(t trace.Trace, size Memory, source Source) *Container {
	return &Container{trace: t, size: size, reading: reading{source: source}}
}

// Pass lets one second pass: what was asked for takes effect, the process starts or ends, takes the memory that it wants,
// and is killed when that is not to be had. Seconds come in order, from 0.
func (c *Container) Pass(second int) {
	c.applyChange(second)
	if !c.running && second >= c.resume && c.size.Request <= Node {
		c.start(second)
	}
	c.use = trace.Use{}
	if c.running && second > c.started && c.trace.Restarts != nil && c.trace.Restarts(second) {
		c.killedAfter, c.killedAt = 0, time.Time{}
		c.end(second)
	}
	if c.running {
		c.hold(second)
	}
	if !c.running {
		c.counts.DownSeconds++
	}
	c.reading.observe(second, c.running, c.use.Anonymous+c.use.Reclaimable)
}

// applyChange gives the container the size that is on its way, when it is time to. A new Pod that no node has room for
// never comes, and the old one goes on.
func (c *Container) applyChange(second int) {
	if c.pending == nil || second < c.pending.due || c.pending.size.Request > Node {
		return
	}
	c.size = c.pending.size
	c.counts.Changes++
	if c.pending.replaces {
		c.newPod(second, 0)
	}
	c.pending = nil
}

// newPod ends the Pod that is there; the next runs after so many seconds.
func (c *Container) newPod(second, after int) {
	c.counts.Restarts++
	c.running, c.exits = false, 0
	c.killedAt, c.killedAfter = time.Time{}, 0
	c.podStarted, c.resume = second+after, second+after
}

func (c *Container) start(second int) {
	c.running, c.started = true, second
	c.reading.forget()
}

// end is the end of a process; the kubelet starts the next.
func (c *Container) end(second int) {
	if second-c.started >= goodRun {
		c.exits = 0
	}
	c.running = false
	c.resume = second + min(firstBackoff<<min(c.exits, 8), longestBackoff)
	c.exits++
}

// hold takes the memory that the program wants now: first its own, then file cache as far as there is room.
func (c *Container) hold(second int) {
	want := c.trace.At(second, second-c.started)
	room := min(c.size.Limit, Node) - want.Anonymous
	if room < 0 {
		c.counts.OOMKills++
		c.killedAt, c.killedAfter = Time(second), second-c.started
		c.end(second)
		return
	}
	c.use = trace.Use{Anonymous: want.Anonymous, Reclaimable: min(want.Reclaimable, room)}
}

// Rollout asks for a Pod of another size. The old one runs until the new one does.
func (c *Container) Rollout(second int, size Memory) {
	c.pending = &change{size: size, due: second + ReplaceSeconds, replaces: true}
}

// Resize asks for another size in place. It takes a tenth of a second, so it is there in the next.
func (c *Container) Resize(second int, size Memory) {
	c.pending = &change{size: size, due: second + 1}
}

// Evict ends the Pod at once; another, of another size, takes its place.
func (c *Container) Evict(second int, size Memory) {
	if size != c.size {
		c.counts.Changes++
	}
	c.size = size
	c.newPod(second, ReplaceSeconds)
}

// Size that the container has.
func (c *Container) Size() Memory { return c.size }

// Sample is the newest that the source shows of this process; zero when there is none.
func (c *Container) Sample() scaling.Sample {
	if !c.running {
		return scaling.Sample{}
	}
	return c.reading.read
}

// Started is the second at which the process that runs, or the last that ran, started.
func (c *Container) Started() int { return c.started }

// PodStarted is the second at which the Pod did.
func (c *Container) PodStarted() int { return c.podStarted }

// OOMKilledAt is when the kernel last killed the container in this Pod, as its status says; zero when it did not.
func (c *Container) OOMKilledAt() time.Time { return c.killedAt }

// OOMKilledAfter is how many seconds the process had run that was killed last.
func (c *Container) OOMKilledAfter() int { return c.killedAfter }

// Replacing is true while a Pod of another size is awaited.
func (c *Container) Replacing() bool { return c.pending != nil && c.pending.replaces }

// Running is true while the process runs.
func (c *Container) Running() bool { return c.running }

// Use is what the process holds.
func (c *Container) Use() trace.Use { return c.use }

// Counts so far.
func (c *Container) Counts() Counts { return c.counts }

// Slack is the memory that is set aside for the container and not held by it. File cache does not count as held: it is
// what the kernel does with slack.
func (c *Container) Slack() int64 { return c.size.Limit - c.use.Anonymous }
