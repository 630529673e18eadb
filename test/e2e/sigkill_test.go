package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubedemo/memhog-operator/test/install"
)

const (
	// kills is how often the operator is killed while so many Pods grow.
	kills   = 20
	growing = 10
)

func TestAnOperatorThatIsKilledAgainAndAgainLosesAndRepeatsNothing(t *testing.T) {
	ownOnly(t, "its process and the audit log are out of reach")
	s := prepare(t)
	s.alone()
	// A successor need not wait until the Lease of the dead one ends: it is to be killed again soon.
	s.undo("take the flags from the operator", func(ctx context.Context) error { return env.install(ctx) })
	must(t, env.install(t.Context(), "--leader-elect=false"))
	s.inPlace("unmoved")
	begin := time.Now()
	// Above the threshold of 384Mi after some seconds, and above that of 768Mi after two minutes.
	hogs := make([]*deployment, 0, growing)
	for i := range growing {
		hog := memhog(s).Named(fmt.Sprintf("grows-%d", i)).Grows(2.5).From(270).To(600)
		hogs = append(hogs, hog.Deploy())
	}
	for i := range kills {
		// From the moment that it begins to act on, somewhere in its tick.
		pod := s.theOperatorActs()
		pause := time.NewTimer(time.Duration(rand.Int64N(int64(7 * time.Second))))
		select {
		case <-pause.C:
		case <-t.Context().Done():
			t.Fatal("interrupted")
		}
		t.Logf("%5.1f s: kill %d", time.Since(begin).Seconds(), i+1)
		s.kill(pod)
	}
	s.theOperatorActs()

	for _, hog := range hogs {
		hog.Stays().BecomesSized("1Gi/1536Mi").WasNeverRestarted()
		hog.HasLearned(`{"memhog":{"request":"1Gi","limit":"1536Mi"}}`)
		hog.IsUntouchedButForNotes()
	}
	s.eachWasResized(begin, growing, 2)
	s.KernelKilledNothing()
	s.NobodyDied()
}

// theOperatorActs waits until a Pod of the operator is Ready, and no other is there.
func (s *story) theOperatorActs() *corev1.Pod {
	s.t.Helper()
	var one *corev1.Pod
	s.awaits("the operator acts", func(ctx context.Context) error {
		pods, err := operatorPods(ctx)
		switch {
		case err != nil:
			return err
		case len(pods) != 1:
			return fmt.Errorf("it has %d Pods", len(pods))
		case !isReady(&pods[0]):
			return errors.New(install.State(&pods[0]))
		}
		one = &pods[0]
		return nil
	})
	return one
}

// eachWasResized checks in the API server's audit log that so many Pods of the story were resized so many times each.
func (s *story) eachWasResized(since time.Time, pods, times int) {
	s.t.Helper()
	writes, _ := operatorWrites(s.t, since, time.Now())
	counts := map[string]int{}
	for _, w := range writes {
		if w.ObjectRef.Namespace == s.namespace && w.ObjectRef.Subresource == "resize" && w.ResponseStatus.Code == http.StatusOK {
			counts[w.ObjectRef.Name]++
		}
	}
	if len(counts) != pods {
		s.t.Errorf("%d Pods were resized, want %d", len(counts), pods)
	}
	for name, n := range counts {
		if n != times {
			s.t.Errorf("Pod %s was resized %d times, want %d", name, n, times)
		}
	}
}
