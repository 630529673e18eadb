package controllers

import (
	"errors"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/discovery"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// statefulSet creates one of three replicas, and its first Pod.
func (w *world) statefulSet(name string) (*appsv1.StatefulSet, *corev1.Pod) {
	w.t.Helper()
	d, _ := w.deployment("like-"+name, memory{"memhog", "256Mi", "384Mi"})
	three := int32(3)
	s := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.namespace}}
	s.Spec = appsv1.StatefulSetSpec{
		Selector: d.Spec.Selector.DeepCopy(), Template: *d.Spec.Template.DeepCopy(), ServiceName: name, Replicas: &three,
	}
	must(w.t, live.Create(w.t.Context(), s))
	w.progress(s, "one", "one", 3)
	return s, w.owned(s, "StatefulSet", s.Spec.Template)
}

// progress is what the StatefulSet's controller says of its rollout.
func (w *world) progress(s *appsv1.StatefulSet, current, update string, updated int32) {
	w.t.Helper()
	must(w.t, live.Get(w.t.Context(), client.ObjectKeyFromObject(s), s))
	s.Status.ObservedGeneration, s.Status.Replicas, s.Status.UpdatedReplicas = s.Generation, 3, updated
	s.Status.CurrentRevision, s.Status.UpdateRevision = current, update
	must(w.t, live.Status().Update(w.t.Context(), s))
	settle(w.t, s)
}

// wantTemplate checks the limit that the StatefulSet's template says.
func (w *world) wantTemplate(s *appsv1.StatefulSet, want string) {
	w.t.Helper()
	must(w.t, live.Get(w.t.Context(), client.ObjectKeyFromObject(s), s))
	if got := s.Spec.Template.Spec.Containers[0].Resources.Limits.Memory().String(); got != want {
		w.t.Errorf("the template says %s, want %s", got, want)
	}
}

func TestARolloutThatIsSlowIsLeftToGoOn(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) { s.Strategy = v1.StrategyRollout })
	s, pod := w.statefulSet("slow")
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	for updated := range int32(3) {
		w.progress(s, "one", "two", updated)
		w.clock.Step(9 * time.Minute)
		w.uses(pod, "memhog", 300)
		w.reconcile("m")
	}
	w.wantTemplate(s, "768Mi")
	w.clock.Step(10 * time.Minute) // since it was last seen to get on
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	w.wantTemplate(s, "384Mi")
}

func TestALaterRolloutThatGetsStuckIsNotTheSizesFault(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) { s.Strategy = v1.StrategyRollout })
	s, pod := w.statefulSet("set")
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	w.delete(pod)
	w.progress(s, "two", "two", 3)
	next := s.Spec.Template.DeepCopy()
	next.Labels[appsv1.ControllerRevisionHashLabelKey] = "two"
	pod = w.pod("set-1", *next, *metav1.NewControllerRef(s, appsv1.SchemeGroupVersion.WithKind("StatefulSet")))
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	w.progress(s, "two", "three", 1) // of the user's
	for range 3 {
		w.clock.Step(10 * time.Minute)
		w.uses(pod, "memhog", 300)
		w.reconcile("m")
	}
	w.wantTemplate(s, "768Mi")
}

func TestInPlaceNothingIsLoweredBelowTheTemplate(t *testing.T) {
	w := newInPlaceWorld(t)
	idle := func(s *v1.AppMonitorSpec) {
		s.Strategy = v1.StrategyRollout
		s.ScaleDown = &v1.ScaleDown{Mode: v1.SwitchEnabled, After: &metav1.Duration{Duration: time.Hour}}
	}
	m := w.monitor("m", 75, 2, idle)
	d, old := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(old, "memhog", 300)
	w.reconcile("m")
	pod := w.rollOut(d)
	w.delete(old)
	must(t, live.Get(t.Context(), client.ObjectKeyFromObject(m), m))
	m.Spec.Strategy = v1.StrategyAuto
	w.update(m)
	for range 30 {
		w.clock.Step(5 * time.Minute)
		w.uses(pod, "memhog", 10)
		w.look("m", pod)
	}
	w.wantPod(pod, "512Mi/768Mi")
}

func TestAWithdrawalIsNoChangeToWaitAfter(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) { s.Strategy = v1.StrategyInPlace }) // the usual cooldown
	_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.deferred(pod, 300)
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	w.wantPod(pod, "384Mi/576Mi")
}

// deferred has the operator ask for more than there is, and take it back.
func (w *world) deferred(pod *corev1.Pod, uses int64) {
	w.t.Helper()
	w.uses(pod, "memhog", uses)
	w.reconcile("m")
	w.wantPod(pod, "512Mi/768Mi")
	w.pends(pod, corev1.PodReasonDeferred)
	w.reconcile("m")
	w.clock.Step(5 * time.Second)
	w.uses(pod, "memhog", uses)
	w.reconcile("m")
	w.wantPod(pod, "256Mi/384Mi")
	w.actuate(pod)
}

func TestAKillThatWasAnsweredWithNothingIsAnsweredAgain(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) { s.Strategy = v1.StrategyInPlace })
	_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.oomKill(pod)
	w.deferred(pod, 10)
	w.uses(pod, "memhog", 10)
	w.reconcile("m")
	w.wantPod(pod, "384Mi/576Mi")
}

func TestAKillDuringAResizeIsAnsweredByIt(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	w.wantPod(pod, "512Mi/768Mi")
	w.clock.Step(2 * time.Second)
	w.oomKill(pod)
	w.clock.Step(2 * time.Second)
	w.actuate(pod)
	w.uses(pod, "memhog", 10)
	w.reconcile("m")
	w.reconcile("m")
	w.wantPod(pod, "512Mi/768Mi")
	mustContain(t, w.durable(d), "768Mi")
	w.restart() // nor by one that remembers nothing
	w.uses(pod, "memhog", 10)
	w.reconcile("m")
	w.wantPod(pod, "512Mi/768Mi")
}

func TestWhatSomebodyElseWaitsForIsNotTakenBack(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	more := workload.Resize{Container: "memhog", Size: workload.Size{Request: 1024 * mi, Limit: 2048 * mi}}
	must(t, resizePod(t.Context(), live, w.refreshed(pod), "vpa-updater", []workload.Resize{more}))
	w.pends(pod, corev1.PodReasonInfeasible)
	for range 3 {
		w.clock.Step(time.Minute)
		w.uses(pod, "memhog", 300)
		w.reconcile("m")
	}
	w.wantPod(pod, "1Gi/2Gi")
	if w.writes.resizes != 0 {
		t.Errorf("resized %d times", w.writes.resizes)
	}
	w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi"}) // it has 384Mi, and needs more
	mustContain(t, w.nextEvent(), "from 256Mi/384Mi to 512Mi/768Mi", "by a rollout")
}

func TestAViewFromBeforeAResizeIsNoneOfAfterIt(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	before := w.refreshed(pod).DeepCopy()
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	z := w.page("m").resizes.of(slot{pod: pod.UID, container: "memhog"})
	r := z.follow(before, before.Spec.Containers[0], scaling.Sample{}, w.clock.Now())
	if r.State != scaling.ResizeInProgress || z.completed() != nil || !z.grewAt.IsZero() {
		t.Errorf("the resize is taken for through: %+v, grew at %s", r, z.grewAt)
	}
	w.actuate(pod)
	w.reconcile("m")
	mustContain(t, w.nextEvent(), "Normal AboveThreshold", "from 256Mi/384Mi to 512Mi/768Mi")
	w.wantNoEvent()
}

func TestWhatAWebhookAddsIsRememberedWhileAPodWaits(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	d, like := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	with := d.Spec.Template.DeepCopy()
	with.Spec.Containers = append(with.Spec.Containers, containersOf([]memory{{"proxy", "64Mi", "64Mi"}})...)
	pod := w.pod("added", *with, like.OwnerReferences...)
	w.delete(like)
	w.uses(pod, "proxy", 60)
	w.uses(pod, "memhog", 300)
	w.look("m", pod)
	w.reconcile("m")
	mustContain(t, w.durable(d), `"proxy"`)
	with.Spec.Containers[0].Resources = workload.Size{Request: 512 * mi, Limit: 768 * mi}.In(with.Spec.Containers[0].Resources)
	next := w.pod("next", *with, like.OwnerReferences...)
	next.Status.Phase = corev1.PodPending
	next.Status.Conditions = []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable,
	}}
	must(t, live.Status().Update(t.Context(), next))
	settle(t, next)
	w.delete(pod)
	w.reconcile("m")
	mustContain(t, w.durable(d), `"proxy"`)
}

func TestAContainerThatAWebhookAddsHasABudget(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) { s.Cooldown = &metav1.Duration{} })
	d, like := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	with := d.Spec.Template.DeepCopy()
	with.Spec.Containers = append(with.Spec.Containers, containersOf([]memory{{"proxy", "64Mi", "64Mi"}})...)
	pod := w.pod("added", *with, like.OwnerReferences...)
	w.delete(like)
	var m *v1.AppMonitor
	for limit := int64(64); limit <= 1024; limit *= 2 {
		w.clock.Step(5 * time.Minute)
		w.uses(pod, "memhog", 10)
		w.uses(pod, "proxy", limit*9/10)
		m = w.look("m", pod)
		w.reconcile("m")
	}
	w.wantPod(pod, "256Mi/384Mi", "512Mi/512Mi")
	wantDecision(t, m, v1.ActionHold, "GrowthBudgetExhausted")
}

// mute is an API server that does not say what it can.
type mute struct {
	discovery.DiscoveryInterface
}

func (mute) ServerVersion() (*version.Info, error) { return nil, errors.New("timeout") }

func TestWhileNobodyKnowsWhatTheAPIServerCanNothingIsRestarted(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	known, key := w.reconciler.Server, client.ObjectKey{Namespace: w.namespace, Name: "m"}
	w.reconciler.Server = &workload.Discoverer{Discovery: mute{}, Clock: w.clock}
	if _, err := w.reconciler.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err == nil {
		t.Error("nobody hears of it")
	}
	w.wantSizes(d, map[string]string{"memhog": "256Mi/384Mi"})
	w.wantPod(pod, "256Mi/384Mi")
	w.reconciler.Server = known
	w.reconcile("m")
	w.wantPod(pod, "512Mi/768Mi")
	// What was known stands.
	known.Discovery = mute{}
	known.Doubt()
	if s, err := known.Now(t.Context()); err != nil || !s.Resize {
		t.Errorf("it is known no longer: %+v, %v", s, err)
	}
}

func TestAnOOMKillOfOneReplicaIsNoLessonForEver(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) { s.Cooldown = &metav1.Duration{} })
	d, first := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	pods := w.replicas(d, first, 4)
	w.oomKill(pods[0])
	w.look("m", pods...)
	w.look("m", pods...)
	mustContain(t, w.durable(d), "768Mi")
	w.clock.Step(20 * time.Minute)
	w.uses(pods[0], "memhog", 700)
	w.look("m", pods...)
	w.look("m", pods...)
	w.wantPod(pods[0], "1Gi/1536Mi")
	mustContain(t, w.durable(d), "768Mi")
	w.wantPod(pods[1], "512Mi/768Mi")
}

// tightNodes begin the names of nodes that are small.
const tightNodes = "tight-"

// tightNode has room for one raise by 256Mi beside two containers that request as much.
func (w *world) tightNode() {
	w.t.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{GenerateName: tightNodes}, Spec: corev1.NodeSpec{Unschedulable: true}}
	must(w.t, live.Create(w.t.Context(), node))
	node.Status.Allocatable = corev1.ResourceList{
		corev1.ResourceMemory: resource.MustParse("770Mi"), corev1.ResourceCPU: resource.MustParse("64"),
	}
	node.Status.NodeInfo.KubeletVersion = "v1.37.2"
	node.Status.DeclaredFeatures = []string{"InPlacePodLevelResourcesVerticalScaling"}
	must(w.t, live.Status().Update(w.t.Context(), node))
	settle(w.t, node)
	w.node = node.Name
	w.reconciler.Namespaces = nil // what nodes have left is known
}

func TestWhatANodeHasLeftIsGivenAwayOnce(t *testing.T) {
	inPlace := func(s *v1.AppMonitorSpec) { s.Strategy = v1.StrategyInPlace }
	t.Run("to Pods of one AppMonitor", func(t *testing.T) {
		w := newInPlaceWorld(t)
		w.tightNode()
		w.monitor("m", 75, 2, inPlace)
		_, a := w.deployment("a", memory{"memhog", "256Mi", "384Mi"})
		_, b := w.deployment("b", memory{"memhog", "256Mi", "384Mi"})
		w.uses(a, "memhog", 300)
		w.uses(b, "memhog", 300)
		m := w.reconcile("m")
		w.wantPod(a, "512Mi/768Mi")
		w.wantPod(b, "256Mi/384Mi")
		wantDecision(t, m, v1.ActionHold, "NodeFull")
	})
	t.Run("to Pods of two, within a tick", func(t *testing.T) {
		w := newInPlaceWorld(t)
		w.tightNode()
		_, a := w.deployment("a", memory{"memhog", "256Mi", "384Mi"})
		_, b := w.deployment("b", memory{"memhog", "256Mi", "384Mi"})
		named := func(name string, pod *corev1.Pod) {
			w.monitor(name, 75, 2, inPlace)
			w.annotate(pod, v1.MonitorAnnotation, name)
			w.uses(pod, "memhog", 300)
		}
		named("first", a)
		named("second", b)
		w.reconcile("first")
		m := w.reconcile("second")
		w.wantPod(a, "512Mi/768Mi")
		w.wantPod(b, "256Mi/384Mi")
		wantDecision(t, m, v1.ActionHold, "NodeFull")
	})
}

func TestWhatIsFreedIsGivenWithinTheSameTick(t *testing.T) {
	for _, tt := range []struct {
		end   string
		freed func(*world, *corev1.Pod)
	}{
		{"by a Pod that is gone", func(w *world, pod *corev1.Pod) {
			must(t, live.Delete(t.Context(), pod, client.GracePeriodSeconds(0)))
			pod.ResourceVersion = ""
			settle(t, pod)
			w.reconciler.whatIsFreedIsKnown().Delete(t.Context(), event.DeleteEvent{Object: pod}, nil)
		}},
		{"by a Pod that is over", func(w *world, pod *corev1.Pod) {
			before := pod.DeepCopy()
			pod.Status.Phase = corev1.PodSucceeded
			must(t, live.Status().Update(t.Context(), pod))
			settle(t, pod)
			w.reconciler.whatIsFreedIsKnown().Update(t.Context(), event.UpdateEvent{ObjectOld: before, ObjectNew: pod}, nil)
		}},
	} {
		t.Run(tt.end, func(t *testing.T) {
			w := newInPlaceWorld(t)
			w.tightNode()
			w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) {
				s.Strategy, s.Cooldown = v1.StrategyInPlace, &metav1.Duration{}
			})
			stranger := w.podOn("stranger", w.node, corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				Containers: containersOf([]memory{{"x", "414Mi", "414Mi"}}),
			}})
			_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "256Mi"})
			w.uses(pod, "memhog", 200)
			w.reconcile("m")
			w.wantPod(pod, "356Mi/356Mi") // 100Mi were left
			w.actuate(pod)
			w.clock.Step(time.Second)
			tt.freed(w, stranger)
			w.uses(pod, "memhog", 300)
			w.reconcile("m")
			w.wantPod(pod, "712Mi/712Mi")
		})
	}
}

func TestWhatWasGivenCountsUntilItIsSeen(t *testing.T) {
	w := newInPlaceWorld(t)
	w.tightNode()
	_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	requested := func(when string, want int64) {
		t.Helper()
		w.reconciler.freed()
		room, err := w.reconciler.nodeRoom(t.Context())
		must(t, err)
		if got := room.requested[w.node] / mi; got != want {
			t.Errorf("%dMi are requested %s, want %dMi", got, when, want)
		}
	}
	given := func(mebibytes int64) {
		resized := w.refreshed(pod).DeepCopy()
		resized.Generation++
		w.reconciler.takeOfNode(pod, resized, mebibytes*mi)
	}
	requested("at first", 256)
	given(256)
	requested("while the Pod does not show what it was given", 512)
	must(t, resizePod(t.Context(), live, w.refreshed(pod), workload.FieldManager, []workload.Resize{
		{Container: "memhog", Size: workload.Size{Request: 512 * mi, Limit: 768 * mi}},
	}))
	w.refreshed(pod)
	requested("when it does", 512)
	given(100)
	requested("with the second", 612)
	given(-400)
	requested("before the kubelet has taken anything back", 612)
}

func TestARaiseThatAnotherProcessMadeIsToldWithItsReason(t *testing.T) {
	for _, tt := range []struct {
		reason string
		why    string
		before func(*world, *appsv1.Deployment, *corev1.Pod)
	}{
		{"by its use", "AboveThreshold", func(*world, *appsv1.Deployment, *corev1.Pod) {}},
		{"after a kill", "OOMKilled", func(w *world, _ *appsv1.Deployment, pod *corev1.Pod) { w.oomKill(pod) }},
		{"to catch up", "CatchUp", func(w *world, d *appsv1.Deployment, _ *corev1.Pod) {
			w.annotate(d, v1.DurableSizeAnnotation, `{"memhog":{"request":"512Mi","limit":"768Mi"}}`)
		}},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			w := newInPlaceWorld(t)
			w.monitor("m", 75, 2)
			d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
			tt.before(w, d, pod)
			more := workload.Resize{Container: "memhog", Size: workload.Size{Request: 512 * mi, Limit: 768 * mi}}
			must(t, resizePod(t.Context(), live, w.refreshed(pod), workload.FieldManager, []workload.Resize{more}))
			w.actuate(pod)
			w.uses(pod, "memhog", 10)
			w.reconcile("m")
			mustContain(t, w.nextEvent(), "Normal "+tt.why, "from 256Mi/384Mi to 512Mi/768Mi")
			if w.writes.resizes != 0 {
				t.Errorf("resized %d times", w.writes.resizes)
			}
		})
	}
}
