package controllers

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/operand"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// agents puts an agent that keeps the guarantee on the node of the Pods.
func (w *world) agents(nodes ...string) {
	status := operand.Status{Known: true, Wanted: true}
	for _, node := range nodes {
		status = status.With(node, operand.Agent{Ready: true, Keeps: corev1.ConditionTrue})
	}
	w.reconciler.Agents = func() operand.Status { return status }
}

func TestAgentsAreToldWhatTheyCannotSee(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.agents(pod.Spec.NodeName)
	w.uses(pod, "memhog", 100)
	w.reconcile("m")
	if note := workload.NoteOf(w.refreshed(pod)); !note.IsZero() || w.refreshed(pod).Annotations[v1.WorkloadAnnotation] != "" {
		t.Errorf("noted %+v, want nothing while there is nothing to know", note)
	}
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	w.actuate(pod)
	w.uses(pod, "memhog", 300)
	w.reconcile("m") // learns
	w.clock.Step(settling - time.Second)
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	if note := workload.NoteOf(w.refreshed(pod)); !note.IsZero() {
		t.Errorf("noted %+v a moment after a raise, when another one may be needed", note)
	}
	w.clock.Step(time.Second)
	w.uses(pod, "memhog", 300)
	w.reconcile("m") // tells
	of := workload.NoteOf(w.refreshed(pod)).Containers["memhog"]
	if len(of.Raises) != 1 || of.Peak.Limit != 768<<20 {
		t.Errorf("noted %+v, want one raise to 768Mi", of)
	}
	w.annotate(d, v1.PausedAnnotation, "true")
	w.reconcile("m")
	if !workload.NoteOf(w.refreshed(pod)).Paused {
		t.Error("a pause of the workload is not noted")
	}
	version := w.refreshed(pod).ResourceVersion
	w.reconcile("m")
	if again := w.refreshed(pod).ResourceVersion; again != version {
		t.Error("the Pod was written to though nothing has changed")
	}
}

func TestAPauseIsNotedAtOnce(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.agents(pod.Spec.NodeName)
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	w.actuate(pod)
	w.annotate(d, v1.PausedAnnotation, "true")
	w.reconcile("m")
	if !workload.NoteOf(w.refreshed(pod)).Paused {
		t.Error("a pause a moment after a raise is not noted")
	}
}

func TestABarePodIsNotWrittenToAMomentAfterARaise(t *testing.T) {
	for _, agents := range []bool{false, true} {
		w := newInPlaceWorld(t)
		w.monitor("m", 75, 2)
		pod := w.bare("alone", memory{"memhog", "256Mi", "384Mi"})
		if agents {
			w.agents(pod.Spec.NodeName)
		}
		w.uses(pod, "memhog", 300)
		w.reconcile("m")
		w.actuate(pod)
		w.clock.Step(time.Second)
		w.uses(pod, "memhog", 300)
		w.reconcile("m")
		if written := w.refreshed(pod).Annotations[v1.RecordAnnotation] != ""; written == agents {
			t.Errorf("with agents %t: a record is written: %t", agents, written)
		}
		w.clock.Step(settling)
		w.uses(pod, "memhog", 300)
		w.reconcile("m")
		if w.refreshed(pod).Annotations[v1.RecordAnnotation] == "" {
			t.Errorf("with agents %t: no record is written after a while", agents)
		}
	}
}

// wantNoNote looks, and fails the test if anything is noted on the Pod.
func (w *world) wantNoNote(pod *corev1.Pod, because string) {
	w.t.Helper()
	w.agents(pod.Spec.NodeName)
	w.uses(pod, "memhog", 100)
	w.reconcile("m")
	if note, written := w.refreshed(pod).Annotations[v1.WorkloadAnnotation]; written {
		w.t.Errorf("noted %s, though %s", note, because)
	}
}

func TestThePauseOfABarePodIsItsOwn(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	pod := w.bare("alone", memory{"memhog", "256Mi", "384Mi"})
	w.annotate(pod, v1.PausedAnnotation, "true")
	w.wantNoNote(pod, "it would outlast the pause while the operator is away")
}

func TestWhereAgentsDoNothingNothingIsNoted(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) { s.Strategy = v1.StrategyRollout })
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.annotate(d, v1.PausedAnnotation, "true")
	w.wantNoNote(pod, "agents leave rollouts alone")
}

func TestWithoutAnAgentNothingIsNoted(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.agents("another-node")
	w.annotate(d, v1.PausedAnnotation, "true")
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	if note := workload.NoteOf(w.refreshed(pod)); !note.IsZero() {
		t.Errorf("noted %+v", note)
	}
}

func TestANoteThatIsRefusedKeepsNothingFromBeingRaised(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) { s.Cooldown = &metav1.Duration{} })
	_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.agents(pod.Spec.NodeName)
	w.writes.refuseNote = forbidden(pod.Name)
	look := func(used int64) *v1.AppMonitor {
		w.clock.Step(time.Second)
		w.uses(pod, "memhog", used)
		return w.look("m", pod)
	}
	look(300)
	look(300) // learns
	w.clock.Step(settling)
	m := look(300)
	wantCondition(t, m, v1.ConditionReady, metav1.ConditionFalse, v1.ReasonChangeFailed)
	look(600)
	w.wantPod(pod, "1Gi/1536Mi")
	if note := workload.NoteOf(pod); !note.IsZero() {
		t.Errorf("noted %+v all the same", note)
	}
	w.writes.refuseNote = nil
	look(600)
	w.clock.Step(time.Minute)
	m = look(600)
	if note := workload.NoteOf(w.refreshed(pod)); len(note.Containers["memhog"].Raises) == 0 {
		t.Errorf("noted %+v, want what was to be noted before", note)
	}
	wantCondition(t, m, v1.ConditionReady, metav1.ConditionTrue, v1.ReasonWatching)
}

func TestNotesOnManyPodsAreSpreadOverLooks(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	d, first := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.agents(first.Spec.NodeName)
	for i := 1; i < mostNotes+5; i++ {
		w.pod(fmt.Sprintf("%s-%d", first.Name, i), d.Spec.Template, first.OwnerReferences...)
	}
	w.annotate(d, v1.PausedAnnotation, "true")
	w.writes.refuseNote = forbidden("any")
	c := wantCondition(t, w.reconcile("m"), v1.ConditionReady, metav1.ConditionFalse, v1.ReasonChangeFailed)
	mustContain(t, c, fmt.Sprintf("and %d more", mostNotes-maxNamed))
	w.writes.refuseNote = nil
	w.clock.Step(time.Minute)
	request := ctrl.Request{NamespacedName: client.ObjectKey{Namespace: w.namespace, Name: "m"}}
	for _, want := range []struct {
		noted int
		again bool
	}{{mostNotes, true}, {mostNotes + 5, false}} {
		result, err := w.reconciler.Reconcile(t.Context(), request)
		must(t, err)
		pods := &corev1.PodList{}
		must(t, live.List(t.Context(), pods, client.InNamespace(w.namespace)))
		noted := 0
		for i := range pods.Items {
			settle(t, &pods.Items[i])
			if workload.NoteOf(&pods.Items[i]).Paused {
				noted++
			}
		}
		if again := result.RequeueAfter > 0; noted != want.noted || again != want.again {
			t.Errorf("noted on %d Pods, and again %t; want %+v", noted, again, want)
		}
	}
}

func TestWhatAnAgentRaisedIsLearned(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.agents(pod.Spec.NodeName)
	w.uses(pod, "memhog", 100)
	w.reconcile("m")
	must(t, resizePod(t.Context(), live, w.refreshed(pod), workload.AgentFieldManager, []workload.Resize{
		{Container: "memhog", Size: workload.Size{Request: 512 << 20, Limit: 768 << 20}},
	}))
	w.actuate(pod)
	w.clock.Step(5 * time.Second)
	w.uses(pod, "memhog", 300)
	m := w.reconcile("m")
	mustContain(t, w.nextEvent(), "Normal AboveThreshold", "in place", "from 256Mi/384Mi to 512Mi/768Mi", "had reached 75% of the limit")
	if m.Status.LastChange == nil || m.Status.LastChange.To.Limit.String() != "768Mi" {
		t.Errorf("the last change is %+v", m.Status.LastChange)
	}
	w.reconcile("m")
	mustContain(t, w.durable(d), `"limit":"768Mi"`)
	// No raise of its own within the cooldown, and none that was not needed.
	w.wantPod(pod, "512Mi/768Mi")
}
