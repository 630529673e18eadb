// Package agent is the operator's fast path: it runs on a node, reads the memory of that node's annotated Pods where the kernel
// keeps account of it, and raises it in place before the kernel kills. It decides as the operator does, by the same rules, and
// does nothing but raise in place: it restarts, evicts, rolls out and lowers nothing, and leaves the durable size, the status and
// the account to the operator, which learns of raises from the Pods themselves. What it has to know of a Pod's workload the
// operator notes on the Pod.
//
// It looks at a container not every so often but by a deadline: before the container could have reached its limit at the
// guaranteed fill rate.
package agent

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubedemo/memhog-operator/internal/policies"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// Groups finds the control groups of containers.
type Groups interface {
	// Open opens the group of a container, by its ID as its Pod's status has it, or that of the Pod itself, for an empty one. It
	// is an fs.ErrNotExist when there is none.
	Open(pod, id string) (group, error)
}

// Options of an Agent.
type Options struct {
	// Client reads the node's Pods, the node and the AppMonitors from a cache, and writes to the API server.
	Client client.Client
	// Node that the agent runs on.
	Node string
	// Rate is the guaranteed fill rate, in bytes per second.
	Rate   int64
	Groups Groups
	Server *workload.Discoverer
	Clock  clock.WithTicker
	Log    logr.Logger
	// Report is told how the guarantee stands, whenever that changes. It must not block.
	Report func(Guarantee)
}

// Agent watches the containers of one node. All that it knows is touched by one goroutine.
type Agent struct {
	Options

	// changed tells that the cache has something new, and answers are those of the API server.
	changed chan struct{}
	answers chan answer
	// newRules is true when what holds for all Pods has changed, and server is what the API server can.
	newRules atomic.Bool
	server   atomic.Pointer[workload.Server]
	// beat is when the loop last went round, in nanoseconds since the agent was born: whoever sets the node's clock changes nothing.
	born time.Time
	beat atomic.Int64

	queue      queue
	containers map[slot]*container
	// versions are those of the Pods that were looked at, and owners are the AppMonitors of each namespace.
	versions map[types.UID]string
	// takes is what each Pod takes of the node, whoever's it is.
	takes map[types.UID]takes
	// read is true once the cache was looked at.
	read   bool
	owners map[string][]policies.Candidate
	// abilities are what can be done to Pods of the node.
	abilities workload.Abilities

	latency   latency
	lateness  lateness
	pace      pace
	guarantee guarantee
}

// answer is what became of a resize that the API server was asked for.
type answer struct {
	container *container
	raise     raise
	pod       *corev1.Pod
	err       error
}

// takes is what a Pod takes of its node, in bytes, by a version of it.
type takes struct {
	version string
	bytes   int64
}

// New returns an agent that has not started.
func New(o Options) *Agent {
	return &Agent{
		Options: o, born: o.Clock.Now(), changed: make(chan struct{}, 1), answers: make(chan answer, parallel),
		containers: map[slot]*container{}, versions: map[types.UID]string{}, takes: map[types.UID]takes{},
	}
}

// parallel is how many answers may wait to be looked at.
const parallel = 64

// RulesChanged tells the agent that AppMonitors or the node have changed, and with them what holds for all Pods. It does not block.
func (a *Agent) RulesChanged() {
	a.newRules.Store(true)
	a.Changed()
}

// Changed tells the agent that Pods have changed. It does not block.
func (a *Agent) Changed() {
	select {
	case a.changed <- struct{}{}:
	default: // it is going to look anyway
	}
}

// Start watches until the context ends.
func (a *Agent) Start(ctx context.Context) error {
	timer := a.Clock.NewTimer(0)
	defer timer.Stop()
	defer a.close()
	a.RulesChanged()
	for {
		a.beat.Store(int64(a.Clock.Since(a.born)))
		select {
		case <-ctx.Done():
			return nil
		case <-a.changed:
			if err := a.sync(ctx); err != nil {
				return err
			}
		case answered := <-a.answers:
			a.answered(answered)
		case <-timer.C():
			a.lookAtDue(ctx)
		}
		now := a.Clock.Now()
		a.assess(now)
		wait := longest
		if c := a.queue.first(); c != nil {
			wait = min(longest, max(0, c.due.Sub(now)))
		}
		timer.Reset(wait)
	}
}

// stuckAfter is how long the loop may take to go round. What takes longer hangs for good.
const stuckAfter = time.Minute

// Watchdog ends when the loop has stopped going round: a process that is started again is better than one that sees nothing.
func (a *Agent) Watchdog(ctx context.Context) error {
	ticker := a.Clock.NewTicker(stuckAfter / 4)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
			last := time.Duration(a.beat.Load())
			if age := a.Clock.Since(a.born) - last; last > 0 && age > stuckAfter {
				return fmt.Errorf("the agent has not looked at anything for %s", age.Round(time.Second))
			}
		}
	}
}

// rediscovery is how often the Discoverer is asked, which itself knows when the API server has to be.
const rediscovery = 5 * time.Second

// Discover keeps asking the API server what it can, beside the loop, which must not wait for that.
func (a *Agent) Discover(ctx context.Context) error {
	ticker := a.Clock.NewTicker(rediscovery)
	defer ticker.Stop()
	for {
		a.discover(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
	}
}

func (a *Agent) discover(ctx context.Context) {
	server, err := a.Server.Now(ctx)
	if err != nil {
		a.Log.Error(err, "discovery failed")
		return
	}
	if known := a.server.Load(); known == nil || *known != server {
		a.server.Store(&server)
		a.RulesChanged()
	}
}

// lookAtDue looks once at all containers whose time has come. What comes due meanwhile waits for the next round, so that there is one.
func (a *Agent) lookAtDue(ctx context.Context) {
	for began := a.Clock.Now(); ; {
		c := a.queue.first()
		if c == nil || c.due.After(began) {
			return
		}
		now := a.Clock.Now()
		a.lateness.looked(c.due, now)
		a.look(ctx, c, now)
	}
}

// close lets go of all control groups.
func (a *Agent) close() {
	for _, c := range a.containers {
		c.lose()
	}
}

// lose lets go of a container's control group.
func (c *container) lose() {
	if c.group == nil {
		return
	}
	_ = c.group.Close() // it was only read
	c.group, c.limit = nil, 0
}
