package controllers

import (
	"context"
	"errors"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// roomyNode is where Pods run that are resized in place: it takes no others, so that it bounds no rollout.
const roomyNode = "roomy"

// newInPlaceWorld is a world whose API server and kubelets can resize Pods in place. What a kubelet does is the test's to do.
func newInPlaceWorld(t *testing.T) *world {
	t.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: roomyNode}, Spec: corev1.NodeSpec{Unschedulable: true}}
	if err := live.Create(t.Context(), node); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	} else if err == nil {
		node.Status.Allocatable = corev1.ResourceList{
			corev1.ResourceMemory: resource.MustParse("64Gi"), corev1.ResourceCPU: resource.MustParse("64"),
		}
		node.Status.NodeInfo.KubeletVersion = "v1.37.2"
		node.Status.DeclaredFeatures = []string{"InPlacePodLevelResourcesVerticalScaling"}
		must(t, live.Status().Update(t.Context(), node))
		settle(t, node)
	}
	w := newWorld(t)
	w.node = roomyNode
	w.restart()
	return w
}

// server asks the real API server what it can.
func (w *world) server() *workload.Discoverer {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	must(w.t, err)
	return &workload.Discoverer{Discovery: client, Clock: w.clock}
}

// look reconciles, and lets kubelets do what Pods ask for.
func (w *world) look(name string, pods ...*corev1.Pod) *v1.AppMonitor {
	w.t.Helper()
	m := w.reconcile(name)
	for _, pod := range pods {
		w.actuate(pod)
	}
	return m
}

// refreshed waits until the operator sees the Pod as it is.
func (w *world) refreshed(pod *corev1.Pod) *corev1.Pod {
	w.t.Helper()
	must(w.t, live.Get(w.t.Context(), client.ObjectKeyFromObject(pod), pod))
	settle(w.t, pod)
	return pod
}

// actuate is what a kubelet does when there is room: the containers get what the Pod asks for.
func (w *world) actuate(pod *corev1.Pod) {
	w.t.Helper()
	w.refreshed(pod)
	pod.Status.Conditions = nil
	give := func(containers []corev1.Container, statuses []corev1.ContainerStatus) {
		for i := range statuses {
			for _, c := range containers {
				if c.Name == statuses[i].Name {
					statuses[i].Resources = c.Resources.DeepCopy()
				}
			}
		}
	}
	give(pod.Spec.Containers, pod.Status.ContainerStatuses)
	pod.Status.Resources = pod.Spec.Resources.DeepCopy()
	give(pod.Spec.InitContainers, pod.Status.InitContainerStatuses)
	must(w.t, live.Status().Update(w.t.Context(), pod))
	settle(w.t, pod)
}

// pends is what a kubelet says when there is no room.
func (w *world) pends(pod *corev1.Pod, reason string) {
	w.t.Helper()
	w.refreshed(pod)
	pod.Status.Conditions = []corev1.PodCondition{{
		Type: corev1.PodResizePending, Status: corev1.ConditionTrue, Reason: reason, ObservedGeneration: pod.Generation,
		LastTransitionTime: metav1.NewTime(w.clock.Now()),
	}}
	must(w.t, live.Status().Update(w.t.Context(), pod))
	settle(w.t, pod)
}

// wantPod checks what a Pod's containers are meant to have, as request/limit.
func (w *world) wantPod(pod *corev1.Pod, want ...string) {
	w.t.Helper()
	must(w.t, live.Get(w.t.Context(), client.ObjectKeyFromObject(pod), pod))
	var got []string
	for _, c := range append(pod.Spec.InitContainers, pod.Spec.Containers...) {
		got = append(got, sizeText(c.Resources))
	}
	if len(got) != len(want) {
		w.t.Fatalf("Pod %s has %d containers, want %d", pod.Name, len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			w.t.Errorf("container %d of Pod %s is meant to have %s, want %s", i, pod.Name, got[i], want[i])
		}
	}
	settle(w.t, pod)
}

func sizeText(r corev1.ResourceRequirements) string {
	text := func(list corev1.ResourceList) string {
		if q, stated := list[corev1.ResourceMemory]; stated {
			return q.String()
		}
		return "none"
	}
	return text(r.Requests) + "/" + text(r.Limits)
}

// replicas adds Pods of a Deployment that has one, and returns all of them.
func (w *world) replicas(d *appsv1.Deployment, first *corev1.Pod, n int) []*corev1.Pod {
	w.t.Helper()
	all := []*corev1.Pod{first}
	for i := 1; i < n; i++ {
		all = append(all, w.pod(first.Name+"-"+string(rune('a'+i)), d.Spec.Template, first.OwnerReferences...))
	}
	return all
}

// oomKill is what a kubelet says after the kernel killed the Pod's containers.
func (w *world) oomKill(pod *corev1.Pod) {
	w.t.Helper()
	w.refreshed(pod)
	killed(pod, w.clock.Now())
	must(w.t, live.Status().Update(w.t.Context(), pod))
	settle(w.t, pod)
}

// durable is what the annotation of a workload says.
func (w *world) durable(o client.Object) string {
	w.t.Helper()
	must(w.t, live.Get(context.WithoutCancel(w.t.Context()), client.ObjectKeyFromObject(o), o))
	settle(w.t, o)
	return o.GetAnnotations()[v1.DurableSizeAnnotation]
}

// annotate is what a user does by kubectl annotate; an empty value removes the annotation.
func (w *world) annotate(o client.Object, key, value string) {
	w.t.Helper()
	must(w.t, live.Get(w.t.Context(), client.ObjectKeyFromObject(o), o))
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[key] = value
	if value == "" {
		delete(annotations, key)
	}
	o.SetAnnotations(annotations)
	w.update(o)
}

// autoscaler scales a Deployment by its use of a resource. It returns its name.
func (w *world) autoscaler(deployment string, by corev1.ResourceName) string {
	w.t.Helper()
	percent := int32(80)
	h := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: "wide", Namespace: w.namespace}}
	h.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: deployment}
	h.Spec.MaxReplicas = 3
	metric := &autoscalingv2.ResourceMetricSource{Name: by}
	metric.Target = autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: &percent}
	h.Spec.Metrics = []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: metric}}
	must(w.t, live.Create(w.t.Context(), h))
	settle(w.t, h)
	return h.Name
}

// forbidden is what the API server says to an operator that may not resize.
func forbidden(pod string) error {
	return apierrors.NewForbidden(corev1.Resource("pods"), pod,
		errors.New(`User "x" cannot patch resource "pods/resize" in API group "" in the namespace "default"`))
}

// resizePod resizes a Pod of which nobody wants to know what became of it.
func resizePod(ctx context.Context, c client.Client, pod *corev1.Pod, manager string, resizes []workload.Resize) error {
	_, err := workload.ResizePod(ctx, c, pod, manager, resizes)
	return err
}
