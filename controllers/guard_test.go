package controllers

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

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

	// A day later it still is a leak. Once its use levels off, for three hours, it was none.
	w.clock.Step(24 * time.Hour)
	w.uses(pod, "memhog", 2900)
	w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "2Gi/3Gi"})
	for range 3 * 60 / 5 {
		w.clock.Step(5 * time.Minute)
		w.uses(pod, "memhog", 2900)
		m = w.reconcile("m")
	}
	w.wantSizes(d, map[string]string{"memhog": "4Gi/6Gi"})
	w.refresh(d)
	records, err := workload.Records(d)
	must(t, err)
	if n := len(records["memhog"].Raises); n != 1 {
		t.Errorf("%d raises count after use has levelled off, want the one since", n)
	}
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
	w.refresh(d)
	w.uses(pod, "memhog", 300)
	w.reconcile("m") // in the middle of it
	w.wantNoEvent()
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

func TestAGitOpsControllerIsNotFoughtOverTwoContainers(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	d := w.gitops("a", "b")
	first := w.rollOut(d)
	w.uses(first, "a", 300)
	w.reconcile("m")
	second := w.rollOut(d)
	w.delete(first)
	w.clock.Step(time.Hour)
	w.uses(second, "b", 300)
	w.reconcile("m")
	w.wantSizes(d, map[string]string{"a": "none/768Mi", "b": "none/768Mi"})

	// The sync goes back to the first ReplicaSet, over and over.
	w.delete(second)
	back := w.podOf(d, first)
	for range 5 {
		w.gitops("a", "b")
		w.setProgress(d, corev1.ConditionTrue, "NewReplicaSetAvailable")
		w.clock.Step(time.Hour)
		w.uses(back, "a", 300)
		w.uses(back, "b", 300)
		w.reconcile("m")
	}
	w.wantSizes(d, map[string]string{"a": "none/384Mi", "b": "none/384Mi"})
	if w.writes.raises != 2 {
		t.Errorf("wrote %d times, want twice", w.writes.raises)
	}
}

func TestAnUndoIsNotOverruled(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	before := d.DeepCopy()
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	// The Deployment controller copies the Deployment's annotations to its newest ReplicaSet.
	w.refresh(d)
	w.delete(w.rollOut(d))

	// kubectl rollout undo puts back the template, and all annotations, from before.
	d.Annotations, d.Spec.Template = before.Annotations, before.Spec.Template
	w.update(d)
	w.setProgress(d, corev1.ConditionTrue, "NewReplicaSetAvailable")
	w.clock.Step(time.Hour)
	w.uses(pod, "memhog", 300)
	m := w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "256Mi/384Mi"})
	wantDecision(t, m, v1.ActionHold, "Overridden")

	// An empty record makes the operator start afresh.
	w.refresh(d)
	d.Annotations = map[string]string{v1.RecordAnnotation: "{}"}
	w.update(d)
	w.setProgress(d, corev1.ConditionTrue, "NewReplicaSetAvailable")
	w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi"})
}

func TestARolloutThatLeavesNoPodRunningIsRolledBack(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	next := w.rollOut(d)
	w.delete(pod) // as with the strategy Recreate
	next.Status = corev1.PodStatus{Phase: corev1.PodPending}
	must(t, live.Status().Update(t.Context(), next))
	settle(t, next)
	w.setProgress(d, corev1.ConditionTrue, "ReplicaSetUpdated")
	w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi"}) // it may still find a place

	w.setProgress(d, corev1.ConditionFalse, "ProgressDeadlineExceeded")
	m := w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "256Mi/384Mi"})
	if got := m.Status.LastChange; got == nil || got.Action != v1.ActionRollback {
		t.Errorf("the last change is %+v", got)
	}
}

func TestAnOOMKillIsAnsweredOnceWhateverTheClocksSay(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	at := w.clock.Now().Add(30 * time.Second) // by the clock of a node that is ahead
	killed(pod, at)
	must(t, live.Status().Update(t.Context(), pod))
	settle(t, pod)
	w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi"})

	next := w.rollOut(d)
	w.delete(pod)
	killed(next, at) // the same one
	must(t, live.Status().Update(t.Context(), next))
	settle(t, next)
	for range 5 {
		w.clock.Step(time.Minute)
		w.uses(next, "memhog", 100)
		w.reconcile("m")
	}
	w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi"})
}

func TestOneRolloutAtATime(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) { s.Cooldown = &metav1.Duration{} })
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	next := w.rollOut(d)
	w.setProgress(d, corev1.ConditionTrue, "ReplicaSetUpdated") // the others are still replaced
	w.clock.Step(time.Minute)
	w.uses(next, "memhog", 700)
	w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi"})

	// An OOM kill does not wait. When that gets stuck, it is back to what was complete last.
	killed(next, w.clock.Now())
	must(t, live.Status().Update(t.Context(), next))
	settle(t, next)
	w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "1Gi/1536Mi"})
	w.setProgress(d, corev1.ConditionFalse, "ProgressDeadlineExceeded")
	w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "256Mi/384Mi"})
}

func TestARolledBackRaiseSpendsNoBudget(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	for range 5 {
		w.clock.Step(2 * time.Hour)
		w.uses(pod, "memhog", 300)
		w.reconcile("m")
		w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi"})
		w.setProgress(d, corev1.ConditionFalse, "ProgressDeadlineExceeded")
		w.reconcile("m")
		w.wantSizes(d, map[string]string{"memhog": "256Mi/384Mi"})
		w.setProgress(d, corev1.ConditionTrue, "NewReplicaSetAvailable")
	}
}

func TestAPausedPodIsNotReplacedForAnotherOne(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	second := w.pod("memhog-second", d.Spec.Template, pod.OwnerReferences...)
	second.Annotations[v1.PausedAnnotation] = "true"
	w.update(second)
	w.uses(pod, "memhog", 380)
	w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "256Mi/384Mi"})
}

func TestTheTimeOfARolloutIsMeasured(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("pair", memory{"a", "256Mi", "384Mi"}, memory{"b", "256Mi", "384Mi"})
	took := func() time.Duration { return w.page("m").trends.actuation(d.UID) }
	if got := took(); got != usualRollout {
		t.Errorf("a rollout that was never seen is taken to last %s", got)
	}
	w.uses(pod, "a", 300)
	w.uses(pod, "b", 10)
	w.reconcile("m")
	w.refresh(d)
	for range 8 {
		w.reconcile("m")
		w.clock.Step(5 * time.Second)
	}
	w.rollOut(d)
	w.delete(pod)
	w.reconcile("m")
	if got := took(); got != 40*time.Second {
		t.Errorf("a rollout of 40 s is taken to last %s", got)
	}
	if n := len(w.page("m").trends.use); n != 2 {
		t.Errorf("%d processes are remembered, want the two that run", n)
	}
}

func TestPodsThatSomebodyElseMakesSmallerAreNotFoughtOver(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	set := &appsv1.ReplicaSet{}
	must(t, live.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: workload.SetOf(pod)}, set))
	set.Annotations = map[string]string{workload.RevisionAnnotation: "7"}
	must(t, live.Update(t.Context(), set))
	settle(t, ReplicaSetMetaOf(set))
	// As if a webhook had given the Pod half of what the template says.
	d.Annotations = map[string]string{workload.RevisionAnnotation: "7"}
	w.resize(d, "768Mi")
	w.setProgress(d, corev1.ConditionTrue, "NewReplicaSetAvailable")
	w.uses(pod, "memhog", 300)
	m := w.reconcile("m")
	wantDecision(t, m, v1.ActionHold, "Overridden")
	w.wantSizes(d, map[string]string{"memhog": "256Mi/768Mi"})
}

func TestACacheThatKnowsTheReplicaSetBeforeTheDeploymentIsNotFooled(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	d.Annotations = map[string]string{workload.RevisionAnnotation: "1"}
	w.update(d)
	w.setProgress(d, corev1.ConditionTrue, "NewReplicaSetAvailable")
	// The ReplicaSet of a raise that the cached Deployment does not show yet.
	next := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: "memhog-next", Namespace: w.namespace, Annotations: map[string]string{
				workload.RevisionAnnotation: "2",
				v1.RecordAnnotation: `{"memhog":{"declared":{"limit":"384Mi"},"previous":{"limit":"384Mi"},"given":{"limit":"768Mi"},` +
					`"givenAt":"` + w.clock.Now().UTC().Format(time.RFC3339) + `","replaced":["` + workload.SetOf(pod) + `"]}}`,
			},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))},
		},
		Spec: appsv1.ReplicaSetSpec{Selector: d.Spec.Selector, Template: d.Spec.Template},
	}
	must(t, live.Create(t.Context(), next))
	settle(t, ReplicaSetMetaOf(next))
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	w.wantNoEvent()
	w.wantSizes(d, map[string]string{"memhog": "256Mi/384Mi"})

	// Once it does, and has gone back, somebody has taken the raise back.
	w.refresh(d)
	d.Annotations = map[string]string{workload.RevisionAnnotation: "3"}
	w.update(d)
	w.setProgress(d, corev1.ConditionTrue, "NewReplicaSetAvailable")
	w.reconcile("m")
	mustContain(t, w.nextEvent(), "Warning Overridden")
}
