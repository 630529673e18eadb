package controllers

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// byAgent is what an agent does at this moment of the test's clock: it raises a container of a Pod.
func (w *world) byAgent(pod *corev1.Pod, container string, request, limit int64) {
	w.t.Helper()
	must(w.t, resizePod(w.t.Context(), live, w.refreshed(pod), workload.AgentFieldManager, []workload.Resize{
		{Container: container, Size: workload.Size{Request: request * mi, Limit: limit * mi}},
	}))
	w.refreshed(pod)
	for i := range pod.ManagedFields {
		if f := &pod.ManagedFields[i]; f.Manager == workload.AgentFieldManager {
			now := metav1.NewTime(w.clock.Now())
			f.Time = &now
		}
	}
	// Times alone are no change to the API server.
	pod.Labels["dated"] = pod.ResourceVersion
	w.update(pod)
}

func TestAKillWhileAnAgentsRaiseIsUnderWayIsAnsweredByThat(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 100)
	w.reconcile("m")
	w.byAgent(pod, "memhog", 512, 768)
	w.clock.Step(2 * time.Second)
	w.oomKill(pod)
	w.clock.Step(time.Second)
	w.actuate(pod)
	for range 2 {
		w.uses(pod, "memhog", 100)
		w.reconcile("m")
		w.wantPod(pod, "512Mi/768Mi")
		w.clock.Step(5 * time.Second)
	}

	w.oomKill(pod) // one after that is not
	w.reconcile("m")
	w.wantPod(pod, "1Gi/1536Mi")
}

func TestWhatAnAgentGaveOutlivesTheNextRaiseThatIsWithdrawn(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	d, first := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	pods := w.replicas(d, first, 3)
	look := func(actuated ...*corev1.Pod) {
		for _, pod := range pods {
			w.uses(pod, "memhog", 100)
		}
		w.look("m", actuated...)
	}
	look()
	w.clock.Step(10 * time.Second)
	w.byAgent(first, "memhog", 512, 768)
	w.actuate(first)
	look()
	w.clock.Step(10 * time.Second)
	w.byAgent(first, "memhog", 1024, 1536)
	w.pends(first, corev1.PodReasonDeferred)
	look()
	w.clock.Step(5 * time.Second)
	look(first)
	w.wantPod(first, "512Mi/768Mi") // withdrawn
	look()
	if got := w.durable(d); got != "" {
		t.Errorf("one of three makes the durable size %s", got)
	}
	w.clock.Step(10 * time.Second)
	w.byAgent(pods[1], "memhog", 512, 768)
	w.actuate(pods[1])
	look()
	look()
	mustContain(t, w.durable(d), `"limit":"768Mi"`) // as two of three have it
}

func TestOneContainersRaiseByAnAgentAnswersNoKillOfAnother(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"}, memory{"other", "128Mi", "192Mi"})
	look := func() {
		w.uses(pod, "memhog", 100)
		w.uses(pod, "other", 100)
		w.reconcile("m")
	}
	look()
	w.clock.Step(10 * time.Second)
	w.byAgent(pod, "memhog", 512, 768)
	w.actuate(pod)
	look()
	w.clock.Step(10 * time.Second)
	w.oomKill(pod)
	w.clock.Step(2 * time.Second)
	w.byAgent(pod, "other", 256, 384)
	w.actuate(pod)
	look()
	w.wantPod(pod, "1Gi/1536Mi", "256Mi/384Mi")
}

func TestWhoTakesBackWhatAnAgentGaveIsNotFought(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	d, first := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	pods := w.replicas(d, first, 3) // so that what one has is no lesson for all
	look := func() *v1.AppMonitor {
		w.uses(first, "memhog", 300)
		for _, other := range pods[1:] {
			w.uses(other, "memhog", 100)
		}
		return w.reconcile("m")
	}
	w.byAgent(first, "memhog", 512, 768)
	w.actuate(first)
	look()
	back := workload.Resize{Container: "memhog", Size: workload.Size{Request: 256 * mi, Limit: 384 * mi}}
	must(t, resizePod(t.Context(), live, w.refreshed(first), "vpa-updater", []workload.Resize{back}))
	w.actuate(first)
	w.clock.Step(2 * time.Minute)
	wantDecision(t, look(), v1.ActionHold, "Overridden")
	w.wantPod(first, "256Mi/384Mi")
}

func TestAnAgentsRaiseSoonAfterAKillIsNotToldAsItsAnswer(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 100)
	w.clock.Step(10 * time.Second)
	w.oomKill(pod)
	w.look("m", pod)
	w.look("m", pod)
	mustContain(t, w.nextEvent(), "Normal OOMKilled", "from 256Mi/384Mi to 512Mi/768Mi")
	w.clock.Step(time.Minute)
	w.byAgent(pod, "memhog", 1024, 1536)
	w.actuate(pod)
	w.uses(pod, "memhog", 600)
	w.look("m", pod)
	mustContain(t, w.nextEvent(), "Normal AboveThreshold", "from 512Mi/768Mi to 1Gi/1536Mi")
}
