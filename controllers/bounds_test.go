package controllers

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/scaling"
)

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
	node.Status.Allocatable = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2Gi")}
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	must(t, live.Status().Update(t.Context(), node))
	node.Spec.Taints = nil
	must(t, live.Update(t.Context(), node))
	settle(t, node)
	must(t, live.Get(t.Context(), client.ObjectKeyFromObject(node), node))

	w := newWorld(t)
	w.reconciler.Namespaces = nil
	w.monitor("m", 75, 2)
	// A Pod that nobody watches leaves 600Mi of the node.
	stranger := corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: containersOf([]memory{{"x", "1448Mi", "1448Mi"}})}}
	w.podOn("stranger", "room", stranger)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"}, memory{"sidecar", "50Mi", "50Mi"})
	w.uses(pod, "memhog", 300)
	m := w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi", "sidecar": "50Mi/50Mi"}) // 562Mi of 600Mi
	if got := wantDecision(t, m, v1.ActionRaise, "AboveThreshold"); got.LimitedBy != "" {
		t.Errorf("limited by %q", got.LimitedBy)
	}

	d2, pod2 := w.deployment("second", memory{"memhog", "400Mi", "600Mi"})
	w.uses(pod2, "memhog", 590)
	m = w.reconcile("m")
	w.wantSizes(d2, map[string]string{"memhog": "600Mi/900Mi"})
	if got := wantDecision(t, m, v1.ActionRaise, "AboveThreshold"); got.LimitedBy != "NodeFull" {
		t.Errorf("limited by %q, want NodeFull", got.LimitedBy)
	}
}

func TestTwoWorkloadsDoNotGetTheSameQuota(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	d1, pod1 := w.deployment("first", memory{"memhog", "256Mi", "384Mi"})
	d2, pod2 := w.deployment("second", memory{"memhog", "256Mi", "384Mi"})
	hard := corev1.ResourceList{corev1.ResourceRequestsMemory: resource.MustParse("1200Mi")}
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "shared", Namespace: w.namespace}, Spec: corev1.ResourceQuotaSpec{Hard: hard},
	}
	must(t, live.Create(t.Context(), quota))
	quota.Status = corev1.ResourceQuotaStatus{
		Hard: hard, Used: corev1.ResourceList{corev1.ResourceRequestsMemory: resource.MustParse("512Mi")},
	}
	must(t, live.Status().Update(t.Context(), quota))
	settle(t, quota)
	w.uses(pod1, "memhog", 300)
	w.uses(pod2, "memhog", 300)
	w.reconcile("m")
	// The first takes 512Mi of the 688Mi that are free, with both of its Pods there for a while.
	w.wantSizes(d1, map[string]string{"memhog": "512Mi/768Mi"})
	w.wantSizes(d2, map[string]string{"memhog": "256Mi/384Mi"})
}
