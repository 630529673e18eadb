package usage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clocktesting "k8s.io/utils/clock/testing"
)

const (
	testInterval = 5 * time.Second
	testKeep     = time.Minute
)

var twoNodes = Scope{
	Namespaces: []string{"default"},
	Nodes:      []Node{{Name: "node-1", Address: "192.0.2.1"}, {Name: "node-2", Address: "192.0.2.2"}},
}

// world is what a sampler meets in these tests, and what came of it.
type world struct {
	clock   *clocktesting.FakeClock
	sampler *Sampler
	// scope to read, unless scopeErr says why it is not known.
	scope    Scope
	scopeErr error
	// next is what the source answers.
	next Reading
	// reading is called while the source is read.
	reading func()

	asked []Scope
	told  []string
}

func newWorld() *world {
	w := &world{clock: clocktesting.NewFakeClock(noon), scope: twoNodes, next: newReading(), reading: func() {}}
	w.sampler = NewSampler(SamplerOptions{
		Source:   (*worldSource)(w),
		Scope:    func(context.Context) (Scope, error) { return w.scope, w.scopeErr },
		Interval: testInterval,
		Keep:     testKeep,
		Clock:    w.clock,
		Observer: (*worldObserver)(w),
	})
	return w
}

type worldSource world

func (*worldSource) Name() string { return "kubelet" }

func (w *worldSource) Read(_ context.Context, scope Scope) Reading {
	w.asked = append(w.asked, scope)
	w.reading()
	return w.next
}

type worldObserver world

func (w *worldObserver) Passed(pass Pass) {
	w.told = append(w.told, fmt.Sprintf("%s took %s until %s, failed for %v of %d nodes",
		pass.Source, pass.Took, pass.At.Format(time.TimeOnly), slices.Sorted(maps.Keys(pass.Failures)), pass.Nodes))
}

func (w *worldObserver) ScopeFailed(err error) { w.told = append(w.told, "scope: "+err.Error()) }

// says makes the source answer with a sample of the container memhog from now on.
func (w *world) says(bytes int64, at time.Time) {
	w.next.Samples = map[Container]Sample{container("memhog"): {Bytes: bytes, Time: at}}
}

// fails makes the source fail for these nodes from now on, and for no others.
func (w *world) fails(err error, nodes ...string) {
	w.next.Failures = map[string]error{}
	for _, node := range nodes {
		w.next.Failures[node] = err
	}
}

// tick lets one interval pass and the sampler read.
func (w *world) tick(t *testing.T) {
	t.Helper()
	w.clock.Step(testInterval)
	w.sampler.Tick(t.Context())
}

func (w *world) wantNewest(t *testing.T, reason string, want *Sample) {
	t.Helper()
	var got *Sample
	if sample, ok := w.sampler.Newest(container("memhog")); ok {
		got = &sample
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", reason, diff)
	}
}

func TestSamplerReadsOncePerTickForEverything(t *testing.T) {
	w := newWorld()
	w.reading = func() { w.clock.Step(200 * time.Millisecond) }
	w.fails(StatusError{Code: 500}, "node-2")
	w.sampler.Tick(t.Context())
	w.sampler.Tick(t.Context())
	if diff := cmp.Diff([]Scope{twoNodes, twoNodes}, w.asked); diff != "" {
		t.Errorf("readings (-want +got):\n%s", diff)
	}
	want := []string{
		"kubelet took 200ms until 12:00:00, failed for [node-2] of 2 nodes",
		"kubelet took 200ms until 12:00:00, failed for [node-2] of 2 nodes",
	}
	if diff := cmp.Diff(want, w.told); diff != "" {
		t.Errorf("the observer is told (-want +got):\n%s", diff)
	}
}

func TestSamplerKnowsNothingBeforeTheFirstTick(t *testing.T) {
	w := newWorld()
	w.wantNewest(t, "nothing was read yet", nil)
	if len(w.asked) != 0 {
		t.Errorf("the source was asked for %v", w.asked)
	}
}

func TestSamplerKeepsTheNewestSample(t *testing.T) {
	w := newWorld()
	w.says(100, noon)
	w.tick(t)
	w.wantNewest(t, "a sample is kept", &Sample{Bytes: 100, Time: noon})

	w.says(200, noon.Add(time.Second))
	w.tick(t)
	w.wantNewest(t, "a newer one takes its place", &Sample{Bytes: 200, Time: noon.Add(time.Second)})

	w.says(300, noon)
	w.tick(t)
	w.wantNewest(t, "an older one does not", &Sample{Bytes: 200, Time: noon.Add(time.Second)})

	w.next = newReading()
	w.fails(errors.New("gone"), "node-1")
	w.tick(t)
	w.wantNewest(t, "what cannot be read this time stays as it was", &Sample{Bytes: 200, Time: noon.Add(time.Second)})
}

func TestSamplerForgetsSamplesThatAreOfNoUse(t *testing.T) {
	w := newWorld()
	w.says(100, noon)
	w.sampler.Tick(t.Context())
	w.next = newReading()

	w.clock.SetTime(noon.Add(testKeep))
	w.sampler.Tick(t.Context())
	w.wantNewest(t, "a sample exactly as old as allowed is kept", &Sample{Bytes: 100, Time: noon})

	w.clock.Step(1)
	w.sampler.Tick(t.Context())
	w.wantNewest(t, "a moment later it is forgotten", nil)
}

func TestSamplerIsNotMisledByANodesClock(t *testing.T) {
	ahead := noon.Add(time.Hour)
	t.Run("what a node said before its clock was set right gives way to what it says now", func(t *testing.T) {
		w := newWorld()
		w.says(100, ahead)
		w.tick(t)
		w.wantNewest(t, "a sample from the future is a sample", &Sample{Bytes: 100, Time: ahead})
		w.says(200, noon)
		w.tick(t)
		w.wantNewest(t, "the clock was set right", &Sample{Bytes: 200, Time: noon})
	})
	t.Run("a sample from the future is forgotten when nothing has come after it for long", func(t *testing.T) {
		w := newWorld()
		w.says(100, ahead)
		w.sampler.Tick(t.Context())
		w.tick(t)
		w.next = newReading()
		w.clock.SetTime(noon.Add(testKeep))
		w.sampler.Tick(t.Context())
		w.wantNewest(t, "it came a minute ago", &Sample{Bytes: 100, Time: ahead})
		w.clock.Step(1)
		w.sampler.Tick(t.Context())
		w.wantNewest(t, "it came more than a minute ago", nil)
	})
}

func TestSamplerWaitsUntilItKnowsWhatToRead(t *testing.T) {
	w := newWorld()
	w.says(100, noon)
	w.scopeErr = errors.New("no list of Pods")
	w.sampler.Tick(t.Context())
	if len(w.asked) != 0 {
		t.Errorf("the source was asked for %v", w.asked)
	}
	if diff := cmp.Diff([]string{"scope: no list of Pods"}, w.told); diff != "" {
		t.Errorf("the observer is told (-want +got):\n%s", diff)
	}
	if len(w.sampler.Ticks()) != 0 {
		t.Error("a tick is announced that brought nothing")
	}

	w.scopeErr = nil
	w.sampler.Tick(t.Context())
	w.wantNewest(t, "the next tick is as good as any", &Sample{Bytes: 100, Time: noon})
}

func TestSamplerTakesNoNoticeOfAReadingThatWasCutOff(t *testing.T) {
	w := newWorld()
	ctx, cancel := context.WithCancel(t.Context())
	w.reading = cancel
	w.fails(context.Canceled, "node-1", "node-2")
	w.sampler.Tick(ctx)
	if state, _ := w.sampler.Health([]string{"node-1"}); state != NotRead {
		t.Errorf("the state is %v", state)
	}
	if len(w.told) != 0 || len(w.sampler.Ticks()) != 0 {
		t.Errorf("it is told of: %v, %d ticks", w.told, len(w.sampler.Ticks()))
	}
}

func TestTicksDoNotPileUpWhileNobodyTakesThem(t *testing.T) {
	w := newWorld()
	for range 3 {
		w.tick(t)
	}
	if got := <-w.sampler.Ticks(); !got.Equal(noon.Add(testInterval)) {
		t.Errorf("the tick that waited is of %s", got)
	}
	if n := len(w.sampler.Ticks()); n != 0 {
		t.Errorf("%d more ticks wait", n)
	}
	w.tick(t)
	if got := <-w.sampler.Ticks(); !got.Equal(noon.Add(4 * testInterval)) {
		t.Errorf("the next tick is of %s", got)
	}
}

func TestSamplerTicksFromStartUntilItsContextEnds(t *testing.T) {
	w := newWorld()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- w.sampler.Start(ctx) }()
	for i := range 3 {
		want := noon.Add(time.Duration(i) * testInterval)
		if got := <-w.sampler.Ticks(); !got.Equal(want) {
			t.Errorf("tick %d is of %s, want %s", i, got, want)
		}
		if i < 2 {
			w.clock.Step(testInterval)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("it ends with %v", err)
	}
	if len(w.asked) != 3 {
		t.Errorf("the source was asked %d times in 3 ticks", len(w.asked))
	}
}

func TestOnlyTheReplicaThatActsReads(t *testing.T) {
	if !newWorld().sampler.NeedLeaderElection() {
		t.Error("every replica would ask every kubelet")
	}
}
