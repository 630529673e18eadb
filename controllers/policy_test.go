package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

func TestContainersHavePoliciesOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) {
		s.Containers = []v1.ContainerPolicy{
			{Name: "off", Mode: v1.SwitchDisabled},
			{Name: "slow", MemMultiplier: ptr.To(1.5), MemThresholdPercent: ptr.To(50.0)},
		}
	})
	d, pod := w.deployment("trio", memory{"off", "256Mi", "384Mi"}, memory{"slow", "256Mi", "384Mi"}, memory{"usual", "256Mi", "384Mi"})
	for _, name := range []string{"off", "slow", "usual"} {
		w.uses(pod, name, 200)
	}
	w.uses(pod, "off", 380)
	w.reconcile("m")
	w.wantSizes(d, map[string]string{"off": "256Mi/384Mi", "slow": "384Mi/576Mi", "usual": "256Mi/384Mi"})
}

func TestTheStrategyInPlaceRestartsNothing(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) { s.Strategy = v1.StrategyInPlace })
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 380)
	m := w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "256Mi/384Mi"})
	wantCondition(t, m, v1.ConditionConstrained, metav1.ConditionTrue, "InPlaceUnavailable")
	mustContain(t, w.nextEvent(), "Warning InPlaceUnavailable")
}

func TestASelectorNarrowsWhatAnAppMonitorOwns(t *testing.T) {
	w := newWorld(t)
	app := func(name string) func(*v1.AppMonitorSpec) {
		return func(s *v1.AppMonitorSpec) {
			s.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}
		}
	}
	w.monitor("a", 75, 2, app("a"))
	w.monitor("b", 75, 2, app("b"))
	w.monitor("broken", 75, 2, func(s *v1.AppMonitorSpec) {
		s.Selector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "Like"}}}
	})
	_, _ = w.deployment("a", memory{"memhog", "256Mi", "384Mi"})
	db, pod := w.deployment("b", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	for _, name := range []string{"a", "b"} {
		m := w.reconcile(name)
		if m.Status.Pods != 1 {
			t.Errorf("%s owns %d Pods, want 1", name, m.Status.Pods)
		}
		wantCondition(t, m, v1.ConditionConflicted, metav1.ConditionFalse, v1.ReasonNoConflict)
	}
	w.wantSizes(db, map[string]string{"memhog": "512Mi/768Mi"})
	w.nextEvent()

	m := w.reconcile("broken")
	mustContain(t, wantCondition(t, m, v1.ConditionReady, metav1.ConditionFalse, v1.ReasonInvalidSelector), "spec.selector", "Like")
	if m.Status.Pods != 0 {
		t.Errorf("a selector that nobody understands selects %d Pods", m.Status.Pods)
	}

	pod.Annotations[v1.MonitorAnnotation] = "a"
	w.update(pod)
	w.reconcile("a")
	mustContain(t, w.nextEvent(), "Warning UnknownMonitor", `"a"`, "does not select")
}

func TestMemoryIsLoweredWhenAllReplicasAreIdle(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) {
		s.ScaleDown = &v1.ScaleDown{Mode: v1.SwitchEnabled, After: &metav1.Duration{Duration: 10 * time.Minute}}
	})
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	w.nextEvent()
	first := w.rollOut(d)
	w.delete(pod)
	second := w.pod("memhog-second", d.Spec.Template, first.OwnerReferences...)
	var m *v1.AppMonitor
	for minute := range 40 {
		w.clock.Step(time.Minute)
		w.uses(first, "memhog", 10)
		w.uses(second, "memhog", int64(200-4*minute)) // idle later than the other
		m = w.reconcile("m")
		if minute == 20 {
			w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi"})
		}
	}
	w.wantSizes(d, map[string]string{"memhog": "256Mi/384Mi"})
	mustContain(t, w.nextEvent(), "Normal Idle", "lowered memory of container memhog from 512Mi/768Mi to 256Mi/384Mi")
	if got := m.Status.LastChange; got.Action != v1.ActionLower || m.Status.Raised != 0 {
		t.Errorf("last change %+v, %d raised", got, m.Status.Raised)
	}
}

func TestAForecastRaisesBeforeTheThreshold(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	for used := int64(160); used <= 260; used += 20 { // 4 MiB/s
		w.uses(pod, "memhog", used)
		w.reconcile("m")
		w.clock.Step(5 * time.Second)
	}
	w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi"})
	mustContain(t, w.nextEvent(), "Normal ForecastOOM", "growing by 4.0 MiB/s")
}
