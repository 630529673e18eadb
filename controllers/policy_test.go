package controllers

import (
	"context"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/scaling"
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

func maxMemory(quantity string) func(*v1.AppMonitorSpec) {
	return func(s *v1.AppMonitorSpec) { s.MaxMemory = ptr.To(resource.MustParse(quantity)) }
}

func TestARaiseIsCutToTheCeilingAndThenHeld(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2, maxMemory("600Mi"))
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	m := w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "400Mi/600Mi"})
	if got := wantDecision(t, m, v1.ActionRaise, "AboveThreshold"); got.LimitedBy != "AtMaximum" || got.Used.String() != "300Mi" {
		t.Errorf("the decision is %+v", got)
	}
	mustContain(t, w.nextEvent(), "AboveThreshold", "AtMaximum")
	wantCondition(t, m, v1.ConditionConstrained, metav1.ConditionFalse, v1.ReasonUnconstrained)

	pod2 := w.rollOut(d)
	w.delete(pod)
	w.clock.Step(2 * time.Minute)
	for range 3 {
		w.uses(pod2, "memhog", 580)
		m = w.reconcile("m")
	}
	wantDecision(t, m, v1.ActionHold, "AtMaximum")
	mustContain(t, w.nextEvent(), "Warning AtMaximum", "maxMemory")
	w.wantNoEvent()
	mustContain(t, wantCondition(t, m, v1.ConditionConstrained, metav1.ConditionTrue, "AtMaximum"), "Deployment/memhog")
	if m.Status.Held != 1 || len(m.Status.Decisions) != 2 {
		t.Errorf("%d held, %d decisions listed; want 1 and 2", m.Status.Held, len(m.Status.Decisions))
	}
	if w.writes.raises != 1 {
		t.Errorf("wrote %d times, want once", w.writes.raises)
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

func TestTheCooldownOutlivesTheOperatorAndAnOOMKillDoesNotWait(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) { s.Cooldown = &metav1.Duration{Duration: time.Hour} })
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	w.nextEvent()
	pod2 := w.rollOut(d)
	w.delete(pod)
	w.restart()
	w.clock.Step(time.Minute)
	w.uses(pod2, "memhog", 700)
	m := w.reconcile("m")
	wantDecision(t, m, v1.ActionHold, "Cooldown")
	w.wantNoEvent() // it passes by itself
	wantCondition(t, m, v1.ConditionConstrained, metav1.ConditionFalse, v1.ReasonUnconstrained)
	w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi"})

	killed(pod2, w.clock.Now())
	must(t, live.Status().Update(t.Context(), pod2))
	settle(t, pod2)
	m = w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "1Gi/1536Mi"})
	mustContain(t, w.nextEvent(), "Normal OOMKilled", "was OOM-killed at")
	if got := m.Status.LastChange; got == nil || got.Reason != "OOMKilled" {
		t.Errorf("the last change is %+v", got)
	}
}

func TestALeakIsStoppedByItsBudget(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) { s.Cooldown = &metav1.Duration{} })
	d, pod := w.deployment("leak", memory{"memhog", "256Mi", "384Mi"})
	var m *v1.AppMonitor
	for limit := int64(384); limit <= 3072; limit *= 2 {
		w.clock.Step(5 * time.Minute)
		w.uses(pod, "memhog", limit*9/10)
		m = w.reconcile("m")
		if limit < 3072 {
			old := pod
			pod = w.rollOut(d)
			w.delete(old)
			w.nextEvent()
		}
	}
	w.wantSizes(d, map[string]string{"memhog": "2Gi/3Gi"}) // eight times as much, and no more
	wantDecision(t, m, v1.ActionHold, "GrowthBudgetExhausted")
	mustContain(t, w.nextEvent(), "Warning GrowthBudgetExhausted", "leak")
	wantCondition(t, m, v1.ConditionConstrained, metav1.ConditionTrue, "GrowthBudgetExhausted")

	killed(pod, w.clock.Now())
	must(t, live.Status().Update(t.Context(), pod))
	settle(t, pod)
	w.restart()
	w.uses(pod, "memhog", 3000)
	w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "2Gi/3Gi"})

	// Use levels off: it was no leak.
	for range 8 {
		w.clock.Step(5 * time.Minute)
		w.uses(pod, "memhog", 2900)
		m = w.reconcile("m")
	}
	w.wantSizes(d, map[string]string{"memhog": "4Gi/6Gi"})
	wantCondition(t, m, v1.ConditionConstrained, metav1.ConditionFalse, v1.ReasonUnconstrained)
}

func TestAGitOpsControllerIsNotFought(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	d := w.gitops("memhog")
	pod := w.rollOut(d)
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	mustContain(t, w.nextEvent(), "AboveThreshold")
	w.wantSizes(d, map[string]string{"memhog": "none/768Mi"})

	w.gitops("memhog") // which makes the Deployment go back to the ReplicaSet, and the Pod, that it had
	w.setProgress(d, corev1.ConditionTrue, "NewReplicaSetAvailable")
	var m *v1.AppMonitor
	for range 10 {
		w.clock.Step(time.Minute)
		w.uses(pod, "memhog", 300)
		m = w.reconcile("m")
	}
	w.wantSizes(d, map[string]string{"memhog": "none/384Mi"})
	if w.writes.raises != 1 {
		t.Errorf("wrote %d times, want once", w.writes.raises)
	}
	mustContain(t, w.nextEvent(), "Warning Overridden")
	w.wantNoEvent()
	wantCondition(t, m, v1.ConditionConstrained, metav1.ConditionTrue, "Overridden")
	wantDecision(t, m, v1.ActionHold, "Overridden")

	// A release of something else is another matter.
	w.refresh(d)
	d.Spec.Template.Spec.Containers[0].Image = "memhog:next"
	w.update(d)
	next := w.rollOut(d)
	w.delete(pod)
	w.uses(next, "memhog", 300)
	w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "none/768Mi"})
}

func TestARolloutThatIsStuckIsRolledBackOnce(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	w.nextEvent()
	w.setProgress(d, corev1.ConditionFalse, "ProgressDeadlineExceeded")
	m := w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "256Mi/384Mi"})
	mustContain(t, w.nextEvent(), "Warning RolloutStuck", "rolled back memory of container memhog from 512Mi/768Mi to 256Mi/384Mi")
	if got := m.Status.LastChange; got == nil || got.Action != v1.ActionRollback || got.From.Limit.String() != "768Mi" {
		t.Errorf("the last change is %+v", got)
	}

	w.setProgress(d, corev1.ConditionTrue, "NewReplicaSetAvailable")
	w.restart()
	for range 3 {
		w.clock.Step(5 * time.Minute)
		w.uses(pod, "memhog", 300)
		m = w.reconcile("m")
	}
	w.wantSizes(d, map[string]string{"memhog": "256Mi/384Mi"})
	wantDecision(t, m, v1.ActionHold, "RolloutStuck")
	wantCondition(t, m, v1.ConditionConstrained, metav1.ConditionTrue, "RolloutStuck")
	if m.Status.Raised != 0 {
		t.Errorf("%d containers are raised, want none", m.Status.Raised)
	}

	w.clock.Step(time.Hour) // there may be room now
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi"})
}

func TestQuotaAndLimitRangeLeaveAPart(t *testing.T) {
	for _, tc := range []struct {
		reason string
		object func(namespace string) client.Object
		want   string
		by     scaling.Reason
	}{
		{"a quota", func(namespace string) client.Object {
			hard := corev1.ResourceList{corev1.ResourceRequestsMemory: resource.MustParse("600Mi")}
			return &corev1.ResourceQuota{
				ObjectMeta: metav1.ObjectMeta{Name: "part", Namespace: namespace},
				Spec:       corev1.ResourceQuotaSpec{Hard: hard},
				Status: corev1.ResourceQuotaStatus{
					Hard: hard, Used: corev1.ResourceList{corev1.ResourceRequestsMemory: resource.MustParse("256Mi")},
				},
			}
		}, "344Mi/516Mi", scaling.ReasonQuotaExceeded},
		{"a LimitRange", func(namespace string) client.Object {
			return &corev1.LimitRange{
				ObjectMeta: metav1.ObjectMeta{Name: "part", Namespace: namespace},
				Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
					Type: corev1.LimitTypeContainer, Max: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("450Mi")},
				}}},
			}
		}, "300Mi/450Mi", scaling.ReasonAtLimitRange},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t)
			w.monitor("m", 75, 2)
			d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
			bound := tc.object(w.namespace)
			quota, isQuota := bound.DeepCopyObject().(*corev1.ResourceQuota)
			must(t, live.Create(t.Context(), bound))
			if isQuota {
				quota.ResourceVersion = bound.GetResourceVersion()
				must(t, live.Status().Update(t.Context(), quota))
				bound = quota
			}
			settle(t, bound)
			w.uses(pod, "memhog", 300)
			m := w.reconcile("m")
			w.wantSizes(d, map[string]string{"memhog": tc.want})
			if got := wantDecision(t, m, v1.ActionRaise, "AboveThreshold"); got.LimitedBy != string(tc.by) {
				t.Errorf("limited by %q, want %q", got.LimitedBy, tc.by)
			}
		})
	}
}

func TestTheRoomOfNodesIsKnownWhereAllPodsAre(t *testing.T) {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "room"}}
	must(t, live.Create(t.Context(), node))
	t.Cleanup(func() { must(t, live.Delete(context.WithoutCancel(t.Context()), node)) })
	node.Status.Allocatable = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("700Mi")}
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	must(t, live.Status().Update(t.Context(), node))
	node.Spec.Taints = nil
	must(t, live.Update(t.Context(), node))
	settle(t, node)
	must(t, live.Get(t.Context(), client.ObjectKeyFromObject(node), node))

	w := newWorld(t)
	w.reconciler.WholeCluster = true
	w.monitor("m", 75, 2)
	// Somebody else's Pod takes 100Mi of the node, another one of this namespace 50Mi.
	stranger := corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: containersOf([]memory{{"x", "100Mi", "100Mi"}})}}
	stranger.Spec.NodeName = "room"
	w.podOn("stranger", "room", stranger)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"}, memory{"sidecar", "50Mi", "50Mi"})
	w.uses(pod, "memhog", 300)
	m := w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi", "sidecar": "50Mi/50Mi"}) // 700 − 100 − 50 = 550Mi are left
	if got := wantDecision(t, m, v1.ActionRaise, "AboveThreshold"); got.LimitedBy != "" {
		t.Errorf("limited by %q", got.LimitedBy)
	}

	d2, pod2 := w.deployment("second", memory{"memhog", "400Mi", "600Mi"})
	w.uses(pod2, "memhog", 590)
	m = w.reconcile("m")
	w.wantSizes(d2, map[string]string{"memhog": "600Mi/900Mi"}) // 700Mi − 100Mi
	if got := wantDecision(t, m, v1.ActionRaise, "AboveThreshold"); got.LimitedBy != "NodeFull" {
		t.Errorf("limited by %q, want NodeFull", got.LimitedBy)
	}
}

func TestContainersHavePoliciesOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) {
		s.Containers = []v1.ContainerPolicy{
			{Name: "off", Mode: v1.SwitchOff},
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
		s.ScaleDown = &v1.ScaleDown{Mode: v1.SwitchOn, After: &metav1.Duration{Duration: 10 * time.Minute}}
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
