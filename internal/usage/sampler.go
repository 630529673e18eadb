package usage

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// failuresUntilUnavailable is how many readings of a node must fail in a row before its source counts as unavailable:
// one lost answer is a normal day, and would make conditions flap.
const failuresUntilUnavailable = 3

// Sampler asks a source once per tick for everything, and keeps the newest sample of each container.
type Sampler struct {
	source   Source
	scope    func(context.Context) (Scope, error)
	interval time.Duration
	keep     time.Duration
	clock    clock.WithTicker
	observer Observer
	ticks    chan time.Time

	mu      sync.RWMutex
	samples map[Container]kept
	nodes   map[string]nodeRecord
}

// kept is a sample, and when it came.
type kept struct {
	Sample
	came time.Time
}

// nodeRecord is what is known of reading one node.
type nodeRecord struct {
	// read is true once it has answered.
	read bool
	// failures in a row, 0 after a success.
	failures int
	// cause of the latest failure.
	cause string
}

// Observer is told about each pass over the source, for metrics and logs.
type Observer interface {
	// Passed is called after each pass.
	Passed(Pass)
	// ScopeFailed is called when the sampler could not learn what to read.
	ScopeFailed(err error)
}

// Pass is one reading of everything in the scope.
type Pass struct {
	// Source is the source's name.
	Source string
	// Took is how long it took, and At when it ended.
	Took time.Duration
	At   time.Time
	// Nodes is how many nodes were asked.
	Nodes int
	// Failures holds, by node name, what failed.
	Failures map[string]error
}

// SamplerOptions are the settings of a Sampler; all are required.
type SamplerOptions struct {
	Source Source
	// Scope says what to read; it is called once per tick.
	Scope func(context.Context) (Scope, error)
	// Interval between ticks.
	Interval time.Duration
	// Keep is the age from which a sample is of no use to anyone and is forgotten.
	Keep     time.Duration
	Clock    clock.WithTicker
	Observer Observer
}

// NewSampler returns a Sampler that reads nothing until Start or Tick is called.
func NewSampler(o SamplerOptions) *Sampler {
	return &Sampler{
		source: o.Source, scope: o.Scope, interval: o.Interval, keep: o.Keep, clock: o.Clock, observer: o.Observer,
		ticks:   make(chan time.Time, 1),
		samples: map[Container]kept{},
		nodes:   map[string]nodeRecord{},
	}
}

// Start ticks until the context ends.
func (s *Sampler) Start(ctx context.Context) error {
	ticker := s.clock.NewTicker(s.interval)
	defer ticker.Stop()
	for {
		s.Tick(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
	}
}

// NeedLeaderElection keeps replicas that only stand by from asking every kubelet too.
func (s *Sampler) NeedLeaderElection() bool { return true }

// Ticks delivers a value after each tick. A tick that nobody has taken yet is not repeated.
func (s *Sampler) Ticks() <-chan time.Time { return s.ticks }

// Tick reads the source once and keeps what it brought. What could not be read this time stays as it was.
func (s *Sampler) Tick(ctx context.Context) {
	scope, err := s.scope(ctx)
	if err != nil {
		s.observer.ScopeFailed(err)
		return
	}
	start := s.clock.Now()
	reading := s.source.Read(ctx, scope)
	if ctx.Err() != nil {
		return // stopping: every read has failed, and that means nothing
	}
	now := s.clock.Now()
	s.store(scope, reading, now)
	s.observer.Passed(Pass{
		Source: s.source.Name(), Took: now.Sub(start), At: now, Nodes: len(scope.Nodes), Failures: reading.Failures,
	})
	select {
	case s.ticks <- now:
	default:
	}
}

func (s *Sampler) store(scope Scope, reading Reading, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c, sample := range reading.Samples {
		if known, ok := s.samples[c]; !ok || sample.replaces(known.Sample, now) {
			s.samples[c] = kept{Sample: sample, came: now}
		}
	}
	// By the clock of a node that is ahead, a sample stays young long after it was taken.
	maps.DeleteFunc(s.samples, func(_ Container, k kept) bool { return now.Sub(k.Time) > s.keep || now.Sub(k.came) > s.keep })

	nodes := make(map[string]nodeRecord, len(scope.Nodes))
	for _, node := range scope.Nodes {
		record := nodeRecord{read: true}
		if err := reading.Failures[node.Name]; err != nil {
			before := s.nodes[node.Name]
			record = nodeRecord{read: before.read, failures: before.failures + 1, cause: Cause(err)}
		}
		nodes[node.Name] = record
	}
	s.nodes = nodes
}

// replaces is true for a newer sample, and for any other than one from the future: once a node's clock that was ahead is
// set right, what it says is older than what it said before.
func (s Sample) replaces(known Sample, now time.Time) bool {
	return s.Time.After(known.Time) || known.Time.After(now) && !s.Time.Equal(known.Time)
}

// Newest returns the newest sample of a container.
func (s *Sampler) Newest(c Container) (Sample, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, ok := s.samples[c]
	return k.Sample, ok
}

// State of the source, as far as some nodes are concerned.
type State int

// The states of a source.
const (
	// NotRead: none of the nodes has answered yet, nor failed for long.
	NotRead State = iota
	// Available: the nodes answer, or have failed only for a moment.
	Available
	// Partial: some nodes answer, and some have failed several times in a row.
	Partial
	// Unavailable: no node answers, and some have failed several times in a row.
	Unavailable
)

// Health says whether the nodes' containers can be read and, when not, why, in words that stay the same while the
// cause does.
func (s *Sampler) Health(nodes []string) (State, string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	state, failing := NotRead, map[string][]string{}
	for _, node := range nodes {
		switch record := s.nodes[node]; {
		case record.failures >= failuresUntilUnavailable:
			failing[record.cause] = append(failing[record.cause], node)
		case record.read:
			state = Available
		}
	}
	if len(failing) == 0 {
		return state, ""
	}
	if state == Available {
		return Partial, describe(s.source.Name(), failing)
	}
	return Unavailable, describe(s.source.Name(), failing)
}

// describe groups nodes by cause: one broken certificate authority is one sentence, not a hundred.
func describe(source string, failing map[string][]string) string {
	sentences := make([]string, 0, len(failing))
	for _, cause := range slices.Sorted(maps.Keys(failing)) {
		nodes := slices.Compact(slices.Sorted(slices.Values(failing[cause])))
		sentences = append(sentences, cause+" for "+someOf(nodes))
	}
	return "the " + source + " source fails: " + strings.Join(sentences, "; ")
}

// someOf names at most three nodes, so that a message does not change with every node of a large cluster.
func someOf(nodes []string) string {
	const named = 3
	if len(nodes) <= named {
		return "node " + strings.Join(nodes, ", ")
	}
	return "node " + strings.Join(nodes[:named], ", ") + " and others"
}
