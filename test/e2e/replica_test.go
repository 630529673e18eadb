package e2e

import (
	"context"
	"errors"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/test/install"
)

func TestAnOperatorKilledInTheMiddleOfARolloutRaisesOnce(t *testing.T) {
	s := prepare(t)
	hog := memhog(s).Holds(300).AvailableAfter(40 * time.Second).Deploy().Runs()
	s.alone()
	killed := s.theOperatorLeads()
	monitor := s.monitor("johnny-cache", 75, 2)

	hog.IsGiven("512Mi/768Mi")
	s.kill(killed)
	if err := rolledOut(hog.now()); err == nil {
		t.Fatal("the rollout was complete before the operator was killed")
	}
	s.anotherLeads(killed)
	s.WasDecided("RolloutInProgress") // the successor finds it in the middle
	hog.BecomesSized("512Mi/768Mi")
	s.IsDecided("Normal", 2)
	hog.RolledOutOnce()
	monitor.HasRaised(1)
	monitor.IsWatching(1)
	s.NobodyDied()
}

func TestOfTwoReplicasOneActsAndTheOtherTakesOver(t *testing.T) {
	s := prepare(t)
	hog := memhog(s).Paused().Holds(300).Deploy().Runs()
	s.alone()
	s.monitor("johnny-cache", 75, 2)
	s.scaleOperator(2)
	leader := s.theOperatorLeads()
	standby := s.otherOperatorPod(leader)
	s.IsDecided("Paused", 2)
	s.hasActed(leader, true)
	s.hasActed(standby, false)

	s.deleteForGood(leader)
	if successor := s.anotherLeads(leader); successor.UID != standby.UID {
		t.Errorf("Pod %s leads, want %s, which stood by", successor.Name, standby.Name)
	}
	hog.Annotate(v1.PausedAnnotation, "")
	hog.BecomesSized("512Mi/768Mi")
	s.hasActed(standby, true)
	hog.RolledOutOnce()
	s.NobodyDied()
}

func TestTheOperatorStopsByItself(t *testing.T) {
	s := prepare(t)
	s.alone()
	pod := s.theOperatorLeads()
	watching, err := env.clients.CoreV1().Pods(pod.Namespace).Watch(t.Context(),
		metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", pod.Name).String()})
	must(t, err)
	defer watching.Stop()

	begin := time.Now()
	must(t, env.client.Delete(t.Context(), pod))
	last := untilGone(t, watching)
	took := time.Since(begin)
	if len(last.Status.ContainerStatuses) == 0 || last.Status.ContainerStatuses[0].State.Terminated == nil {
		t.Fatalf("how the operator ended is not known: %+v", last.Status)
	}
	end := last.Status.ContainerStatuses[0].State.Terminated
	t.Logf("the operator ended after %.1f s, exit code %d, %s", took.Seconds(), end.ExitCode, end.Reason)
	if end.ExitCode != 0 || end.Reason != "Completed" {
		t.Errorf("the operator ended with exit code %d (%s), want 0", end.ExitCode, end.Reason)
	}
	if grace := time.Duration(*last.Spec.TerminationGracePeriodSeconds) * time.Second; took >= grace {
		t.Errorf("the operator took %s to end, no less than the %s after which it is killed", took, grace)
	}
	s.anotherLeads(pod)
}

// untilGone returns the last that was seen of the only Pod that is watched.
func untilGone(t *testing.T, watching watch.Interface) *corev1.Pod {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	var last *corev1.Pod
	for {
		select {
		case event, open := <-watching.ResultChan():
			if !open {
				t.Fatal("the watch ended early")
			}
			if pod, isPod := event.Object.(*corev1.Pod); isPod {
				last = pod
			}
			if event.Type == watch.Deleted {
				return last
			}
		case <-timeout.C:
			t.Fatalf("the Pod is not gone after %s: %+v", patience, last)
		}
	}
}

// scaleOperator changes the number of replicas until the story ends.
func (s *story) scaleOperator(replicas int32) {
	s.t.Helper()
	s.undo("scale the operator back", func(ctx context.Context) error {
		return errors.Join(scaleOperator(ctx, 1), install.WaitAvailable(ctx, env.client, install.OperatorKey, patience))
	})
	must(s.t, scaleOperator(s.t.Context(), replicas))
}

func scaleOperator(ctx context.Context, replicas int32) error {
	var d appsv1.Deployment
	if err := env.client.Get(ctx, install.OperatorKey, &d); err != nil {
		return err
	}
	before := d.DeepCopy()
	d.Spec.Replicas = &replicas
	return env.client.Patch(ctx, &d, client.MergeFrom(before))
}

// deleteForGood makes a Pod of the operator the one that goes when there is to be one replica less. One that is only
// deleted is replaced at once, and its replacement can be the first to take the Lease.
func (s *story) deleteForGood(pod *corev1.Pod) {
	s.t.Helper()
	annotate(s.t, pod.DeepCopy(), corev1.PodDeletionCost, "-1000")
	must(s.t, scaleOperator(s.t.Context(), 1))
}

func (s *story) otherOperatorPod(than *corev1.Pod) *corev1.Pod {
	s.t.Helper()
	pods, err := operatorPods(s.t.Context())
	must(s.t, err)
	for i := range pods {
		if pods[i].UID != than.UID {
			return &pods[i]
		}
	}
	s.t.Fatal("there is no other Pod of the operator")
	return nil
}

// hasActed checks whether a Pod of the operator has read memory use and decided anything.
func (s *story) hasActed(pod *corev1.Pod, want bool) {
	s.t.Helper()
	all, err := families(s.t.Context(), pod)
	must(s.t, err)
	reads, decisions := sum(all["memhog_source_reads_total"], nil), sum(all["memhog_decisions_total"], nil)
	if (reads > 0) != want || (decisions > 0) != want {
		s.t.Errorf("Pod %s has read %v times and decided %v times; should it have: %t", pod.Name, reads, decisions, want)
	}
}
