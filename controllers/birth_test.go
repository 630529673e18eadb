package controllers

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/operand"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// unborn is a Pod of the Deployment that is about to be created.
func unborn(d *appsv1.Deployment, like *corev1.Pod) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: d.Name + "-", Namespace: d.Namespace, OwnerReferences: like.OwnerReferences,
			Labels: d.Spec.Template.Labels, Annotations: d.Spec.Template.Annotations,
		},
		Spec: *d.Spec.Template.Spec.DeepCopy(),
	}
}

func TestWhatAPodIsBornWith(t *testing.T) {
	learned := map[string]workload.Size{"memhog": {Request: 512 * mi, Limit: 768 * mi}}
	create := func(o client.Object) func(*world, *appsv1.Deployment, *corev1.Pod) {
		return func(w *world, _ *appsv1.Deployment, _ *corev1.Pod) {
			o.SetNamespace(w.namespace)
			o.SetName("bound")
			o.SetResourceVersion("")
			must(w.t, live.Create(w.t.Context(), o))
			settle(w.t, o)
		}
	}
	change := func(set func(*v1.AppMonitorSpec)) func(*world, *appsv1.Deployment, *corev1.Pod) {
		return func(w *world, _ *appsv1.Deployment, _ *corev1.Pod) {
			m := &v1.AppMonitor{}
			must(w.t, live.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "m"}, m))
			set(&m.Spec)
			w.update(m)
		}
	}
	// limited is a quota of requests, of which 512Mi are used, for so many replicas.
	limited := func(requests string, replicas int32) func(*world, *appsv1.Deployment, *corev1.Pod) {
		return func(w *world, d *appsv1.Deployment, _ *corev1.Pod) {
			d.Spec.Replicas = &replicas
			w.update(d)
			hard := corev1.ResourceList{corev1.ResourceRequestsMemory: resource.MustParse(requests)}
			q := &corev1.ResourceQuota{
				ObjectMeta: metav1.ObjectMeta{Name: "q", Namespace: w.namespace}, Spec: corev1.ResourceQuotaSpec{Hard: hard},
			}
			must(w.t, live.Create(w.t.Context(), q))
			q.Status = corev1.ResourceQuotaStatus{
				Hard: hard, Used: corev1.ResourceList{corev1.ResourceRequestsMemory: resource.MustParse("512Mi")},
			}
			must(w.t, live.Status().Update(w.t.Context(), q))
			settle(w.t, q)
		}
	}
	for _, tt := range []struct {
		reason string
		set    func(*world, *appsv1.Deployment, *corev1.Pod)
		want   map[string]workload.Size
	}{
		{"what its workload has learned", nil, learned},
		{"nothing while the monitor is paused", func(w *world, _ *appsv1.Deployment, _ *corev1.Pod) {
			m := &v1.AppMonitor{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "m"}}
			w.annotate(m, v1.PausedAnnotation, "true")
		}, nil},
		{"nothing while the workload is paused", func(w *world, d *appsv1.Deployment, _ *corev1.Pod) {
			w.annotate(d, v1.PausedAnnotation, "true")
		}, nil},
		{"nothing by a dry run", change(func(s *v1.AppMonitorSpec) { s.Mode = v1.ModeDryRun }), nil},
		{"nothing where rollouts are asked for", change(func(s *v1.AppMonitorSpec) { s.Strategy = v1.StrategyRollout }), nil},
		{"nothing for a container that is left alone", change(func(s *v1.AppMonitorSpec) {
			s.Containers = []v1.ContainerPolicy{{Name: "memhog", Mode: v1.SwitchDisabled}}
		}), nil},
		{"no more than the ceiling", change(func(s *v1.AppMonitorSpec) {
			most := resource.MustParse("600Mi")
			s.MaxMemory = &most
		}), map[string]workload.Size{"memhog": {Request: 400 * mi, Limit: 600 * mi}}},
		{"no more than a LimitRange", create(&corev1.LimitRange{Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypeContainer, Max: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("600Mi")},
		}}}}), map[string]workload.Size{"memhog": {Request: 400 * mi, Limit: 600 * mi}}},
		{"no more than a quota leaves", limited("813Mi", 1), map[string]workload.Size{
			"memhog": {Request: 300 * mi, Limit: 450 * mi},
		}},
		{"no more than leaves the workload's other Pods what they are declared to have", limited("1070Mi", 3), map[string]workload.Size{
			"memhog": {Request: 300 * mi, Limit: 450 * mi}, // 1070 - 512 - (256 + 1) - 1, the third is not there yet
		}},
		{"nothing once the template says more", func(w *world, d *appsv1.Deployment, _ *corev1.Pod) { w.resize(d, "1Gi") }, nil},
		{"nothing once the user has taken it away", func(w *world, d *appsv1.Deployment, _ *corev1.Pod) {
			w.annotate(d, v1.DurableSizeAnnotation, "")
		}, nil},
		{"nothing of a bare Pod's own", func(_ *world, _ *appsv1.Deployment, pod *corev1.Pod) { pod.OwnerReferences = nil }, nil},
		{"nothing that did not opt in", func(_ *world, _ *appsv1.Deployment, pod *corev1.Pod) { pod.Annotations = nil }, nil},
		{"nothing where no monitor owns it", func(_ *world, _ *appsv1.Deployment, pod *corev1.Pod) {
			pod.Annotations = map[string]string{v1.MonitorAnnotation: "nobody"}
		}, nil},
		{"nothing in a namespace that is not watched", func(w *world, _ *appsv1.Deployment, _ *corev1.Pod) {
			w.reconciler.Namespaces = []string{"elsewhere"}
		}, nil},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			w := newInPlaceWorld(t)
			w.monitor("m", 75, 2)
			d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"}, memory{"other", "1Mi", "64Mi"})
			w.uses(pod, "memhog", 300)
			w.look("m", pod)
			w.reconcile("m")
			mustContain(t, w.durable(d), "768Mi")
			next := unborn(d, pod)
			if tt.set != nil {
				tt.set(w, d, next)
			}
			got, err := w.reconciler.AtBirth(t.Context(), next)
			must(t, err)
			if len(got) == 0 {
				got = nil
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
			}
		})
	}
}

func TestWhatTheAgentOfANewPodIsTold(t *testing.T) {
	paused := func(w *world, d *appsv1.Deployment, _ *corev1.Pod) { w.annotate(d, v1.PausedAnnotation, "true") }
	for _, tt := range []struct {
		reason string
		agents func() operand.Status
		set    func(*world, *appsv1.Deployment, *corev1.Pod)
		want   workload.Note
	}{
		{"nothing while nothing is paused", nil, func(*world, *appsv1.Deployment, *corev1.Pod) {}, workload.Note{}},
		{"a pause of its workload", nil, paused, workload.Note{Paused: true}},
		{"nothing where there are to be no agents", func() operand.Status { return operand.Status{Known: true} }, paused, workload.Note{}},
		{"a pause, where there can be none, but some are left", func() operand.Status {
			return operand.Status{Wanted: true, Obstacle: "the namespace"}.With("node-1", operand.Agent{})
		}, paused, workload.Note{Paused: true}},
		{"nothing where there can be none", func() operand.Status {
			return operand.Status{Wanted: true, Obstacle: "the namespace forbids it"}
		}, paused, workload.Note{}},
		{"nothing on what did not opt in", nil, func(w *world, d *appsv1.Deployment, pod *corev1.Pod) {
			paused(w, d, pod)
			pod.Annotations = nil
		}, workload.Note{}},
		{"nothing on a bare Pod, which says so itself", nil, func(w *world, d *appsv1.Deployment, pod *corev1.Pod) {
			paused(w, d, pod)
			pod.OwnerReferences = nil
		}, workload.Note{}},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			w := newInPlaceWorld(t)
			w.agents() // on which node it will run nobody knows
			if tt.agents != nil {
				w.reconciler.Agents = tt.agents
			}
			w.monitor("m", 75, 2)
			d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
			next := unborn(d, pod)
			tt.set(w, d, next)
			got, err := w.reconciler.NoteAtBirth(t.Context(), next)
			must(t, err)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
			}
		})
	}
}

func TestAPodThatFindsNoNodeIsMadeSmallerAgain(t *testing.T) {
	t.Run("born with what was learned", func(t *testing.T) { unplaced(t, workload.Size{Request: 512 * mi, Limit: 768 * mi}) })
	t.Run("born with a part of it", func(t *testing.T) { unplaced(t, workload.Size{Request: 400 * mi, Limit: 600 * mi}) })
}

// unplaced is the story of a Pod that was born with a size for which there is no room.
func unplaced(t *testing.T, born workload.Size) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	w.look("m", pod)
	w.reconcile("m")
	next := unborn(d, pod)
	next.Name, next.GenerateName = "next", ""
	next.Spec.Containers[0].Resources = born.In(next.Spec.Containers[0].Resources)
	must(t, live.Create(t.Context(), next))
	next.Status.Phase = corev1.PodPending
	next.Status.Conditions = []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable,
	}}
	must(t, live.Status().Update(t.Context(), next))
	settle(t, next)
	w.reconcile("m")
	w.wantPod(next, fmt.Sprintf("%dMi/%dMi", born.Request/mi, born.Limit/mi)) // a cluster may be about to add a node
	w.clock.Step(5 * time.Second)
	w.reconcile("m")
	w.wantPod(next, "256Mi/384Mi")
	mustContain(t, w.durable(d), "768Mi")
}
