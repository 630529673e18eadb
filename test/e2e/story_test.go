package e2e

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kubedemo/memhog-operator/test/install"
	"github.com/kubedemo/memhog-operator/test/prometheus"
)

// poll is how often a condition that is waited for is looked at. One look costs a request or two.
const poll = 500 * time.Millisecond

// places is how many stories go on at a time. More would have a small machine so busy that the kubelet has no samples
// to give, which is what the stories wait for.
var places = make(chan struct{}, 8)

// story is one test, in a namespace of its own.
type story struct {
	t         *testing.T
	namespace string
	witness   *witness
	// patience is how long the story waits for anything.
	patience time.Duration
	// leave gives the story's place to another one.
	leave func()
	// turn waits until the operator is the story's alone.
	turn func()
}

// operatorTurns keeps those apart who disturb the operator and those who count on it.
var operatorTurns sync.RWMutex

// tell begins a story that leaves the operator alone. It runs beside others of its kind, as soon as there is a place.
func tell(t *testing.T) *story {
	t.Helper()
	skipWhereNothingRuns(t)
	// Before Parallel, which lets no test go on before all have come this far: so all stories of this kind come first,
	// and those that want the operator for themselves come after them, not in between.
	operatorTurns.RLock()
	t.Cleanup(operatorTurns.RUnlock)
	t.Parallel()
	return newStory(t)
}

// prepare begins a story that will disturb the operator or needs silence. It may prepare what it wants to, beside
// others, and must then call alone.
func prepare(t *testing.T) *story {
	t.Helper()
	skipWhereNothingRuns(t)
	// While it prepares it counts on the operator as well. Registered first, so that the next one's turn begins when all is
	// cleaned up.
	operatorTurns.RLock()
	end := operatorTurns.RUnlock
	t.Cleanup(func() { end() })
	t.Parallel()
	s := newStory(t)
	s.turn = func() {
		end()
		operatorTurns.Lock()
		end = operatorTurns.Unlock
	}
	return s
}

// alone waits until no other story counts on the operator, nor is left of one what takes of the node, and then has both alone until
// the end.
func (s *story) alone() {
	s.t.Helper()
	// Those that have the operator in turn before this one may still be waiting for a place.
	s.leave()
	begin := time.Now()
	s.turn()
	s.t.Logf("%5.1f s until other stories have ended", time.Since(begin).Seconds())
	begin = time.Now()
	s.t.Cleanup(func() { s.t.Logf("%5.1f s were had alone", time.Since(begin).Seconds()) })
	s.noPodIsGoing()
	s.theOperatorLeads()
}

// noPodIsGoing waits for the end of the Pods that other stories leave.
func (s *story) noPodIsGoing() {
	s.t.Helper()
	s.awaits("no Pod is going", func(ctx context.Context) error {
		stories, err := env.namespaces(ctx)
		var pods corev1.PodList
		if err := errors.Join(err, env.client.List(ctx, &pods)); err != nil {
			return err
		}
		ours := map[string]bool{install.OperatorKey.Namespace: true, prometheus.Key.Namespace: true}
		ends := map[string]bool{}
		for i := range stories {
			ours[stories[i].Name], ends[stories[i].Name] = true, stories[i].DeletionTimestamp != nil
		}
		for i := range pods.Items {
			if p := &pods.Items[i]; ours[p.Namespace] && (p.DeletionTimestamp != nil || ends[p.Namespace]) {
				return fmt.Errorf("Pod %s of namespace %s is still there", p.Name, p.Namespace)
			}
		}
		return nil
	})
}

func skipWhereNothingRuns(t *testing.T) {
	t.Helper()
	if env.missing != "" {
		t.Skip("SKIPPED:", env.missing)
	}
}

func newStory(t *testing.T) *story {
	t.Helper()
	places <- struct{}{}
	leave := sync.OnceFunc(func() { <-places })
	t.Cleanup(leave)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "memhog-e2e-",
		Labels: map[string]string{
			storyLabel:                           "true",
			"pod-security.kubernetes.io/enforce": "restricted",
		},
	}}
	must(t, env.client.Create(t.Context(), ns))
	s := &story{t: t, namespace: ns.Name, patience: patience, leave: leave}
	t.Cleanup(s.end)
	s.witness = watchPods(t, ns.Name)
	return s
}

// end shows the world of a story that failed, and lets its namespace go. It does not wait for that: only silence needs
// it gone.
func (s *story) end() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if s.t.Failed() {
		s.t.Log(describeWorld(ctx, s.namespace))
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}
	if err := env.client.Delete(ctx, ns); err != nil {
		s.t.Errorf("delete namespace %q: %v", s.namespace, err)
	}
}

// undo puts right what the story has put wrong, when the returned function is called, and at the latest when the story
// ends, also when it fails.
func (s *story) undo(what string, put func(context.Context) error) (now func()) {
	now = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := put(ctx); err != nil {
			s.t.Errorf("%s: %v", what, err)
		}
	})
	s.t.Cleanup(now)
	return now
}

// awaits asks again and again until the answer is nil. When that takes too long the story ends, with the last answer
// and the state of its world.
func (s *story) awaits(what string, ask func(context.Context) error) {
	s.t.Helper()
	begin := time.Now()
	var answer error
	err := wait.PollUntilContextTimeout(s.t.Context(), poll, s.patience, true, func(ctx context.Context) (bool, error) {
		latest := ask(ctx)
		if latest == nil || answer == nil || ctx.Err() == nil { // that time is over says nothing
			answer = latest
		}
		return latest == nil, nil
	})
	if err != nil {
		s.t.Fatalf("waited %s for this, in vain: %s\nat last: %v", s.patience, what, answer)
	}
	s.t.Logf("%5.1f s until %s", time.Since(begin).Seconds(), what)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
