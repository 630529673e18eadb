package controllers

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

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
	w.clock.Step(5 * time.Second)
	w.uses(pod, "memhog", 300)
	w.reconcile("m") // learns
	w.reconcile("m") // and tells
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
