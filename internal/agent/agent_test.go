package agent

import (
	"errors"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

func TestAContainerIsRaisedWhenItReachesTheThreshold(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	pod, memory := w.pod("memhog", 280)
	w.turn()
	w.wants(pod, "256Mi/384Mi")
	memory.used = 288 * mebibyte
	w.later(time.Second)
	w.wants(pod, "512Mi/768Mi")
	if w.asked != 1 {
		t.Errorf("the API server was asked %d times, want once", w.asked)
	}
}

func TestWhatFillsAtTheGuaranteedRateIsRaisedBeforeItIsFull(t *testing.T) {
	for _, start := range []int64{10, 100, 200, 250, 287} {
		w := newWorld(t)
		w.monitor()
		w.crowd()
		pod, memory := w.pod("memhog", start)
		w.turn()
		for memory.used < memory.limit && !w.asking() {
			w.clock.Step(time.Millisecond)
			memory.used += rate / 1000
			w.agent.lookAtDue(t.Context())
		}
		w.turn()
		w.wants(pod, "512Mi/768Mi")
		left := time.Duration(float64(memory.limit-memory.used) / rate * float64(time.Second))
		if left < usualLatency {
			t.Errorf("from %dMi on: %s were left for a resize, want at least %s", start, left, usualLatency)
		}
	}
}

func TestWhatGrowsFasterThanIsPromisedIsLookedAtMoreOften(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	w.crowd()
	pod, memory := w.pod("memhog", 290)
	w.turn()
	w.actuate(pod)
	for memory.used < 760*mebibyte && w.asked == 1 {
		memory.used += 3 * rate / 100
		w.later(shortest)
	}
	w.wants(pod, "1Gi/1536Mi")
	if over := memory.used - 576*mebibyte; over > 3*rate*calmLook.Nanoseconds()/1e9+3*rate/100 {
		t.Errorf("it was raised %dMi above the threshold, want to have been seen within %s", over/mebibyte, calmLook)
	}
}

func TestGrowthIsForeseenOnlyWhereTheThresholdIsTooLate(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	starts, memory := w.pod("starts", 10)
	w.turn()
	w.grows(memory, 1000*mebibyte, 200*time.Millisecond)
	w.later(time.Second)
	w.wants(starts, "256Mi/384Mi")
	small, memory := w.pod("small", 20, func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Limits[corev1.ResourceMemory] = resource.MustParse("100Mi")
		p.Spec.Containers[0].Resources.Requests[corev1.ResourceMemory] = resource.MustParse("50Mi")
		p.Status.ContainerStatuses[0].Resources = p.Spec.Containers[0].Resources.DeepCopy()
	})
	memory.limit = 100 * mebibyte
	w.turn()
	w.grows(memory, rate, 150*time.Millisecond) // to 58Mi, which are full after 164 ms
	w.wants(small, "100Mi/200Mi")
}

func TestCachesOfFilesDoNotCount(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	pod, memory := w.pod("memhog", 380)
	memory.cache = 200 * mebibyte
	w.later(time.Second)
	w.wants(pod, "256Mi/384Mi")
}

func TestWhatIsToBeLeftAloneIs(t *testing.T) {
	restarts := corev1.ContainerResizePolicy{ResourceName: corev1.ResourceMemory, RestartPolicy: corev1.RestartContainer}
	for _, tt := range []struct {
		reason  string
		monitor func(*v1.AppMonitor)
		pod     func(*corev1.Pod)
	}{
		{"a dry run", func(m *v1.AppMonitor) { m.Spec.Mode = v1.ModeDryRun }, nil},
		{"rollouts only", func(m *v1.AppMonitor) { m.Spec.Strategy = v1.StrategyRollout }, nil},
		{"a paused AppMonitor", func(m *v1.AppMonitor) { m.Annotations = map[string]string{v1.PausedAnnotation: "true"} }, nil},
		{"a paused Pod", nil, func(p *corev1.Pod) { p.Annotations[v1.PausedAnnotation] = "true" }},
		{"a paused workload", nil, func(p *corev1.Pod) { p.Annotations[v1.WorkloadAnnotation] = `{"paused":true}` }},
		{"a note that nobody can read", nil, func(p *corev1.Pod) { p.Annotations[v1.WorkloadAnnotation] = `{"pau` }},
		{"somebody put a size back", nil, func(p *corev1.Pod) {
			p.Annotations[v1.WorkloadAnnotation] = `{"containers":{"memhog":{"overridden":true}}}`
		}},
		{"a growth budget that is spent", nil, func(p *corev1.Pod) {
			p.Annotations[v1.WorkloadAnnotation] = spentBudget
		}},
		{"no memory limit", nil, func(p *corev1.Pod) { p.Spec.Containers[0].Resources = corev1.ResourceRequirements{} }},
		{"not annotated", nil, func(p *corev1.Pod) { p.Annotations = nil }},
		{"another AppMonitor's", nil, func(p *corev1.Pod) { p.Annotations[v1.MonitorAnnotation] = "other" }},
		{"restarts when it is resized", nil, func(p *corev1.Pod) {
			p.Spec.Containers[0].ResizePolicy = []corev1.ContainerResizePolicy{restarts}
		}},
		{"is being deleted", nil, func(p *corev1.Pod) {
			p.Finalizers = []string{"test/hold"}
		}},
		{"at the ceiling", func(m *v1.AppMonitor) { m.Spec.MaxMemory = ptr.To(resource.MustParse("384Mi")) }, nil},
		{"a full node", nil, func(p *corev1.Pod) {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "large", Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("16120Mi")},
			}})
		}},
	} {
		w := newWorld(t)
		nothing := func(*corev1.Pod) {}
		if tt.monitor == nil {
			tt.monitor = func(*v1.AppMonitor) {}
		}
		if tt.pod == nil {
			tt.pod = nothing
		}
		w.monitor(tt.monitor)
		pod, memory := w.pod("memhog", 200, tt.pod)
		if len(pod.Finalizers) > 0 {
			must(t, w.client.Delete(t.Context(), pod))
		}
		w.turn()
		memory.used = 380 * mebibyte
		w.later(2 * time.Second)
		if w.asked > 0 {
			t.Errorf("%s: the API server was asked for a resize", tt.reason)
		}
	}
}

func TestAPauseTakesEffectAtOnceAndEndsAtOnce(t *testing.T) {
	w := newWorld(t)
	m := w.monitor()
	pod, memory := w.pod("memhog", 200)
	w.turn()
	m.Annotations = map[string]string{v1.PausedAnnotation: "true"}
	must(t, w.client.Update(t.Context(), m))
	w.turn()
	memory.used = 380 * mebibyte
	w.later(time.Second)
	w.wants(pod, "256Mi/384Mi")
	m.Annotations = nil
	must(t, w.client.Update(t.Context(), m))
	w.turn()
	w.wants(pod, "512Mi/768Mi")
}

func TestGrowthThatGoesOnDoesNotWaitForTheCooldown(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	pod, memory := w.pod("memhog", 290)
	w.turn()
	w.wants(pod, "512Mi/768Mi")
	w.later(50 * time.Millisecond)
	w.actuate(pod)
	w.later(50 * time.Millisecond)
	for memory.used < 760*mebibyte && w.asked == 1 {
		memory.used += rate / 100
		w.later(shortest)
	}
	w.wants(pod, "1Gi/1536Mi")
}

func TestARefusedSizeIsHalvedAndThenLeft(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	w.pod("memhog", 300)
	w.refusal = &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: "exceeded quota: q",
	}}
	w.later(3 * time.Second)
	if w.asked < 3 || w.asked > 8 {
		t.Errorf("the API server was asked %d times, want some halvings and then silence", w.asked)
	}
}

func TestAnAPIServerThatDoesNotAnswerIsToldOfAndAskedAgain(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	pod, _ := w.pod("memhog", 300)
	w.refusal = errors.New("connection refused")
	w.later(silent + time.Second)
	if n := len(w.told); n == 0 || w.told[n-1].Reason != ReasonCannotResize {
		t.Fatalf("told %+v, want %s at last", w.told, ReasonCannotResize)
	}
	if w.asked > 20 {
		t.Errorf("it was asked %d times in 3 s, want pauses", w.asked)
	}
	w.refusal = nil
	w.later(time.Second)
	w.wants(pod, "512Mi/768Mi")
	w.actuate(pod)
	w.later(trusted / 2)
	if last := w.told[len(w.told)-1]; last.Kept != corev1.ConditionFalse {
		t.Errorf("told %+v before that has lasted", last)
	}
}

func TestSlowResizesBreakTheGuarantee(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	w.pod("calm", 100)
	pod, _ := w.pod("memhog", 290)
	w.turn()
	if len(w.told) != 1 || w.told[0].Reason != ReasonKeepsGuarantee {
		t.Fatalf("told %+v, want that the guarantee is kept", w.told)
	}
	w.later(time.Second) // the kubelet does nothing
	if last := w.told[len(w.told)-1]; last.Reason != ReasonTooSlow {
		t.Fatalf("told %+v, want %s", last, ReasonTooSlow)
	}
	w.actuate(pod)
	w.later(time.Second)
	w.clock.Step(measuredFade)
	w.later(2*latenessSpan + trusted + time.Second)
	if last := w.told[len(w.told)-1]; last.Reason != ReasonKeepsGuarantee {
		t.Errorf("told %+v long after, want that the guarantee is kept", last)
	}
}

func TestAContainerThatStartsAnewIsFoundAgain(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	pod, memory := w.pod("memhog", 200)
	w.turn()
	memory.ended = true
	w.later(2 * time.Second)
	p := w.fresh(pod)
	p.Status.ContainerStatuses[0].ContainerID = "containerd://next"
	must(t, w.client.Status().Update(t.Context(), p))
	w.kernel["containerd://next"] = &fakeGroup{used: 300 * mebibyte, limit: 384 * mebibyte}
	w.later(2 * time.Second)
	w.wants(pod, "512Mi/768Mi")
}

func TestWhatWasRaisedBySomebodyElseMeanwhileIsNotRaisedAgain(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	pod, memory := w.pod("memhog", 200)
	w.turn()
	memory.used = 290 * mebibyte
	// The agent has not seen yet that the operator was faster.
	p := w.fresh(pod)
	p.Generation = 2
	p.Spec.Containers[0].Resources.Limits[corev1.ResourceMemory] = resource.MustParse("768Mi")
	p.Spec.Containers[0].Resources.Requests[corev1.ResourceMemory] = resource.MustParse("512Mi")
	must(t, w.client.Update(t.Context(), p))
	w.refusal = nil
	w.clock.Step(time.Second)
	w.agent.lookAtDue(t.Context())
	for w.asking() {
		got := <-w.agent.answers
		got.err = workload.ErrChanged // as ResizePod has it of a real API server
		w.agent.answered(got)
	}
	w.later(time.Second)
	w.wants(pod, "512Mi/768Mi")
}
