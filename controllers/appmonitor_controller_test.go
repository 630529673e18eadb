package controllers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/usage"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// sizes reads the memory of a Deployment's template, as request/limit by container.
func (w *world) sizes(d *appsv1.Deployment) map[string]string {
	w.t.Helper()
	now := &appsv1.Deployment{}
	must(w.t, live.Get(w.t.Context(), client.ObjectKeyFromObject(d), now))
	sizes := map[string]string{}
	for _, c := range now.Spec.Template.Spec.Containers {
		request, limit := "none", "none"
		if q, ok := c.Resources.Requests[corev1.ResourceMemory]; ok {
			request = q.String()
		}
		if q, ok := c.Resources.Limits[corev1.ResourceMemory]; ok {
			limit = q.String()
		}
		sizes[c.Name] = request + "/" + limit
	}
	return sizes
}

func (w *world) wantSizes(d *appsv1.Deployment, want map[string]string) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.sizes(d)); diff != "" {
		w.t.Errorf("sizes in the template (-want +got):\n%s", diff)
	}
}

func wantCondition(t *testing.T, m *v1.AppMonitor, kind string, status metav1.ConditionStatus, reason string) string {
	t.Helper()
	c := meta.FindStatusCondition(m.Status.Conditions, kind)
	if c == nil {
		t.Fatalf("no condition %s", kind)
	}
	if c.Status != status || c.Reason != reason {
		t.Errorf("condition %s is %s, %s (%s); want %s, %s", kind, c.Status, c.Reason, c.Message, status, reason)
	}
	return c.Message
}

func TestAContainerAtTheThresholdIsRaisedByOneRollout(t *testing.T) {
	w := newWorld(t)
	w.monitor("johnny-cache", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})

	w.uses(pod, "memhog", 287)
	w.reconcile("johnny-cache")
	w.wantSizes(d, map[string]string{"memhog": "256Mi/384Mi"})

	w.uses(pod, "memhog", 288)
	m := w.reconcile("johnny-cache")
	w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi"})
	mustContain(t, w.nextEvent(), "Normal AboveThreshold", "container memhog from 256Mi/384Mi to 512Mi/768Mi: 288Mi")
	if got := m.Status.LastChange; got == nil || got.Action != v1.ActionRaise ||
		got.Workload != "Deployment/memhog" || got.Reason != "AboveThreshold" ||
		got.From.Limit.String() != "384Mi" || got.To.Limit.String() != "768Mi" || got.To.Request.String() != "512Mi" {
		t.Errorf("last change is %+v", got)
	}

	pod2 := w.rollOut(d)
	w.delete(pod)
	w.uses(pod2, "memhog", 288)
	m = w.reconcile("johnny-cache")
	w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi"})
	if m.Status.Raised != 1 || m.Status.Pods != 1 {
		t.Errorf("raised %d of %d Pods, want 1 of 1", m.Status.Raised, m.Status.Pods)
	}
	wantCondition(t, m, v1.ConditionReady, metav1.ConditionTrue, v1.ReasonWatching)
	if w.writes.raises != 1 {
		t.Errorf("wrote %d times to Deployments, want once", w.writes.raises)
	}
}

func TestARaiseTouchesTheTwoMemoryFieldsOnly(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"}, memory{"sidecar", "32Mi", "64Mi"})
	before := d.DeepCopy()
	w.uses(pod, "memhog", 300)
	w.reconcile("m")

	after := &appsv1.Deployment{}
	must(t, live.Get(t.Context(), client.ObjectKeyFromObject(d), after))
	want := before.DeepCopy()
	resources := want.Spec.Template.Spec.Containers[0].Resources
	resources.Requests[corev1.ResourceMemory] = resource.MustParse("512Mi")
	resources.Limits[corev1.ResourceMemory] = resource.MustParse("768Mi")
	if after.Annotations[v1.RecordAnnotation] == "" {
		t.Error("what was changed is not recorded")
	}
	delete(after.Annotations, v1.RecordAnnotation)
	bookkeeping := cmp.Options{
		cmpopts.IgnoreFields(metav1.ObjectMeta{}, "ManagedFields", "ResourceVersion", "Generation"), cmpopts.EquateEmpty(),
	}
	if diff := cmp.Diff(want, after, bookkeeping); diff != "" {
		t.Errorf("more than the two memory values changed (-want +got):\n%s", diff)
	}
	for _, f := range after.ManagedFields {
		if f.Manager != workload.FieldManager {
			continue
		}
		const owned = `{"f:metadata":{"f:annotations":{".":{},"f:app-monitor.kubedemo.com/record":{}}},` +
			`"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"memhog\"}":` +
			`{"f:resources":{"f:limits":{"f:memory":{}},"f:requests":{"f:memory":{}}}}}}}}}`
		if got := f.FieldsV1.GetRawString(); got != owned {
			t.Errorf("the operator owns %s\nwant %s", got, owned)
		}
		return
	}
	t.Error("the operator owns nothing")
}

func TestEveryContainerIsConsideredOnItsOwn(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 1.5)
	d, pod := w.deployment("pair", memory{"a", "256Mi", "384Mi"}, memory{"b", "100Mi", "100Mi"})
	w.uses(pod, "a", 100)
	w.uses(pod, "b", 80)
	w.reconcile("m")
	w.wantSizes(d, map[string]string{"a": "256Mi/384Mi", "b": "150Mi/150Mi"})

	pod2 := w.rollOut(d)
	w.delete(pod)
	w.clock.Step(v1.DefaultCooldown)
	w.uses(pod2, "a", 300)
	w.uses(pod2, "b", 10)
	w.reconcile("m")
	w.wantSizes(d, map[string]string{"a": "384Mi/576Mi", "b": "150Mi/150Mi"})

	w.rollOut(d)
	if m := w.reconcile("m"); m.Status.Raised != 2 {
		t.Errorf("raised %d containers, want 2", m.Status.Raised)
	}
}

func TestReplicasShareTheLargestSizeThatOneOfThemNeeds(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	second := w.pod("memhog-second", d.Spec.Template, pod.OwnerReferences...)
	w.uses(pod, "memhog", 300)
	w.uses(second, "memhog", 600)
	w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "1Gi/1536Mi"})
	if w.writes.raises != 1 {
		t.Errorf("wrote %d times, want once for both replicas", w.writes.raises)
	}
}

func TestWhatHoldsBackAContainerThatIsNearlyFull(t *testing.T) {
	for _, tc := range []struct {
		reason string
		set    func(*world, *appsv1.Deployment, *corev1.Pod)
		want   scaling.Reason // empty: the Pod is not this AppMonitor's
	}{
		{"nothing does", func(*world, *appsv1.Deployment, *corev1.Pod) {}, scaling.ReasonAboveThreshold},
		{"a stale sample", func(w *world, _ *appsv1.Deployment, _ *corev1.Pod) {
			w.clock.Step(61 * time.Second)
		}, scaling.ReasonStaleSample},
		{"a sample of the container's predecessor", func(w *world, _ *appsv1.Deployment, p *corev1.Pod) {
			w.samples.set(usage.Container{Namespace: p.Namespace, Pod: p.Name, Name: "memhog"},
				usage.Sample{Bytes: 380 * mi, Time: w.clock.Now().Add(-5 * time.Second)})
		}, scaling.ReasonStaleSample},
		{"a larger template that is being rolled out", func(w *world, d *appsv1.Deployment, _ *corev1.Pod) {
			w.resize(d, "512Mi")
			w.setProgress(d, corev1.ConditionTrue, "ReplicaSetUpdated")
		}, scaling.ReasonRolloutInProgress},
		{"a smaller template that is being rolled out", func(w *world, d *appsv1.Deployment, _ *corev1.Pod) {
			w.resize(d, "300Mi")
			w.setProgress(d, corev1.ConditionTrue, "ReplicaSetUpdated")
		}, scaling.ReasonRolloutInProgress},
		{"a larger template whose rollout the Deployment has given up", func(w *world, d *appsv1.Deployment, _ *corev1.Pod) {
			w.resize(d, "512Mi")
			w.setProgress(d, corev1.ConditionFalse, "ProgressDeadlineExceeded")
		}, scaling.ReasonRolloutStuck},
		{"not a rollout that leaves its size as it is", func(w *world, d *appsv1.Deployment, _ *corev1.Pod) {
			w.setProgress(d, corev1.ConditionTrue, "ReplicaSetUpdated")
		}, scaling.ReasonAboveThreshold},
		{"the pause annotation of the Deployment", func(w *world, d *appsv1.Deployment, _ *corev1.Pod) {
			d.Annotations = map[string]string{v1.PausedAnnotation: "true"}
			w.update(d)
		}, scaling.ReasonPaused},
		{"the Deployment's own pause", func(w *world, d *appsv1.Deployment, _ *corev1.Pod) {
			d.Spec.Paused = true
			w.update(d)
		}, scaling.ReasonPaused},
		{"an annotation that says no", func(w *world, _ *appsv1.Deployment, p *corev1.Pod) {
			p.Annotations[v1.MonitorAnnotation] = "false"
			w.update(p)
		}, ""},
		{"an annotation that names another AppMonitor", func(w *world, _ *appsv1.Deployment, p *corev1.Pod) {
			p.Annotations[v1.MonitorAnnotation] = "other"
			w.update(p)
		}, ""},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t)
			m := w.monitor("m", 75, 2)
			d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
			w.uses(pod, "memhog", 380)
			tc.set(w, d, pod)
			before := w.sizes(d)

			o, err := w.reconciler.observe(t.Context(), m, w.page("m"))
			must(t, err)
			decided, err := w.reconciler.decide(t.Context(), m, o)
			must(t, err)
			var got scaling.Reason
			for _, d := range decided.all {
				got = d.Reason
			}
			if got != tc.want {
				t.Errorf("decided %q, want %q", got, tc.want)
			}
			w.reconcile("m")
			if tc.want != scaling.ReasonAboveThreshold {
				w.wantSizes(d, before)
			} else if w.writes.raises != 1 {
				t.Errorf("wrote %d raises, want 1", w.writes.raises)
			}
		})
	}
}

func TestRefusalsAreToldOnce(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("limitless", memory{"memhog", "256Mi", ""})
	w.uses(pod, "memhog", 2000)
	bare := w.pod("bare", corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1.MonitorAnnotation: v1.MonitorAny}},
		Spec:       corev1.PodSpec{Containers: containersOf([]memory{{"memhog", "256Mi", "384Mi"}})},
	})
	w.uses(bare, "memhog", 380)

	for range 3 {
		w.reconcile("m")
	}
	mustContain(t, w.nextEvent()+w.nextEvent(), "Warning NoLimit", "Warning UnsupportedOwner")
	if more := w.nextEvent(); more != "" {
		t.Errorf("told again: %s", more)
	}
	w.wantSizes(d, map[string]string{"memhog": "256Mi/none"})
}

func TestAnOperatorKilledInTheMiddleOfARolloutRaisesOnce(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	must(t, live.Get(t.Context(), client.ObjectKeyFromObject(d), d))
	settle(t, d)

	w.restart()
	w.uses(pod, "memhog", 320)
	w.reconcile("m")
	w.setProgress(d, corev1.ConditionTrue, "ReplicaSetUpdated")
	w.reconcile("m")
	// The rollout is complete, but the old Pod is still there, and above its threshold.
	w.rollOut(d)
	w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi"})
	if w.writes.raises != 1 {
		t.Errorf("wrote %d times, want once", w.writes.raises)
	}
}

func TestAnOldViewOfTheDeploymentOverwritesNothing(t *testing.T) {
	w := newWorld(t)
	d, _ := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	old := d.DeepCopy()
	d.Spec.Template.Spec.Containers[0].Resources.Limits[corev1.ResourceMemory] = resource.MustParse("2Gi")
	must(t, live.Update(t.Context(), d))

	_, err := workload.Write(t.Context(), live, workload.Of(old, "Deployment"), nil, []workload.Change{{
		Container: "memhog", Size: workload.Size{Request: 512 * mi, Limit: 768 * mi},
	}})
	if !apierrors.IsConflict(err) {
		t.Errorf("got %v, want a conflict", err)
	}
	w.wantSizes(d, map[string]string{"memhog": "256Mi/2Gi"})
}

func TestAPausedMonitorSaysSoAndDoesNothing(t *testing.T) {
	w := newWorld(t)
	m := w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	m.Annotations = map[string]string{v1.PausedAnnotation: "true"}
	must(t, live.Update(t.Context(), m))
	settle(t, m)
	w.uses(pod, "memhog", 380)
	m = w.reconcile("m")
	wantCondition(t, m, v1.ConditionReady, metav1.ConditionFalse, v1.ReasonPaused)
	w.wantSizes(d, map[string]string{"memhog": "256Mi/384Mi"})

	m.Annotations = nil
	must(t, live.Update(t.Context(), m))
	settle(t, m)
	m = w.reconcile("m")
	wantCondition(t, m, v1.ConditionReady, metav1.ConditionTrue, v1.ReasonWatching)
	w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi"})
}

func TestOfTwoMonitorsTheNamedOneWinsElseTheOldest(t *testing.T) {
	w := newWorld(t)
	w.monitor("b-older", 75, 2)
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // creation times have whole seconds
	w.monitor("a-younger", 50, 4)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 200)

	younger, older := w.reconcile("a-younger"), w.reconcile("b-older")
	w.wantSizes(d, map[string]string{"memhog": "256Mi/384Mi"})
	mustContain(t, wantCondition(t, younger, v1.ConditionConflicted, metav1.ConditionTrue, v1.ReasonClaimedByOther), `"b-older"`)
	wantCondition(t, older, v1.ConditionConflicted, metav1.ConditionFalse, v1.ReasonNoConflict)

	pod.Annotations[v1.MonitorAnnotation] = "a-younger"
	must(t, live.Update(t.Context(), pod))
	settle(t, pod)
	younger, older = w.reconcile("a-younger"), w.reconcile("b-older")
	w.wantSizes(d, map[string]string{"memhog": "1Gi/1536Mi"})
	wantCondition(t, younger, v1.ConditionConflicted, metav1.ConditionFalse, v1.ReasonNoConflict)
	if older.Status.Pods != 0 {
		t.Errorf("the older AppMonitor still owns %d Pods", older.Status.Pods)
	}
}

func TestABrokenSourceIsSaidAndGoneWhenItIsMended(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 100)
	w.samples.state, w.samples.failure = usage.Unavailable, "the kubelet source fails: connection refused for node node-1"
	m := w.reconcile("m")
	wantCondition(t, m, v1.ConditionReady, metav1.ConditionFalse, v1.ReasonSourceUnavailable)
	message := wantCondition(t, m, v1.ConditionMetricsAvailable, metav1.ConditionFalse, v1.ReasonSourceUnavailable)
	mustContain(t, message, "connection refused")

	w.samples.state, w.samples.failure = usage.Available, ""
	m = w.reconcile("m")
	wantCondition(t, m, v1.ConditionReady, metav1.ConditionTrue, v1.ReasonWatching)
	wantCondition(t, m, v1.ConditionMetricsAvailable, metav1.ConditionTrue, v1.ReasonSourceRead)
}

func TestARefusedRaiseIsSaidOnceAndTriedAgainEverMoreSeldom(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.writes.refuse = apierrors.NewForbidden(schema.GroupResource{Group: "apps", Resource: "deployments"}, "memhog", nil)
	for range 60 {
		w.uses(pod, "memhog", 300)
		m := w.reconcile("m")
		mustContain(t, wantCondition(t, m, v1.ConditionReady, metav1.ConditionFalse, v1.ReasonChangeFailed), "forbidden", `"memhog"`)
		w.clock.Step(5 * time.Second)
	}
	// After 0, 5, 15, 35, 75, 135, 195 and 255 of 300 seconds.
	if w.writes.tries != 8 {
		t.Errorf("tried %d times in five minutes, want 8", w.writes.tries)
	}
	mustContain(t, w.nextEvent(), "Warning ChangeFailed")
	if more := w.nextEvent(); more != "" {
		t.Errorf("told again: %s", more)
	}
	if w.writes.statuses != 1 {
		t.Errorf("wrote the status %d times, want once", w.writes.statuses)
	}

	w.writes.refuse = nil
	w.clock.Step(time.Minute)
	w.uses(pod, "memhog", 300)
	m := w.reconcile("m")
	wantCondition(t, m, v1.ConditionReady, metav1.ConditionTrue, v1.ReasonWatching)
	w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi"})
}

func TestARefusalFadesWhenTheNeedIsGone(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.writes.refuse = apierrors.NewForbidden(schema.GroupResource{Group: "apps", Resource: "deployments"}, "memhog", nil)
	w.uses(pod, "memhog", 300)
	w.reconcile("m")

	w.clock.Step(refusalFades)
	w.uses(pod, "memhog", 100)
	m := w.reconcile("m")
	wantCondition(t, m, v1.ConditionReady, metav1.ConditionFalse, v1.ReasonChangeFailed)
	w.clock.Step(time.Second)
	m = w.reconcile("m")
	wantCondition(t, m, v1.ConditionReady, metav1.ConditionTrue, v1.ReasonWatching)
}

func TestAConflictIsLookedAtAgainAndIsNoFailure(t *testing.T) {
	w := newWorld(t)
	m := w.monitor("m", 75, 2)
	_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	w.writes.refuse = apierrors.NewConflict(schema.GroupResource{Group: "apps", Resource: "deployments"}, "memhog", nil)
	result, err := w.reconciler.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(m)})
	must(t, err)
	if result.RequeueAfter == 0 {
		t.Error("nobody looks again")
	}
	if told := w.nextEvent(); told != "" {
		t.Errorf("told: %s", told)
	}
}

func TestTwoContainersRaisedInOneWriteShareAnEvent(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	_, pod := w.deployment("pair", memory{"a", "256Mi", "384Mi"}, memory{"b", "100Mi", "100Mi"})
	w.uses(pod, "a", 300)
	w.uses(pod, "b", 80)
	w.reconcile("m")
	mustContain(t, w.nextEvent(), "container a from 256Mi/384Mi to 512Mi/768Mi", "container b from 100Mi/100Mi to 200Mi/200Mi")
	if more := w.nextEvent(); more != "" || w.writes.raises != 1 {
		t.Errorf("%d writes, and a second Event %q", w.writes.raises, more)
	}
}

func TestAPodThatNamesNoAppMonitorIsTold(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	pod.Annotations[v1.MonitorAnnotation] = "johny-cache"
	w.update(pod)
	w.reconcile("m")
	w.reconcile("m")
	mustContain(t, w.nextEvent(), "Warning UnknownMonitor", `"johny-cache"`)
	if more := w.nextEvent(); more != "" {
		t.Errorf("told again: %s", more)
	}
}

func TestASourceThatAnswersButKnowsNothingIsNotAvailable(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	m := w.reconcile("m")
	wantCondition(t, m, v1.ConditionMetricsAvailable, metav1.ConditionTrue, v1.ReasonSourceRead)
	w.clock.Step(2 * time.Minute)
	m = w.reconcile("m")
	wantCondition(t, m, v1.ConditionMetricsAvailable, metav1.ConditionFalse, v1.ReasonStaleSample)
	w.uses(pod, "memhog", 100)
	m = w.reconcile("m")
	wantCondition(t, m, v1.ConditionMetricsAvailable, metav1.ConditionTrue, v1.ReasonSourceRead)
}

func TestNothingIsWrittenWhileNothingChanges(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.reconcile("m")
	before := *w.writes
	for use := range int64(20) {
		w.clock.Step(5 * time.Second)
		w.uses(pod, "memhog", 100+use)
		w.reconcile("m")
	}
	if w.writes.raises != before.raises || w.writes.statuses != before.statuses {
		t.Errorf("an idle operator wrote %d raises and %d statuses",
			w.writes.raises-before.raises, w.writes.statuses-before.statuses)
	}
}
