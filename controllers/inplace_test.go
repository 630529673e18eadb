package controllers

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

func TestAContainerGrowsInPlaceAndItsTemplateStaysAsItIs(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	generation := d.Generation
	w.uses(pod, "memhog", 300)
	m := w.reconcile("m")
	w.wantPod(pod, "512Mi/768Mi")
	w.wantNoEvent() // the kubelet has not done it yet
	if got := wantDecision(t, m, v1.ActionRaise, "AboveThreshold"); got.Means != v1.MeansInPlace {
		t.Errorf("raised by %s", got.Means)
	}
	if m.Status.LastChange != nil {
		t.Errorf("told of %+v before it came true", m.Status.LastChange)
	}
	w.reconcile("m")
	w.wantNoEvent()

	w.actuate(pod)
	m = w.reconcile("m")
	mustContain(t, w.nextEvent(), "Normal AboveThreshold", "raised memory of container memhog in place from 256Mi/384Mi to 512Mi/768Mi")
	if got := m.Status.LastChange; got == nil || got.Means != v1.MeansInPlace || got.To.Limit.String() != "768Mi" {
		t.Errorf("the last change is %+v", got)
	}
	if n := len(m.Status.Decisions); n != 1 {
		t.Errorf("%d decisions are listed, want the one", n)
	}
	const want = `{"memhog":{"request":"512Mi","limit":"768Mi"}}`
	if got := w.durable(d); got != want {
		t.Errorf("the durable size is %s, want %s", got, want)
	}
	m = w.reconcile("m")
	if m.Status.Raised != 1 {
		t.Errorf("%d containers are raised, want 1", m.Status.Raised)
	}

	// Nothing more is written.
	before := *w.writes
	for range 10 {
		w.clock.Step(5 * time.Second)
		w.uses(pod, "memhog", 300)
		w.reconcile("m")
	}
	if w.writes.tries != before.tries || w.writes.resizes != 1 || w.writes.statuses != before.statuses {
		t.Errorf("written: %+v, then %+v", before, *w.writes)
	}
	w.refresh(d)
	if d.Generation != generation {
		t.Errorf("the Deployment is at generation %d, was at %d", d.Generation, generation)
	}
	w.wantSizes(d, map[string]string{"memhog": "256Mi/384Mi"})

	w.clock.Step(time.Minute)
	w.uses(pod, "memhog", 600)
	w.look("m", pod)
	w.wantPod(pod, "1Gi/1536Mi")
	w.reconcile("m")
	mustContain(t, w.durable(d), `"limit":"1536Mi"`)
}

func TestARestartNeitherRepeatsNorForgetsAResize(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	w.restart() // between the resize and everything else
	w.reconcile("m")
	w.wantPod(pod, "512Mi/768Mi")
	w.restart()
	w.actuate(pod)
	m := w.reconcile("m")
	if w.writes.resizes != 1 {
		t.Errorf("resized %d times, want once", w.writes.resizes)
	}
	mustContain(t, w.nextEvent(), "Normal AboveThreshold", "in place from 256Mi/384Mi to 512Mi/768Mi")
	w.wantNoEvent()
	if got := m.Status.LastChange; got == nil || got.To.Limit.String() != "768Mi" {
		t.Errorf("the last change is %+v", got)
	}
	mustContain(t, w.durable(d), `"limit":"768Mi"`)
	w.restart()
	w.reconcile("m")
	w.wantNoEvent()
}

func TestAStaleViewOfAPodOverwritesNothing(t *testing.T) {
	w := newInPlaceWorld(t)
	_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	old := pod.DeepCopy()
	to := func(limit int64) []workload.Resize {
		return []workload.Resize{{Container: "memhog", Size: workload.Size{Request: limit / 2 * mi, Limit: limit * mi}}}
	}
	must(t, resizePod(t.Context(), live, pod, workload.FieldManager, to(1536)))
	err := resizePod(t.Context(), live, old, workload.FieldManager, to(768))
	if err != workload.ErrChanged { //nolint:errorlint // it is not wrapped
		t.Errorf("got %v, want %v", err, workload.ErrChanged)
	}
	w.wantPod(pod, "768Mi/1536Mi")
}

func TestTheAPIServersRefusalsAreUnderstood(t *testing.T) {
	w := newInPlaceWorld(t)
	hard := corev1.ResourceList{corev1.ResourceLimitsMemory: resource.MustParse("1Gi")}
	for _, tt := range []struct {
		reason string
		want   workload.Refusal
		set    func(*corev1.Pod)
		first  client.Object
		size   workload.Size
	}{
		{
			reason: "a LimitRange", want: workload.RefusedByLimitRange, size: workload.Size{Request: 512 * mi, Limit: 768 * mi},
			first: &corev1.LimitRange{Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
				Type: corev1.LimitTypeContainer, Max: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("512Mi")},
			}}}},
		},
		{
			reason: "a quota", want: workload.RefusedByQuota, size: workload.Size{Request: 512 * mi, Limit: 1536 * mi},
			first: &corev1.ResourceQuota{Spec: corev1.ResourceQuotaSpec{Hard: hard}},
		},
		{reason: "the node", want: workload.RefusedByNode, size: workload.Size{Request: 100 << 30, Limit: 200 << 30}},
		{
			reason: "the class of service", want: workload.RefusedForGood, size: workload.Size{Request: 768 * mi, Limit: 768 * mi},
			set: func(p *corev1.Pod) {
				p.Spec.Containers[0].Resources.Limits[corev1.ResourceCPU] = resource.MustParse("10m")
			},
		},
		{
			reason: "a kubelet that cannot", want: workload.RefusedForGood, size: workload.Size{Request: 512 * mi, Limit: 768 * mi},
			set: func(p *corev1.Pod) { p.Spec.NodeName = "node-1" },
		},
		{
			reason: "a static Pod", want: workload.RefusedForGood, size: workload.Size{Request: 512 * mi, Limit: 768 * mi},
			set: func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"} },
		},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			w.namespace = newNamespace(t)
			template := corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: containersOf([]memory{{"memhog", "256Mi", "384Mi"}})}}
			pod := &corev1.Pod{Spec: template.Spec}
			pod.Spec.NodeName = w.node
			if tt.set != nil {
				tt.set(pod)
			}
			template.Spec, template.Annotations = pod.Spec, pod.Annotations
			pod = w.podOn("memhog", pod.Spec.NodeName, template)
			if tt.first != nil {
				tt.first.SetName("bound")
				tt.first.SetNamespace(w.namespace)
				must(t, live.Create(t.Context(), tt.first))
				if q, ok := tt.first.(*corev1.ResourceQuota); ok {
					used := corev1.ResourceList{corev1.ResourceLimitsMemory: resource.MustParse("384Mi")}
					q.Status = corev1.ResourceQuotaStatus{Hard: hard, Used: used}
					must(t, live.Status().Update(t.Context(), q))
				}
				settle(t, tt.first)
			}
			var err error
			// What admission knows of quotas and ranges is a cache, too.
			for range 100 {
				c := workload.Resize{Container: "memhog", Size: tt.size}
				if err = resizePod(t.Context(), live, pod.DeepCopy(), "test", []workload.Resize{c}); err != nil {
					break
				}
				back := workload.Resize{Container: "memhog", Size: workload.Size{Request: 256 * mi, Limit: 384 * mi}}
				must(t, live.Get(t.Context(), client.ObjectKeyFromObject(pod), pod))
				must(t, resizePod(t.Context(), live, pod, "test", []workload.Resize{back}))
				must(t, live.Get(t.Context(), client.ObjectKeyFromObject(pod), pod))
				time.Sleep(10 * time.Millisecond)
			}
			if got := workload.RefusalOf(err); got != tt.want {
				t.Errorf("the answer is %v, taken for %v, want %v", err, got, tt.want)
			}
		})
	}
}

func TestAResizeThatFindsNoRoomIsWithdrawnAndHalved(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) { s.Strategy, s.Cooldown = v1.StrategyInPlace, &metav1.Duration{} })
	_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	use := func() { w.uses(pod, "memhog", 300) }
	use()
	w.reconcile("m")
	w.pends(pod, corev1.PodReasonDeferred)
	w.reconcile("m")
	w.wantPod(pod, "512Mi/768Mi") // for a moment it may wait
	w.wantNoEvent()
	w.clock.Step(5 * time.Second)
	use()
	w.reconcile("m")
	w.wantPod(pod, "256Mi/384Mi")
	w.actuate(pod)
	use()
	m := w.reconcile("m")
	mustContain(t, w.nextEvent(), "Warning NodeFull",
		"withdrew the resize of memory of container memhog in place from 512Mi/768Mi to 256Mi/384Mi")
	w.wantPod(pod, "384Mi/576Mi") // half of the way
	if got := wantDecision(t, m, v1.ActionRaise, "AboveThreshold"); got.LimitedBy != "NodeFull" {
		t.Errorf("limited by %q", got.LimitedBy)
	}
	w.actuate(pod)
	use()
	w.reconcile("m")
	mustContain(t, w.nextEvent(), "Normal AboveThreshold", "from 256Mi/384Mi to 384Mi/576Mi", "NodeFull")
	use()
	w.reconcile("m")
	w.wantPod(pod, "384Mi/576Mi")
}

func TestWhatANodeWillNeverGiveIsRolledOutInstead(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) { s.Cooldown = &metav1.Duration{} })
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	w.pends(pod, corev1.PodReasonInfeasible)
	w.reconcile("m")
	w.wantPod(pod, "256Mi/384Mi")
	w.actuate(pod)
	w.clock.Step(time.Minute)
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	mustContain(t, w.nextEvent(), "Warning ResizeInfeasible", "withdrew")
	w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi"})
	mustContain(t, w.nextEvent(), "Normal AboveThreshold", "by a rollout, because", "ResizeInfeasible")
}

func TestWhatCannotBeResizedAndNotRolledOutIsTold(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	pod := w.bare("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	w.pends(pod, corev1.PodReasonInfeasible)
	w.reconcile("m")
	w.actuate(pod)
	w.clock.Step(time.Minute)
	w.uses(pod, "memhog", 300)
	m := w.reconcile("m")
	mustContain(t, w.nextEvent(), "Warning ResizeInfeasible", "withdrew")
	mustContain(t, w.nextEvent(), "Warning ResizeInfeasible", "memory of container memhog is not raised")
	wantCondition(t, m, v1.ConditionConstrained, metav1.ConditionTrue, "ResizeInfeasible")
	for range 5 {
		w.clock.Step(time.Minute)
		w.uses(pod, "memhog", 300)
		w.reconcile("m")
	}
	w.wantNoEvent()
	if w.writes.resizes != 2 {
		t.Errorf("resized %d times, want there and back", w.writes.resizes)
	}
}

// bare is an annotated Pod that has no owner, or the ones given.
func (w *world) bare(name string, c memory, owners ...metav1.OwnerReference) *corev1.Pod {
	w.t.Helper()
	return w.pod(name, corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1.MonitorAnnotation: v1.MonitorAny}},
		Spec:       corev1.PodSpec{Containers: containersOf([]memory{c})},
	}, owners...)
}

func TestOneHotReplicaGrowsAloneAndHalfOfThemTakeTheOthersAlong(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	d, first := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	pods := w.replicas(d, first, 10)
	hot := func(n int) {
		for i, pod := range pods {
			w.uses(pod, "memhog", map[bool]int64{true: 300, false: 100}[i < n])
		}
	}
	hot(1)
	w.look("m", pods...)
	w.reconcile("m")
	w.wantPod(pods[0], "512Mi/768Mi")
	w.wantPod(pods[1], "256Mi/384Mi")
	if got := w.durable(d); got != "" {
		t.Errorf("one of ten makes the durable size %s", got)
	}
	mustContain(t, d.Annotations[v1.RecordAnnotation], `"given":{"request":"512Mi","limit":"768Mi"}`)

	w.clock.Step(time.Minute)
	hot(5)
	w.look("m", pods...)
	w.reconcile("m") // learns what half of them have
	mustContain(t, w.durable(d), `"limit":"768Mi"`)
	w.look("m", pods...)
	m := w.reconcile("m")
	for _, pod := range pods {
		w.wantPod(pod, "512Mi/768Mi")
	}
	if m.Status.Raised != 1 || w.writes.resizes != 10 {
		t.Errorf("raised %d by %d resizes", m.Status.Raised, w.writes.resizes)
	}
	w.refresh(d)
	records, err := workload.Records(d)
	must(t, err)
	if n := len(records["memhog"].Raises); n != 1 {
		t.Errorf("%d raises count, want the one that went beyond what was there", n)
	}
	// A new Pod catches up within a tick.
	late := w.pod(first.Name+"-late", d.Spec.Template, first.OwnerReferences...)
	w.uses(late, "memhog", 1)
	w.look("m", late)
	w.wantPod(late, "512Mi/768Mi")
	m = w.reconcile("m")
	if got := m.Status.LastChange; got == nil || got.Reason != "CatchUp" {
		t.Errorf("the last change is %+v", got)
	}
}

func TestAnOOMKillOfOneReplicaIsALessonForAll(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	d, first := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	pods := w.replicas(d, first, 10)
	for _, pod := range pods {
		w.uses(pod, "memhog", 100)
	}
	w.oomKill(pods[3])
	w.look("m", pods...)
	w.wantPod(pods[3], "512Mi/768Mi")
	w.reconcile("m")
	mustContain(t, w.nextEvent(), "Normal OOMKilled")
	mustContain(t, w.durable(d), `"limit":"768Mi"`)
	w.look("m", pods...)
	w.wantPod(pods[0], "512Mi/768Mi")
	w.restart()
	w.reconcile("m")
	w.wantPod(pods[3], "512Mi/768Mi") // the kill was answered, and stays so
}

func TestTheUserIsFollowedWhenTheDurableSizeIsTakenAway(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	w.look("m", pod)
	w.reconcile("m")
	mustContain(t, w.durable(d), "768Mi")
	w.clock.Step(time.Minute)
	w.annotate(d, v1.DurableSizeAnnotation, "")
	for range 3 {
		w.uses(pod, "memhog", 300)
		w.reconcile("m")
		w.restart()
	}
	if got := w.durable(d); got != "" {
		t.Errorf("the durable size is back: %s", got)
	}
	w.wantPod(pod, "512Mi/768Mi")                                         // nobody's memory is taken
	next := w.pod("memhog-next", d.Spec.Template, pod.OwnerReferences...) // and a new Pod has what the template says
	w.uses(next, "memhog", 10)
	w.look("m", next)
	w.wantPod(next, "256Mi/384Mi")
	w.clock.Step(time.Minute)
	w.uses(next, "memhog", 300)
	w.look("m", next)
	w.wantPod(next, "512Mi/768Mi")
}

func TestTheUserIsFollowedWhenTheTemplateSaysMore(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	w.look("m", pod)
	w.reconcile("m")
	mustContain(t, w.durable(d), "768Mi")
	w.resize(d, "1Gi")
	next := w.rollOut(d)
	w.delete(pod)
	w.uses(next, "memhog", 300)
	m := w.reconcile("m")
	if got := w.durable(d); got != "" {
		t.Errorf("the durable size is still there: %s", got)
	}
	m = w.reconcile(m.Name)
	if m.Status.Raised != 0 {
		t.Errorf("%d containers count as raised", m.Status.Raised)
	}
	w.wantPod(next, "256Mi/1Gi")
}

func TestOwnersThatRollNothingOutAreResizedInPlace(t *testing.T) {
	for _, tt := range []struct {
		reason string
		owner  func(w *world) client.Object
		kind   schema.GroupVersionKind
	}{
		{"nobody", func(*world) client.Object { return nil }, schema.GroupVersionKind{}},
		{"a kind that nobody knows", func(*world) client.Object {
			return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "x", UID: "uid-x"}}
		}, schema.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Fleet"}},
		{"a Job", func(w *world) client.Object {
			job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "job", Namespace: w.namespace}}
			job.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
			job.Spec.Template.Spec.Containers = containersOf([]memory{{"c", "", ""}})
			return job
		}, batchv1.SchemeGroupVersion.WithKind("Job")},
		{"a ReplicaSet", func(w *world) client.Object {
			set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: "set", Namespace: w.namespace}}
			set.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
			set.Spec.Template.Labels = set.Spec.Selector.MatchLabels
			set.Spec.Template.Spec.Containers = containersOf([]memory{{"c", "", ""}})
			return set
		}, appsv1.SchemeGroupVersion.WithKind("ReplicaSet")},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			w := newInPlaceWorld(t)
			w.monitor("m", 75, 2)
			owner := tt.owner(w)
			var refs []metav1.OwnerReference
			if owner != nil {
				if owner.GetUID() == "" {
					must(t, live.Create(t.Context(), owner))
					meta := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
						Name: owner.GetName(), Namespace: w.namespace, ResourceVersion: owner.GetResourceVersion(),
					}}
					meta.SetGroupVersionKind(tt.kind)
					settle(t, meta)
				}
				refs = append(refs, *metav1.NewControllerRef(owner, tt.kind))
			}
			pod := w.bare("memhog", memory{"memhog", "256Mi", "384Mi"}, refs...)
			w.uses(pod, "memhog", 300)
			w.look("m", pod)
			w.wantPod(pod, "512Mi/768Mi")
			m := w.reconcile("m")
			mustContain(t, w.nextEvent(), "Normal AboveThreshold", "in place")
			noted := client.Object(pod)
			if owner != nil && tt.kind.Group != "example.com" {
				noted = owner
				mustContain(t, w.durable(owner), `"limit":"768Mi"`)
			}
			must(t, live.Get(t.Context(), client.ObjectKeyFromObject(noted), noted))
			mustContain(t, noted.GetAnnotations()[v1.RecordAnnotation], `"declared":{"request":"256Mi","limit":"384Mi"}`)
			want := "Pod/memhog"
			if noted != client.Object(pod) {
				want = tt.kind.Kind + "/" + owner.GetName()
			}
			if got := m.Status.LastChange.Workload; got != want {
				t.Errorf("the last change is of %s, want %s", got, want)
			}
		})
	}
}

func TestStatefulSetsAndDaemonSetsAreResizedInPlaceOrRolledOut(t *testing.T) {
	template := func(d *appsv1.Deployment) (metav1.LabelSelector, corev1.PodTemplateSpec) {
		return *d.Spec.Selector, d.Spec.Template
	}
	owners := map[string]func(*world) (client.Object, *corev1.Pod, corev1.PodTemplateSpec){
		"StatefulSet": func(w *world) (client.Object, *corev1.Pod, corev1.PodTemplateSpec) {
			d, _ := w.deployment("like", memory{"memhog", "256Mi", "384Mi"})
			selector, pods := template(d)
			s := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "set", Namespace: w.namespace}}
			s.Spec = appsv1.StatefulSetSpec{Selector: &selector, Template: pods, ServiceName: "set"}
			must(w.t, live.Create(w.t.Context(), s))
			s.Status.ObservedGeneration, s.Status.CurrentRevision, s.Status.UpdateRevision = s.Generation, "one", "one"
			must(w.t, live.Status().Update(w.t.Context(), s))
			settle(w.t, s)
			return s, w.owned(s, "StatefulSet", pods), pods
		},
		"DaemonSet": func(w *world) (client.Object, *corev1.Pod, corev1.PodTemplateSpec) {
			d, _ := w.deployment("like", memory{"memhog", "256Mi", "384Mi"})
			selector, pods := template(d)
			s := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: "set", Namespace: w.namespace}}
			s.Spec = appsv1.DaemonSetSpec{Selector: &selector, Template: pods}
			must(w.t, live.Create(w.t.Context(), s))
			s.Status.ObservedGeneration, s.Status.DesiredNumberScheduled, s.Status.UpdatedNumberScheduled = s.Generation, 1, 1
			must(w.t, live.Status().Update(w.t.Context(), s))
			settle(w.t, s)
			return s, w.owned(s, "DaemonSet", pods), pods
		},
	}
	for kind, create := range owners {
		t.Run(kind+" in place", func(t *testing.T) {
			w := newInPlaceWorld(t)
			w.monitor("m", 75, 2)
			owner, pod, _ := create(w)
			w.uses(pod, "memhog", 300)
			w.look("m", pod)
			w.wantPod(pod, "512Mi/768Mi")
			w.reconcile("m")
			mustContain(t, w.durable(owner), `"limit":"768Mi"`)
			if owner.GetGeneration() != 1 {
				t.Errorf("it is at generation %d", owner.GetGeneration())
			}
		})
		t.Run(kind+" by rollout", func(t *testing.T) {
			w := newInPlaceWorld(t)
			w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) { s.Strategy = v1.StrategyRollout })
			owner, pod, _ := create(w)
			w.uses(pod, "memhog", 300)
			m := w.reconcile("m")
			w.wantPod(pod, "256Mi/384Mi")
			must(t, live.Get(t.Context(), client.ObjectKeyFromObject(owner), owner))
			got := workload.Of(owner, kind).Declared("memhog")
			if got.Limit != 768*mi || got.Request != 512*mi {
				t.Errorf("the template says %+v", got)
			}
			mustContain(t, w.nextEvent(), "Normal AboveThreshold", "raised memory of container memhog from 256Mi/384Mi to 512Mi/768Mi")
			if got := m.Status.LastChange; got.Means != v1.MeansRollout || got.Workload != kind+"/set" {
				t.Errorf("the last change is %+v", got)
			}
			settle(t, owner)
			w.uses(pod, "memhog", 300)
			m = w.reconcile("m") // it waits for the rollout
			if m.Status.Raised != 1 || w.writes.raises != 1 {
				t.Errorf("raised %d by %d writes", m.Status.Raised, w.writes.raises)
			}
		})
	}
}

// owned is a Pod of a StatefulSet or the like.
func (w *world) owned(owner client.Object, kind string, template corev1.PodTemplateSpec) *corev1.Pod {
	w.t.Helper()
	labelled := template.DeepCopy()
	labelled.Labels[appsv1.ControllerRevisionHashLabelKey] = "one"
	return w.pod(owner.GetName()+"-0", *labelled, *metav1.NewControllerRef(owner, appsv1.SchemeGroupVersion.WithKind(kind)))
}

func TestWhatRestartsWhenItIsResizedIsNotResizedLightly(t *testing.T) {
	restarting := func() corev1.PodTemplateSpec {
		spec := corev1.PodSpec{Containers: containersOf([]memory{{"memhog", "256Mi", "384Mi"}})}
		spec.Containers[0].ResizePolicy = []corev1.ContainerResizePolicy{
			{ResourceName: corev1.ResourceMemory, RestartPolicy: corev1.RestartContainer},
		}
		return corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1.MonitorAnnotation: v1.MonitorAny}}, Spec: spec,
		}
	}
	t.Run("never by InPlace", func(t *testing.T) {
		w := newInPlaceWorld(t)
		w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) { s.Strategy = v1.StrategyInPlace })
		pod := w.pod("memhog", restarting())
		w.uses(pod, "memhog", 300)
		m := w.reconcile("m")
		w.wantPod(pod, "256Mi/384Mi")
		wantDecision(t, m, v1.ActionHold, "InPlaceUnavailable")
	})
	t.Run("in its Pod where nothing rolls it out", func(t *testing.T) {
		w := newInPlaceWorld(t)
		w.monitor("m", 75, 2)
		pod := w.pod("memhog", restarting())
		w.uses(pod, "memhog", 300)
		m := w.look("m", pod)
		w.wantPod(pod, "512Mi/768Mi")
		if got := wantDecision(t, m, v1.ActionRaise, "AboveThreshold"); got.Means != v1.MeansRestart {
			t.Errorf("raised by %s", got.Means)
		}
	})
	t.Run("by the rollout that its workload is set up for", func(t *testing.T) {
		w := newInPlaceWorld(t)
		w.monitor("m", 75, 2)
		d, like := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
		w.delete(like)
		pod := w.pod("restarting", restarting(), like.OwnerReferences...)
		w.uses(pod, "memhog", 300)
		w.reconcile("m")
		w.wantPod(pod, "256Mi/384Mi")
		w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi"})
	})
}

func TestASidecarAmongTheInitContainersIsResizedToo(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	always := corev1.ContainerRestartPolicyAlways
	spec := corev1.PodSpec{
		InitContainers: containersOf([]memory{{"proxy", "64Mi", "128Mi"}}),
		Containers:     containersOf([]memory{{"memhog", "256Mi", "384Mi"}}),
	}
	spec.InitContainers[0].RestartPolicy = &always
	pod := w.pod("memhog", corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1.MonitorAnnotation: v1.MonitorAny}}, Spec: spec,
	})
	w.uses(pod, "memhog", 300)
	w.uses(pod, "proxy", 100)
	w.look("m", pod)
	w.wantPod(pod, "128Mi/256Mi", "512Mi/768Mi")
	if w.writes.resizes != 1 {
		t.Errorf("it took %d patches, want one for both", w.writes.resizes)
	}
}

func TestAWholePodIsResizedWhereItsContainersHaveNoLimitsOfTheirOwn(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	d, like := w.deployment("memhog", memory{"one", "64Mi", ""}, memory{"two", "64Mi", ""})
	w.delete(like)
	limits := workload.Size{Request: 256 * mi, Limit: 384 * mi}.In(corev1.ResourceRequirements{})
	d.Spec.Template.Spec.Resources = &limits
	w.update(d)
	pod := w.rollOut(d)
	w.uses(pod, "one", 100)
	m := w.reconcile("m")
	if n := len(m.Status.Decisions); n != 0 {
		t.Errorf("decided upon half of what is used: %+v", m.Status.Decisions)
	}
	w.uses(pod, "two", 200)
	w.look("m", pod)
	must(t, live.Get(t.Context(), client.ObjectKeyFromObject(pod), pod))
	if got := sizeText(*pod.Spec.Resources); got != "512Mi/768Mi" {
		t.Errorf("the Pod is meant to have %s", got)
	}
	w.reconcile("m")
	mustContain(t, w.nextEvent(), "Normal AboveThreshold", "memory of the whole Pod in place from 256Mi/384Mi to 512Mi/768Mi")
	mustContain(t, w.durable(d), `"(pod)":{"request":"512Mi","limit":"768Mi"}`)
	sizes, err := w.reconciler.AtBirth(t.Context(), unborn(d, pod))
	must(t, err)
	if got := sizes[workload.WholePod]; got.Limit != 768*mi {
		t.Errorf("a new Pod is born with %+v", got)
	}
}

func TestAContainerTakesItsWholePodAlong(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	spec := corev1.PodSpec{Containers: containersOf([]memory{{"memhog", "256Mi", "384Mi"}})}
	limits := workload.Size{Request: 300 * mi, Limit: 400 * mi}.In(corev1.ResourceRequirements{})
	spec.Resources = &limits
	pod := w.pod("memhog", corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1.MonitorAnnotation: v1.MonitorAny}}, Spec: spec,
	})
	w.uses(pod, "memhog", 300)
	w.look("m", pod)
	w.wantPod(pod, "512Mi/768Mi")
	if got := sizeText(*pod.Spec.Resources); got != "556Mi/784Mi" {
		t.Errorf("the Pod is meant to have %s", got)
	}
}

func TestSomebodyElsesResizeIsNotFought(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	w.look("m", pod)
	w.reconcile("m")
	w.nextEvent()
	mustContain(t, w.durable(d), "768Mi")
	back := workload.Resize{Container: "memhog", Size: workload.Size{Request: 256 * mi, Limit: 384 * mi}}
	must(t, resizePod(t.Context(), live, w.refreshed(pod), "vpa-updater", []workload.Resize{back}))
	w.actuate(pod)
	var m *v1.AppMonitor
	for i := range 5 {
		w.clock.Step(time.Minute)
		w.uses(pod, "memhog", 300)
		m = w.reconcile("m")
		if i == 2 {
			w.restart() // not even by one that remembers nothing
		}
	}
	w.wantPod(pod, "256Mi/384Mi")
	wantDecision(t, m, v1.ActionHold, "Overridden")
	wantCondition(t, m, v1.ConditionConstrained, metav1.ConditionTrue, "Overridden")
	if w.writes.resizes != 1 {
		t.Errorf("resized %d times, want once", w.writes.resizes)
	}
}

func TestIdleMemoryIsLoweredInPlaceAndStaysSo(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) {
		s.ScaleDown = &v1.ScaleDown{Mode: v1.SwitchEnabled, After: &metav1.Duration{Duration: time.Hour}}
	})
	d, first := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	pods := w.replicas(d, first, 2)
	for _, pod := range pods {
		w.uses(pod, "memhog", 300)
	}
	w.look("m", pods...)
	w.reconcile("m")
	mustContain(t, w.durable(d), "768Mi")
	for range 30 {
		w.clock.Step(5 * time.Minute)
		for _, pod := range pods {
			w.uses(pod, "memhog", 10)
		}
		w.look("m", pods...)
	}
	for _, pod := range pods {
		w.wantPod(pod, "256Mi/384Mi")
	}
	if got := w.durable(d); got != "" {
		t.Errorf("the durable size is still %s", got)
	}
	if w.writes.resizes != 4 {
		t.Errorf("resized %d times, want each up and down", w.writes.resizes)
	}
}

func TestADryRunResizesNothing(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) { s.Mode = v1.ModeDryRun })
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	m := w.reconcile("m")
	w.wantPod(pod, "256Mi/384Mi")
	if got := wantDecision(t, m, v1.ActionRaise, "AboveThreshold"); !got.DryRun || got.Means != v1.MeansInPlace {
		t.Errorf("decided %+v", got)
	}
	mustContain(t, w.nextEvent(), "Normal DryRun", "would have raised memory of container memhog in place")
	if got := w.durable(d); got != "" || w.writes.resizes+w.writes.tries != 0 {
		t.Errorf("something was written: %s, %+v", got, w.writes)
	}
}

func TestAMissingPermissionIsSaid(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.writes.refuseResize = forbidden(pod.Name)
	w.uses(pod, "memhog", 300)
	m := w.reconcile("m")
	mustContain(t, wantCondition(t, m, v1.ConditionReady, metav1.ConditionFalse, v1.ReasonChangeFailed), "pods/resize")
	mustContain(t, w.nextEvent(), "Warning ChangeFailed", "pods/resize")
	w.writes.refuseResize = nil
	w.clock.Step(time.Minute)
	w.uses(pod, "memhog", 300)
	w.look("m", pod)
	w.wantPod(pod, "512Mi/768Mi")
	m = w.reconcile("m")
	wantCondition(t, m, v1.ConditionReady, metav1.ConditionTrue, v1.ReasonWatching)
}

func TestWithoutTheSubresourceTheSameIsDoneByRollout(t *testing.T) {
	w := newInPlaceWorld(t)
	w.reconciler.Server = nil
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	w.wantPod(pod, "256Mi/384Mi")
	w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi"})
}

func TestAContainerThatIsKilledAgainIsReplaced(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) { s.Cooldown = &metav1.Duration{} })
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.clock.Step(time.Second)
	w.oomKill(pod)
	w.look("m", pod)
	w.wantPod(pod, "512Mi/768Mi")
	w.reconcile("m")
	mustContain(t, w.nextEvent(), "Normal OOMKilled", "in place")
	w.clock.Step(20 * time.Second)
	w.oomKill(pod) // and never seen to use what it was given
	w.reconcile("m")
	w.wantPod(pod, "512Mi/768Mi")
	w.wantSizes(d, map[string]string{"memhog": "1Gi/1536Mi"})
	mustContain(t, w.nextEvent(), "Normal OOMKilled", "by a rollout, because", "RecoveryFailed")
}

func TestAContainerThatOutgrowsWhatItWasGivenAfterAKillGrowsOn(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) { s.Cooldown = &metav1.Duration{} })
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.clock.Step(time.Second)
	w.oomKill(pod)
	w.look("m", pod)
	w.clock.Step(10 * time.Second)
	w.uses(pod, "memhog", 500)
	w.reconcile("m")
	w.clock.Step(10 * time.Second)
	w.oomKill(pod)
	w.look("m", pod)
	w.wantPod(pod, "1Gi/1536Mi")
	w.wantSizes(d, map[string]string{"memhog": "256Mi/384Mi"})
}

func TestHintsAreGivenOnce(t *testing.T) {
	w := newInPlaceWorld(t)
	w.monitor("m", 75, 2)
	d, _ := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	d.Spec.Template.Spec.Containers[0].Args = []string{"java", "-Xmx300m", "-jar", "app.jar"}
	w.update(d)
	pod := w.rollOut(d)
	h := w.autoscaler("memhog", corev1.ResourceMemory)
	w.uses(pod, "memhog", 300)
	w.look("m", pod)
	m := w.reconcile("m")
	var told []string
	for text := w.nextEvent(); text != ""; text = w.nextEvent() {
		told = append(told, text)
	}
	all := strings.Join(told, "\n")
	mustContain(t, all, "Warning FixedHeap", "-Xmx300m", "Warning ScaledOnMemory", h)
	if n := strings.Count(all, "FixedHeap"); n != 1 || strings.Count(all, "ScaledOnMemory") != 1 {
		t.Errorf("told more than once:\n%s", all)
	}
	mustContain(t, wantCondition(t, m, v1.ConditionConflicted, metav1.ConditionTrue, v1.ReasonScaledOnMemory), "Deployment/memhog", h)
}

func TestWhatIsScaledOnMemory(t *testing.T) {
	metric := func(of corev1.ResourceName, target autoscalingv2.MetricTargetType) autoscalingv2.MetricSpec {
		return autoscalingv2.MetricSpec{Resource: &autoscalingv2.ResourceMetricSource{
			Name: of, Target: autoscalingv2.MetricTarget{Type: target},
		}}
	}
	inContainer := autoscalingv2.MetricSpec{ContainerResource: &autoscalingv2.ContainerResourceMetricSource{
		Name: corev1.ResourceMemory, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType},
	}}
	for _, tt := range []struct {
		reason string
		metric autoscalingv2.MetricSpec
		want   bool
	}{
		{"a part of the request", metric(corev1.ResourceMemory, autoscalingv2.UtilizationMetricType), true},
		{"of one container", inContainer, true},
		{"an absolute value", metric(corev1.ResourceMemory, autoscalingv2.AverageValueMetricType), false},
		{"CPU", metric(corev1.ResourceCPU, autoscalingv2.UtilizationMetricType), false},
		{"something else", autoscalingv2.MetricSpec{}, false},
	} {
		h := &autoscalingv2.HorizontalPodAutoscaler{}
		h.Spec.Metrics = []autoscalingv2.MetricSpec{tt.metric}
		if got := scalesOnMemory(h); got != tt.want {
			t.Errorf("%s: %t", tt.reason, got)
		}
	}
}
