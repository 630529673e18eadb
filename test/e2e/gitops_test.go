package e2e

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestAGitOpsControllerThatTakesARaiseBackIsNotFought(t *testing.T) {
	s := tell(t)
	monitor := s.monitor("peaceful", 75, 2)
	git := s.gitOps(memhog(s).Small())
	hog := git.hog

	s.awaits("the raise is taken back", func(context.Context) error {
		if git.corrections.Load() == 0 {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	s.HasEvent(hog.applied, "Normal", "AboveThreshold", "raised memory of container memhog from 64Mi/96Mi to 128Mi/192Mi")
	s.HasEvent(hog.applied, "Warning", "Overridden", "memory of container memhog is not raised", "somebody else put back")
	monitor.Says("Constrained=True/Overridden", "container memhog of Deployment/memhog")
	monitor.Decided(hog, "Hold of memhog at 64Mi/96Mi: Overridden")
	monitor.HasHeld(1)
	monitor.HasRaised(0)

	s.IsDecided("Overridden", 5)
	s.HasOneEvent(hog.applied, "Overridden")
	hog.BecomesSized("64Mi/96Mi")
	hog.WasWritten(1 + git.corrections.Load())
	if n := git.corrections.Load(); n != 1 {
		t.Errorf("the raise was taken back %d times, want once", n)
	}
}

// gitOps is a controller that keeps a Deployment as its manifest says.
type gitOps struct {
	hog         *deployment
	corrections atomic.Int64
}

// gitOps applies the Deployment as a GitOps controller does, all of it and by force, and once a second again when its
// memory is no longer that of the manifest, until the story ends.
func (s *story) gitOps(h *hog) *gitOps {
	s.t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(h.deployment)
	must(s.t, err)
	delete(content, "status")
	manifest := &unstructured.Unstructured{Object: content}
	apply := func(ctx context.Context) error {
		// What is applied is overwritten by what comes of it.
		return env.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(manifest.DeepCopy()),
			client.FieldOwner("gitops"), client.ForceOwnership)
	}
	want := []string{sizes(h.deployment.Spec.Template.Spec.Containers)}
	must(s.t, apply(s.t.Context()))
	must(s.t, env.client.Get(s.t.Context(), client.ObjectKeyFromObject(h.deployment), h.deployment))
	g := &gitOps{hog: &deployment{story: s, applied: h.deployment}}
	correct := func(ctx context.Context) error {
		now, err := g.hog.get(ctx)
		if err != nil || compareSizes(want, now.Spec.Template.Spec.Containers) == nil {
			return err
		}
		g.corrections.Add(1)
		return apply(ctx)
	}
	s.every(time.Second, correct)
	return g
}

// every does something again and again beside the story, until it ends.
func (s *story) every(period time.Duration, do func(context.Context) error) {
	ctx := s.t.Context()
	var running sync.WaitGroup
	running.Go(func() {
		ticks := time.NewTicker(period)
		defer ticks.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticks.C:
				if err := do(ctx); err != nil && ctx.Err() == nil {
					s.t.Errorf("beside the story: %v", err)
				}
			}
		}
	})
	s.t.Cleanup(running.Wait)
}
