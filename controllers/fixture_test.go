package controllers

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	testclock "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/usage"
)

const mi = 1 << 20

// world is one test's operator, with a stepped clock, a memory use that the test sets, and writes that are counted.
type world struct {
	t          *testing.T
	namespace  string
	clock      *testclock.FakeClock
	samples    *samples
	writes     *writes
	events     *events.FakeRecorder
	reconciler *AppMonitorReconciler
	// node is where Pods run. On the roomy one they can be resized in place.
	node string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, namespace: newNamespace(t), clock: testclock.NewFakeClock(time.Now()), writes: &writes{Client: cached},
		events:  events.NewFakeRecorder(100),
		node:    "node-1",
		samples: &samples{newest: map[usage.Container]usage.Sample{}, state: usage.Available},
	}
	w.restart()
	return w
}

// restart replaces the operator by one that remembers nothing.
func (w *world) restart() {
	w.reconciler = &AppMonitorReconciler{
		Client: w.writes, Samples: w.samples, Recorder: w.events, Clock: w.clock, MaxSampleAge: time.Minute,
		Tick: 5 * time.Second,
		// Of the cluster, each test sees its part, and so not what nodes have left.
		Namespaces: []string{w.namespace},
	}
	if w.node == roomyNode {
		w.reconciler.Server = w.server()
	}
}

// page is what the operator remembers of an AppMonitor.
func (w *world) page(name string) *page {
	return w.reconciler.ledger.page(client.ObjectKey{Namespace: w.namespace, Name: name})
}

// monitor creates an AppMonitor and waits until the operator can see it.
func (w *world) monitor(name string, threshold, multiplier float64, more ...func(*v1.AppMonitorSpec)) *v1.AppMonitor {
	w.t.Helper()
	m := &v1.AppMonitor{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.namespace},
		Spec:       v1.AppMonitorSpec{MemThresholdPercent: threshold, MemMultiplier: multiplier},
	}
	for _, set := range more {
		set(&m.Spec)
	}
	must(w.t, live.Create(w.t.Context(), m))
	settle(w.t, m)
	return m
}

// reconcile runs one pass over an AppMonitor and returns it as it is afterwards.
func (w *world) reconcile(name string) *v1.AppMonitor {
	w.t.Helper()
	key := client.ObjectKey{Namespace: w.namespace, Name: name}
	if _, err := w.reconciler.Reconcile(w.t.Context(), ctrl.Request{NamespacedName: key}); err != nil {
		w.t.Fatalf("reconcile %s: %v", name, err)
	}
	m := &v1.AppMonitor{}
	must(w.t, live.Get(w.t.Context(), key, m))
	settle(w.t, m)
	return m
}

// uses sets the memory use of a Pod's container, measured at this moment.
func (w *world) uses(pod *corev1.Pod, container string, mebibytes int64) {
	w.samples.set(usage.Container{Namespace: pod.Namespace, Pod: pod.Name, Name: container},
		usage.Sample{Bytes: mebibytes * mi, Time: w.clock.Now()})
}

// nextEvent returns the text of the oldest Event that was not looked at yet, empty when there is none.
func (w *world) nextEvent() string {
	select {
	case text := <-w.events.Events:
		return text
	default:
		return ""
	}
}

// memory is a container of a fixture.
type memory struct{ name, request, limit string }

// deployment creates an annotated Deployment whose rollout is complete, with one running Pod.
func (w *world) deployment(name string, containers ...memory) (*appsv1.Deployment, *corev1.Pod) {
	w.t.Helper()
	labels := map[string]string{"app": name}
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: w.namespace, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{
					Labels:      labels,
					Annotations: map[string]string{v1.MonitorAnnotation: v1.MonitorAny, "team": "cache"},
				},
				Spec: corev1.PodSpec{
					Containers: containersOf(containers),
					Volumes: []corev1.Volume{{
						Name:         "scratch",
						VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}},
					}},
				},
			},
		},
	}
	must(w.t, live.Create(w.t.Context(), d, client.FieldOwner("kubectl")))
	return d, w.rollOut(d)
}

// rollOut does what the Deployment controller would: a ReplicaSet, a Pod of the present template, and a status that
// says that the rollout is complete.
func (w *world) rollOut(d *appsv1.Deployment) *corev1.Pod {
	w.t.Helper()
	must(w.t, live.Get(w.t.Context(), client.ObjectKeyFromObject(d), d))
	name := fmt.Sprintf("%s-%d", d.Name, d.Generation)
	rs := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: d.Namespace, Annotations: d.Annotations,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))},
		},
		Spec: appsv1.ReplicaSetSpec{Selector: d.Spec.Selector, Template: d.Spec.Template},
	}
	must(w.t, live.Create(w.t.Context(), rs))
	meta := ReplicaSetMetaOf(rs)
	settle(w.t, meta)
	pod := w.pod(name, d.Spec.Template, *metav1.NewControllerRef(rs, appsv1.SchemeGroupVersion.WithKind("ReplicaSet")))
	w.setProgress(d, corev1.ConditionTrue, "NewReplicaSetAvailable")
	return pod
}

// podOf is another Pod of the same ReplicaSet as one that is gone.
func (w *world) podOf(d *appsv1.Deployment, like *corev1.Pod) *corev1.Pod {
	w.t.Helper()
	template := d.Spec.Template.DeepCopy()
	template.Spec = *like.Spec.DeepCopy()
	return w.pod(like.Name+"-again", *template, like.OwnerReferences...)
}

// setProgress writes the Deployment's Progressing condition.
func (w *world) setProgress(d *appsv1.Deployment, status corev1.ConditionStatus, reason string) {
	w.t.Helper()
	must(w.t, live.Get(w.t.Context(), client.ObjectKeyFromObject(d), d))
	d.Status = appsv1.DeploymentStatus{
		ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1,
		Conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: status, Reason: reason}},
	}
	must(w.t, live.Status().Update(w.t.Context(), d))
	settle(w.t, d)
}

// pod creates a running Pod whose containers have just started.
func (w *world) pod(name string, template corev1.PodTemplateSpec, owners ...metav1.OwnerReference) *corev1.Pod {
	w.t.Helper()
	return w.podOn(name, w.node, template, owners...)
}

// podOn is a Pod on another node than the usual one.
func (w *world) podOn(name, node string, template corev1.PodTemplateSpec, owners ...metav1.OwnerReference) *corev1.Pod {
	w.t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: w.namespace, OwnerReferences: owners,
			Labels: template.Labels, Annotations: template.Annotations,
		},
		Spec: template.Spec,
	}
	pod.Spec.NodeName = node
	must(w.t, live.Create(w.t.Context(), pod))
	pod.Status.Phase = corev1.PodRunning
	pod.Status.HostIP = "198.51.100.2"
	running := func(containers []corev1.Container) (all []corev1.ContainerStatus) {
		for _, c := range containers {
			started := metav1.NewTime(w.clock.Now().Add(-time.Second))
			status := corev1.ContainerStatus{
				Name: c.Name, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: started}},
			}
			if node == roomyNode || strings.HasPrefix(node, tightNodes) {
				status.Resources = c.Resources.DeepCopy()
			}
			all = append(all, status)
		}
		return all
	}
	pod.Status.ContainerStatuses = running(pod.Spec.Containers)
	pod.Status.InitContainerStatuses = running(pod.Spec.InitContainers)
	pod.Status.Resources = pod.Spec.Resources.DeepCopy()
	must(w.t, live.Status().Update(w.t.Context(), pod))
	settle(w.t, pod)
	return pod
}

// resize is a user's change of the template's memory limit.
func (w *world) resize(d *appsv1.Deployment, limit string) {
	w.t.Helper()
	d.Spec.Template.Spec.Containers[0].Resources.Limits[corev1.ResourceMemory] = resource.MustParse(limit)
	w.update(d)
}

// killed lets the Pod's containers be OOM-killed at a time.
func killed(pod *corev1.Pod, at time.Time) {
	if len(pod.Status.ContainerStatuses) == 0 {
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{}}
	}
	for i := range pod.Status.ContainerStatuses {
		pod.Status.ContainerStatuses[i].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{
			Reason: "OOMKilled", FinishedAt: metav1.NewTime(at),
		}
	}
}

func (w *world) update(o client.Object) {
	w.t.Helper()
	must(w.t, live.Update(w.t.Context(), o))
	settle(w.t, o)
}

func (w *world) delete(o client.Object) {
	w.t.Helper()
	must(w.t, live.Delete(w.t.Context(), o, client.GracePeriodSeconds(0)))
	o.SetResourceVersion("")
	settle(w.t, o)
}

func containersOf(memories []memory) []corev1.Container {
	containers := make([]corev1.Container, 0, len(memories))
	for _, m := range memories {
		c := corev1.Container{Name: m.name, Image: "memhog:dev", Env: []corev1.EnvVar{{Name: "KEEP", Value: "me"}}}
		c.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m")}
		if m.request != "" {
			c.Resources.Requests[corev1.ResourceMemory] = resource.MustParse(m.request)
		}
		if m.limit != "" {
			c.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(m.limit)}
		}
		containers = append(containers, c)
	}
	return containers
}

// ReplicaSetMetaOf returns the metadata of a ReplicaSet as the cache holds it.
func ReplicaSetMetaOf(rs *appsv1.ReplicaSet) *metav1.PartialObjectMetadata {
	meta := &metav1.PartialObjectMetadata{ObjectMeta: rs.ObjectMeta}
	meta.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))
	return meta
}

// samples stands for the sampler.
type samples struct {
	mu      sync.Mutex
	newest  map[usage.Container]usage.Sample
	state   usage.State
	failure string
}

func (s *samples) set(c usage.Container, sample usage.Sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest[c] = sample
}

func (s *samples) Newest(c usage.Container) (usage.Sample, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sample, ok := s.newest[c]
	return sample, ok
}

func (s *samples) Health(nodes []string) (usage.State, string) {
	if len(nodes) == 0 {
		return usage.NotRead, ""
	}
	return s.state, s.failure
}

// writes counts what the operator writes, and can refuse raises.
type writes struct {
	client.Client
	tries, raises, resizes, statuses int
	refuse, refuseResize, refuseNote error
}

func (w *writes) Patch(ctx context.Context, o client.Object, p client.Patch, opts ...client.PatchOption) error {
	w.tries++
	if w.refuse != nil {
		return w.refuse
	}
	w.raises++
	return w.Client.Patch(ctx, o, p, opts...)
}

func (w *writes) Status() client.SubResourceWriter {
	return countedStatus{SubResourceWriter: w.Client.Status(), writes: w}
}

type countedStatus struct {
	client.SubResourceWriter
	writes *writes
}

func (s countedStatus) Patch(ctx context.Context, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
	if _, note := o.(*corev1.Pod); note && s.writes.refuseNote != nil {
		return s.writes.refuseNote
	}
	s.writes.statuses++
	return s.SubResourceWriter.Patch(ctx, o, p, opts...)
}

func (w *writes) SubResource(name string) client.SubResourceClient {
	return countedResizes{SubResourceClient: w.Client.SubResource(name), writes: w}
}

type countedResizes struct {
	client.SubResourceClient
	writes *writes
}

func (s countedResizes) Patch(ctx context.Context, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
	if s.writes.refuseResize != nil {
		return s.writes.refuseResize
	}
	s.writes.resizes++
	return s.SubResourceClient.Patch(ctx, o, p, opts...)
}
