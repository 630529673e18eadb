package controllers

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// refresh reads an object anew, and waits until the operator sees it so.
func (w *world) refresh(o client.Object) {
	w.t.Helper()
	must(w.t, live.Get(w.t.Context(), client.ObjectKeyFromObject(o), o))
	settle(w.t, o)
}

// wantDecision checks the newest entry of the list of decisions.
func wantDecision(t *testing.T, m *v1.AppMonitor, action v1.Action, reason string) v1.Decision {
	t.Helper()
	if len(m.Status.Decisions) == 0 {
		t.Fatalf("no decision is listed, want %s, %s", action, reason)
	}
	d := m.Status.Decisions[0]
	if d.Action != action || d.Reason != reason {
		t.Errorf("the latest decision is %s, %s (%s); want %s, %s", d.Action, d.Reason, d.Message, action, reason)
	}
	return d
}

// wantNoEvent fails when something was told that was not looked at.
func (w *world) wantNoEvent() {
	w.t.Helper()
	if more := w.nextEvent(); more != "" {
		w.t.Errorf("told: %s", more)
	}
}

func TestADryRunReportsAndChangesNothing(t *testing.T) {
	w := newWorld(t)
	m := w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) { s.Mode = v1.ModeDryRun })
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	for range 3 {
		w.uses(pod, "memhog", 300)
		m = w.reconcile("m")
		w.clock.Step(5 * time.Second)
	}
	got := wantDecision(t, m, v1.ActionRaise, "AboveThreshold")
	if !got.DryRun || got.To == nil || got.To.Limit.String() != "768Mi" || len(m.Status.Decisions) != 1 {
		t.Errorf("the decisions are %+v", m.Status.Decisions)
	}
	wantCondition(t, m, v1.ConditionReady, metav1.ConditionTrue, v1.ReasonDryRun)
	mustContain(t, w.nextEvent(), "Normal DryRun", "would have raised memory of container memhog from 256Mi/384Mi to 512Mi/768Mi")
	w.wantNoEvent()
	if w.writes.tries != 0 || w.writes.statuses != 1 || m.Status.LastChange != nil {
		t.Errorf("%d changes tried, %d statuses written, last change %v", w.writes.tries, w.writes.statuses, m.Status.LastChange)
	}

	m.Spec.Mode = v1.ModeEnforce
	w.update(m)
	m = w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi"})
	if got := wantDecision(t, m, v1.ActionRaise, "AboveThreshold"); got.DryRun {
		t.Error("a change that was made is called a dry run")
	}
}

func TestANoisyHourMovesNoCondition(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2, maxMemory("384Mi"))
	_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	before := w.writes.statuses
	for tick := range 720 {
		w.clock.Step(5 * time.Second)
		w.uses(pod, "memhog", 288+int64(tick*7919%41)-20) // about the threshold, from 268 to 308
		w.reconcile("m")
	}
	if wrote := w.writes.statuses - before; wrote != 0 {
		t.Errorf("the status was written %d times in an hour of noise, want never", wrote)
	}
	told := 0
	for w.nextEvent() != "" {
		told++
	}
	if told != 1 {
		t.Errorf("%d Events in an hour, want 1", told)
	}
}

func TestTheListOfDecisionsIsBoundedAndOutlivesTheOperator(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	for i := range v1.MaxDecisions + 5 {
		w.deployment(strings.Repeat("x", i+1), memory{"memhog", "256Mi", ""})
	}
	m := w.reconcile("m")
	if len(m.Status.Decisions) != v1.MaxDecisions {
		t.Errorf("%d decisions are listed, want %d", len(m.Status.Decisions), v1.MaxDecisions)
	}
	before := w.writes.statuses
	w.reconcile("m")
	if w.writes.statuses != before {
		t.Error("what was listed before is listed again")
	}
	w.restart()
	w.reconcile("m")
	m = w.reconcile("m")
	if len(m.Status.Decisions) != v1.MaxDecisions || w.writes.statuses > before+1 {
		t.Errorf("%d decisions are listed, %d more statuses written", len(m.Status.Decisions), w.writes.statuses-before)
	}
}

func TestAnAccountIsTakenUpAfterARestart(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	w.deployment("limitless", memory{"memhog", "256Mi", ""})
	w.reconcile("m")
	before := w.writes.statuses
	w.restart()
	w.clock.Step(10 * time.Second) // an entry made anew would have another time
	w.reconcile("m")
	if wrote := w.writes.statuses - before; wrote != 0 {
		t.Errorf("the status was written %d times, want never", wrote)
	}
}

func TestARecordThatSomebodyBrokeIsWrittenAnew(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	d.Annotations = map[string]string{v1.RecordAnnotation: "nonsense"}
	w.update(d)
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi"})
	now := &appsv1.Deployment{}
	must(t, live.Get(t.Context(), client.ObjectKeyFromObject(d), now))
	mustContain(t, now.Annotations[v1.RecordAnnotation], `"declared":{"request":"256Mi","limit":"384Mi"}`)
}

func TestReplicasThatDisagreeMoveNoCondition(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2, maxMemory("384Mi"), func(s *v1.AppMonitorSpec) { s.Cooldown = &metav1.Duration{Duration: 24 * time.Hour} })
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	second := w.pod("memhog-second", d.Spec.Template, pod.OwnerReferences...)
	d.Annotations = map[string]string{v1.RecordAnnotation: `{"memhog":{"declared":{"limit":"384Mi"},"previous":{"limit":"384Mi"},` +
		`"given":{"limit":"384Mi"},"givenAt":"` + w.clock.Now().UTC().Format(time.RFC3339) + `"}}`}
	w.update(d)
	w.setProgress(d, corev1.ConditionTrue, "NewReplicaSetAvailable")
	killed(second, w.clock.Now()) // AtMaximum, while the other one cools down
	must(t, live.Status().Update(t.Context(), second))
	settle(t, second)
	w.uses(pod, "memhog", 300)
	m := w.reconcile("m")
	wantDecision(t, m, v1.ActionHold, "AtMaximum")
	before := w.writes.statuses
	for range 60 {
		w.clock.Step(5 * time.Second)
		w.uses(pod, "memhog", 300)
		w.uses(second, "memhog", 300)
		w.reconcile("m")
	}
	if wrote := w.writes.statuses - before; wrote != 0 {
		t.Errorf("the status was written %d times, want never", wrote)
	}
}

func TestADryRunWhoseTargetMovesIsToldOnce(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) { s.Mode = v1.ModeDryRun })
	_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	before := w.writes.statuses
	for _, used := range []int64{700, 300, 1500} {
		w.clock.Step(5 * time.Second)
		w.uses(pod, "memhog", used)
		w.reconcile("m")
	}
	mustContain(t, w.nextEvent(), "Normal DryRun")
	w.wantNoEvent()
	if wrote := w.writes.statuses - before; wrote != 0 {
		t.Errorf("the status was written %d times, want never", wrote)
	}
}

func TestWhatIsSaidOfAWorkloadGoesWithIt(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	if m := w.reconcile("m"); len(m.Status.Decisions) != 1 || m.Status.LastChange == nil {
		t.Fatalf("the status is %+v", m.Status)
	}
	w.delete(pod)
	w.delete(d)
	if m := w.reconcile("m"); len(m.Status.Decisions) != 0 || m.Status.LastChange != nil {
		t.Errorf("of a workload that is gone the status says %+v", m.Status)
	}
}

func TestWhatWasToldIsNoNewsWhenPodsComeAndGo(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	_, pod := w.deployment("limitless", memory{"memhog", "256Mi", ""})
	for range 3 {
		for _, phase := range []corev1.PodPhase{corev1.PodRunning, corev1.PodPending} {
			pod.Status.Phase = phase
			must(t, live.Status().Update(t.Context(), pod))
			settle(t, pod)
			w.reconcile("m")
			w.clock.Step(time.Minute)
		}
	}
	mustContain(t, w.nextEvent(), "Warning NoLimit")
	w.wantNoEvent()
}

func TestAStatusThatTheCacheShowsLateLosesNothing(t *testing.T) {
	w := newWorld(t)
	m := w.monitor("m", 75, 2)
	stale := m.DeepCopy()
	w.deployment("first", memory{"memhog", "256Mi", ""})
	w.reconcile("m")
	w.deployment("second", memory{"memhog", "256Mi", ""})
	observed, err := w.reconciler.observe(t.Context(), stale, w.page("m"))
	must(t, err)
	decided, err := w.reconciler.decide(t.Context(), stale, observed)
	must(t, err)
	w.reconciler.announce(t.Context(), stale, w.page("m"), observed, decided, outcome{})
	must(t, w.reconciler.report(t.Context(), stale, w.page("m"), observed))
	must(t, live.Get(t.Context(), client.ObjectKeyFromObject(m), m))
	if len(m.Status.Decisions) != 2 {
		t.Errorf("%d decisions are listed, want 2", len(m.Status.Decisions))
	}
}
