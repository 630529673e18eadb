package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

func TestANodeThatIsAlmostFullCutsARaise(t *testing.T) {
	ownOnly(t, "its nodes are for others, too")
	s := prepare(t)
	monitor := s.monitor("modest", 75, 2)
	hog := memhog(s).Paused().Holds(300).Deploy().Runs()
	s.alone()
	s.otherNamespacesAreGone()
	s.IsDecided("Paused", 1)
	s.fillNodeButFor("400Mi")

	hog.Annotate(v1.PausedAnnotation, "")
	hog.BecomesSized("400Mi/600Mi")
	monitor.Decided(hog, "Raise of memhog from 256Mi/384Mi to 400Mi/600Mi: AboveThreshold, limited by NodeFull")
	hog.RolledOutOnce()
	s.NobodyDied()
}

func TestRoomThatOnlyTheKubeletKnowsOfIsFoundByHalves(t *testing.T) {
	ownOnly(t, "its nodes are for others, too")
	s := prepare(t)
	monitor := s.inPlace("guesses", func(spec *v1.AppMonitorSpec) {
		spec.MemThresholdPercent, spec.Strategy = 50, v1.StrategyInPlace
	})
	hog := memhog(s).Paused().Holds(250).Deploy().Runs()
	s.alone()
	s.otherNamespacesAreGone()
	s.operatorRunsWith("--namespace=" + s.namespace) // it does not know what others take of the node
	s.IsDecided("Paused", 1)
	s.fillNodeButFor("150Mi")

	// 256Mi more are not there; half of that is.
	pod := hog.Stays()
	hog.Annotate(v1.PausedAnnotation, "")
	s.HasEvent(hog.applied, "Warning", "NodeFull",
		"withdrew the resize of memory of container memhog in place from 512Mi/768Mi to 256Mi/384Mi")
	pod.BecomesSized("384Mi/576Mi")
	monitor.Decided(hog, "Raise of memhog from 256Mi/384Mi to 384Mi/576Mi: AboveThreshold, limited by NodeFull")
	s.IsDecided("Normal", 2)
	pod.AsksForNothing()
	pod.WasNeverRestarted()
	hog.IsUntouchedButForNotes()
	s.NobodyDied()
}

func TestANodeThatIsAlmostFullGivesWhatItHas(t *testing.T) {
	ownOnly(t, "its nodes are for others, too")
	s := prepare(t)
	monitor := s.inPlace("hungry", func(spec *v1.AppMonitorSpec) { spec.MemThresholdPercent, spec.Cooldown = 50, noTime() })
	hog := memhog(s).Paused().Holds(300).Deploy().Runs()
	s.alone()
	s.otherNamespacesAreGone()
	s.IsDecided("Paused", 1)
	s.fillNodeButFor("100Mi")

	// 256Mi and the 100Mi that are left, with a limit in the same proportion: more than half of that is in use already.
	pod := hog.Stays()
	hog.Annotate(v1.PausedAnnotation, "")
	pod.BecomesSized("356Mi/534Mi")
	monitor.Decided(hog, "Raise of memhog from 256Mi/384Mi to 356Mi/534Mi: AboveThreshold, limited by NodeFull")
	monitor.Says("Constrained=True/NodeFull", "container memhog of Deployment/memhog")
	monitor.Decided(hog, "Hold of memhog at 356Mi/534Mi: NodeFull")
	s.IsDecided("NodeFull", 3)
	pod.AsksForNothing()

	// What becomes free is used.
	must(t, s.emptyNode(t.Context()))
	pod.BecomesSized("712Mi/1068Mi")
	monitor.Says("Constrained=False/Unconstrained")
	pod.WasNeverRestarted()
	pod.AsksForNothing()
	hog.IsUntouchedButForNotes()
	s.NobodyDied()
}

// filler marks the Pods that take memory from a node without using it.
var filler = client.MatchingLabels{"app.kubernetes.io/name": "filler"}

// fillNodeButFor leaves so much of the only node's memory to be requested, until the story ends.
func (s *story) fillNodeButFor(room string) {
	s.t.Helper()
	want := resource.MustParse(room)
	s.undo("empty the node", s.emptyNode)
	s.awaits("the node has "+room+" left", func(ctx context.Context) error {
		pods, err := s.fillers(ctx)
		if err != nil {
			return err
		}
		for i := range pods {
			if !isReady(&pods[i]) {
				return fmt.Errorf("Pod %s is not Ready", pods[i].Name)
			}
		}
		free, err := freeOnNode(ctx)
		switch {
		case err != nil || free == want.Value():
			return err
		case free < want.Value():
			return fmt.Errorf("it has only %d MiB left", free>>20)
		}
		// While others are still going, one is not enough.
		return errors.Join(s.fill(ctx, free-want.Value()), fmt.Errorf("it has %d MiB left", free>>20))
	})
}

// fill runs a Pod that requests so many bytes.
func (s *story) fill(ctx context.Context, request int64) error {
	size := resource.NewQuantity(request, resource.BinarySI).String()
	template := memhog(s).Named(filler["app.kubernetes.io/name"]).Unannotated().Sized(size + "/" + size).Holds(1).deployment.Spec.Template
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.GenerateName, pod.Namespace = "filler-", s.namespace
	return env.client.Create(ctx, pod)
}

func (s *story) fillers(ctx context.Context) ([]corev1.Pod, error) {
	var list corev1.PodList
	err := env.client.List(ctx, &list, client.InNamespace(s.namespace), filler)
	return list.Items, err
}

// emptyNode removes the fillers, and waits until they are gone: the next story counts on the room.
func (s *story) emptyNode(ctx context.Context) error {
	err := env.client.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(s.namespace), filler)
	if err != nil {
		return err
	}
	return wait.PollUntilContextCancel(ctx, poll, true, func(ctx context.Context) (bool, error) {
		pods, err := s.fillers(ctx)
		return len(pods) == 0, err
	})
}

// freeOnNode returns how many bytes of the only node's memory no Pod has requested.
func freeOnNode(ctx context.Context) (int64, error) {
	var nodes corev1.NodeList
	var pods corev1.PodList
	if err := errors.Join(env.client.List(ctx, &nodes), env.client.List(ctx, &pods)); err != nil {
		return 0, err
	}
	if len(nodes.Items) != 1 {
		return 0, fmt.Errorf("there are %d nodes", len(nodes.Items))
	}
	free := nodes.Items[0].Status.Allocatable.Memory().Value()
	for i := range pods.Items {
		p := &pods.Items[i]
		if p.Spec.NodeName == "" || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
			continue
		}
		if p.DeletionTimestamp != nil {
			return 0, fmt.Errorf("Pod %s of namespace %s is going", p.Name, p.Namespace)
		}
		for _, c := range p.Spec.Containers {
			free -= c.Resources.Requests.Memory().Value()
		}
	}
	return free, nil
}
