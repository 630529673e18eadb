package e2e

import (
	"context"
	"fmt"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

func TestAGrowingContainerIsRescuedInPlaceAgainAndAgain(t *testing.T) {
	s := tell(t)
	hog := memhog(s).Grows(3).From(270).To(620).Deploy() // slower than what the kubelet's samples are surely enough for
	pod := hog.Stays()
	johnny := s.sampleMonitor()

	pod.BecomesSized("512Mi/768Mi")
	s.HasEvent(hog.applied, "Normal", "", "raised memory of container memhog in place from 256Mi/384Mi to 512Mi/768Mi")
	pod.BecomesSized("1Gi/1536Mi")
	s.HasEvent(hog.applied, "Normal", "", "raised memory of container memhog in place from 512Mi/768Mi to 1Gi/1536Mi")
	hog.HasLearned(`{"memhog":{"request":"1Gi","limit":"1536Mi"}}`)
	johnny.HasRaised(1)
	johnny.Says("Ready=True/Watching")
	johnny.Says("Constrained=False/Unconstrained")

	hog.Reaches(620)
	pod.WasNeverRestarted()
	pod.AsksForNothing()
	hog.IsUntouchedButForNotes()
	s.KernelKilledNothing()
	s.NobodyDied()
}

func TestWhatWasLearnedLasts(t *testing.T) {
	s := tell(t)
	s.inPlace("lasting")
	hog := memhog(s).Small().Deploy()
	const large = "128Mi/192Mi"
	first := hog.Stays().BecomesSized(large)
	hog.HasLearned(`{"memhog":{"request":"128Mi","limit":"192Mi"}}`)
	births := s.watchBirths()

	// A node is drained.
	must(t, env.clients.CoreV1().Pods(s.namespace).EvictV1(t.Context(), &policyv1.Eviction{
		ObjectMeta: metav1.ObjectMeta{Name: first.pod.Name, Namespace: s.namespace},
	}))
	first.IsGone()
	hog.Runs()
	births.allAre(1, large)
	// The user releases something else, and scales out.
	hog.NowHolds(77)
	hog.Runs()
	births.allAre(2, large)
	hog.scale(3)
	hog.Runs()
	births.allAre(4, large)
	hog.WasBornRight()
	s.NobodyDied()
}

func TestTheUserIsFollowed(t *testing.T) {
	s := tell(t)
	monitor := s.inPlace("obedient")
	hog := memhog(s).Small().Deploy()
	first := hog.Stays().BecomesSized("128Mi/192Mi")
	hog.HasLearned(`{"memhog":{"request":"128Mi","limit":"192Mi"}}`)

	// What was learned is taken away: a new Pod has what the template says, until it shows again that it needs more.
	monitor.Annotate(v1.PausedAnnotation, "true")
	monitor.Says("Ready=False/Paused")
	births := s.watchBirths()
	hog.Annotate(v1.DurableSizeAnnotation, "")
	must(t, env.client.Delete(t.Context(), first.pod))
	first.IsGone()
	second := hog.Stays()
	births.allAre(1, "64Mi/96Mi")
	monitor.Annotate(v1.PausedAnnotation, "")
	second.BecomesSized("128Mi/192Mi")
	hog.HasLearned(`{"memhog":{"request":"128Mi","limit":"192Mi"}}`)

	// The template says more than was learned.
	hog.NowSized("150Mi/300Mi")
	hog.Runs()
	births.allAre(2, "")
	hog.HasLearned("")
	hog.Stays().BecomesSized("150Mi/300Mi")
	s.NobodyDied()
}

func TestAnOOMKilledContainerRecoversInPlace(t *testing.T) {
	ownOnly(t, "its processes are out of reach")
	s := tell(t)
	monitor := s.inPlace("rescuer")
	hog := memhog(s).Sized("64Mi/96Mi").Holds(10).HoldsWhenSignalled(130).Deploy()
	pod := hog.Stays()

	// More than the limit before anyone can take a sample.
	s.heats(pod.pod)
	hog.IsOOMKilled(1)
	pod.BecomesSized("128Mi/192Mi")
	monitor.LastChanged(hog, "Raise of memhog from 64Mi/96Mi to 128Mi/192Mi: OOMKilled")
	s.HasEvent(hog.applied, "Normal", "OOMKilled", "in place from 64Mi/96Mi to 128Mi/192Mi", "was OOM-killed at")
	hog.HasLearned(`{"memhog":{"request":"128Mi","limit":"192Mi"}}`)

	// It uses what it was given.
	s.stays(pod.pod)
	s.heats(pod.pod)
	hog.Reaches(130)
	s.IsDecided("Normal", 3)
	hog.IsOOMKilled(1)
	pod.BecomesSized("128Mi/192Mi")
	hog.IsUntouchedButForNotes()
}

func TestOneHotReplicaGrowsAloneUntilHalfOfThemAreHot(t *testing.T) {
	ownOnly(t, "its processes are out of reach")
	s := tell(t)
	s.inPlace("fair")
	hog := memhog(s).Sized("32Mi/64Mi").Holds(10).HoldsWhenSignalled(52).Replicas(4).Deploy().Runs()
	pods, err := hog.pods(t.Context())
	must(t, err)
	s.heats(&pods[0])
	s.stays(&pods[0]).BecomesSized("64Mi/128Mi")
	s.IsDecided("Normal", 8)
	hog.HasLearned("")
	for i := range pods[1:] {
		s.stays(&pods[1+i]).BecomesSized("32Mi/64Mi")
	}
	s.heats(&pods[1])
	for i := range pods {
		s.stays(&pods[i]).BecomesSized("64Mi/128Mi").WasNeverRestarted()
	}
	hog.HasLearned(`{"memhog":{"request":"64Mi","limit":"128Mi"}}`)
	hog.IsUntouchedButForNotes()
	s.NobodyDied()
}

// IsUntouchedButForNotes checks that the Deployment is as it was applied, and at the same generation, but for the operator's
// annotations.
func (d *deployment) IsUntouchedButForNotes() {
	d.story.t.Helper()
	now := d.now()
	for _, note := range []string{v1.RecordAnnotation, v1.DurableSizeAnnotation} {
		if now.Annotations[note] == "" {
			d.story.t.Errorf("%s carries no annotation %s", d.applied.Name, note)
		}
	}
	if now.Generation != d.applied.Generation+d.written || now.Annotations[revisionAnnotation] != "1" {
		d.story.t.Errorf("%s is at generation %d and revision %s", d.applied.Name, now.Generation, now.Annotations[revisionAnnotation])
	}
	if err := compareSizes([]string{sizes(d.applied.Spec.Template.Spec.Containers)}, now.Spec.Template.Spec.Containers); err != nil {
		d.story.t.Errorf("the template of %s: %v", d.applied.Name, err)
	}
}

// HasLearned waits until the annotation with the durable size says this; nothing when it is empty.
func (d *deployment) HasLearned(want string) {
	d.story.t.Helper()
	d.story.awaits(fmt.Sprintf("%s has learned %q", d.applied.Name, want), func(ctx context.Context) error {
		now, err := d.get(ctx)
		if err == nil && now.Annotations[v1.DurableSizeAnnotation] != want {
			return fmt.Errorf("it says %q", now.Annotations[v1.DurableSizeAnnotation])
		}
		return err
	})
}

// NowSized releases a new version of the workload with a size of the user's own.
func (d *deployment) NowSized(size string) {
	d.story.t.Helper()
	now := d.now()
	before := now.DeepCopy()
	now.Spec.Template.Spec.Containers[0].Resources = memory(size)
	must(d.story.t, env.client.Patch(d.story.t.Context(), now, client.StrategicMergeFrom(before), client.FieldOwner("kubectl")))
	d.written++
	d.released++
}

// births are the sizes that Pods were created with.
type births struct {
	story *story
	sizes func() map[string]string
	known map[string]string
}

// watchBirths begins with the Pods that there are, which do not count.
func (s *story) watchBirths() *births {
	s.t.Helper()
	b := &births{story: s, sizes: s.witness.born}
	b.known = b.sizes()
	return b
}

// allAre waits until so many Pods were born, and checks that all of them had the size; any, when it is empty.
func (b *births) allAre(count int, size string) {
	b.story.t.Helper()
	b.story.awaits(fmt.Sprintf("%d Pods were born", count), func(context.Context) error {
		if n := len(b.sizes()) - len(b.known); n != count {
			return fmt.Errorf("there were %d", n)
		}
		return nil
	})
	for name, born := range b.sizes() {
		if _, before := b.known[name]; !before && size != "" && born != size {
			b.story.t.Errorf("Pod %s was born with %s, want %s", name, born, size)
		}
	}
}

// WasBornRight checks that all replicas have run from their first second on, without a resize.
func (d *deployment) WasBornRight() {
	d.story.t.Helper()
	pods, err := d.pods(d.story.t.Context())
	must(d.story.t, err)
	for i := range pods {
		for _, f := range pods[i].ManagedFields {
			if f.Subresource == "resize" {
				d.story.t.Errorf("Pod %s was resized by %s", pods[i].Name, f.Manager)
			}
		}
		d.story.stays(&pods[i]).WasNeverRestarted()
	}
}

// heats makes one of several replicas hold more than the others.
func (s *story) heats(pod *corev1.Pod) {
	s.t.Helper()
	s.awaits("the program of Pod "+pod.Name+" can be told", func(ctx context.Context) error {
		_, err := heldBy(ctx, pod, pod.Spec.Containers[0].Name)
		return err
	})
	must(s.t, signalProcesses(env.cluster.Cgroup(), pod, syscall.SIGUSR1))
}
