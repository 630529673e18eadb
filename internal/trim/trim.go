// Package trim cuts objects down to what is read of them, before they are cached.
package trim

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/policies"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// Monitor puts back the kind that decoding takes from typed objects: operator-lib labels its metric with it.
func Monitor(o any) (any, error) {
	if m, ok := o.(*v1.AppMonitor); ok {
		m.SetGroupVersionKind(v1.GroupVersion.WithKind("AppMonitor"))
		m.ManagedFields = nil
	}
	return o, nil
}

// Pod keeps of a Pod what is read; of one that did not opt in, what it takes of its node.
func Pod(o any) (any, error) {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return o, nil // the last state of a deleted object that was missed
	}
	if !policies.Annotated(pod) {
		kept := &corev1.Pod{ObjectMeta: identity(pod.ObjectMeta)}
		kept.Spec.NodeName, kept.Status.Phase = pod.Spec.NodeName, pod.Status.Phase
		kept.Spec.Containers = reserving(workload.Requests(pod))
		return kept, nil
	}
	kept := &corev1.Pod{ObjectMeta: identity(pod.ObjectMeta)}
	kept.Annotations, kept.Labels = ours(pod.Annotations), pod.Labels
	kept.OwnerReferences = pod.OwnerReferences
	kept.ManagedFields = slices.DeleteFunc(pod.ManagedFields, func(f metav1.ManagedFieldsEntry) bool {
		return !workload.IsResize(f)
	})
	kept.Spec.NodeName = pod.Spec.NodeName
	kept.Spec.Containers = Containers(pod.Spec.Containers)
	kept.Spec.InitContainers = Containers(pod.Spec.InitContainers)
	kept.Spec.Overhead, kept.Spec.Resources = pod.Spec.Overhead, pod.Spec.Resources
	kept.Status.Phase = pod.Status.Phase
	kept.Status.HostIP = pod.Status.HostIP
	kept.Status.Resources, kept.Status.AllocatedResources = pod.Status.Resources, pod.Status.AllocatedResources
	kept.Status.ContainerStatuses = statuses(pod.Status.ContainerStatuses)
	kept.Status.InitContainerStatuses = statuses(pod.Status.InitContainerStatuses)
	for _, c := range pod.Status.Conditions {
		switch c.Type {
		case corev1.PodResizePending, corev1.PodResizeInProgress, corev1.PodReady, corev1.PodScheduled:
			kept.Status.Conditions = append(kept.Status.Conditions, corev1.PodCondition{
				Type: c.Type, Status: c.Status, Reason: c.Reason, ObservedGeneration: c.ObservedGeneration,
				LastTransitionTime: c.LastTransitionTime,
			})
		}
	}
	return kept, nil
}

func statuses(statuses []corev1.ContainerStatus) []corev1.ContainerStatus {
	kept := make([]corev1.ContainerStatus, 0, len(statuses))
	for _, s := range statuses {
		kept = append(kept, corev1.ContainerStatus{
			Name: s.Name, ContainerID: s.ContainerID, State: s.State, LastTerminationState: s.LastTerminationState, Resources: s.Resources,
			AllocatedResources: s.AllocatedResources,
		})
	}
	return kept
}

// Deployment keeps of a Deployment what is read: of its template the containers' sizes, and of its managed
// fields our own.
func Deployment(o any) (any, error) {
	d, ok := o.(*appsv1.Deployment)
	if !ok {
		return o, nil
	}
	kept := &appsv1.Deployment{ObjectMeta: owner(d.ObjectMeta)}
	kept.Spec.Replicas = d.Spec.Replicas
	kept.Spec.Paused = d.Spec.Paused
	kept.Spec.Strategy = d.Spec.Strategy
	kept.Spec.Template.Spec = template(d.Spec.Template.Spec)
	kept.Status = d.Status
	return kept, nil
}

// StatefulSet keeps of a StatefulSet what is read.
func StatefulSet(o any) (any, error) {
	s, ok := o.(*appsv1.StatefulSet)
	if !ok {
		return o, nil
	}
	kept := &appsv1.StatefulSet{ObjectMeta: owner(s.ObjectMeta)}
	kept.Spec.Replicas, kept.Spec.UpdateStrategy = s.Spec.Replicas, s.Spec.UpdateStrategy
	kept.Spec.Template.Spec = template(s.Spec.Template.Spec)
	kept.Status = s.Status
	return kept, nil
}

// DaemonSet keeps of a DaemonSet what is read.
func DaemonSet(o any) (any, error) {
	d, ok := o.(*appsv1.DaemonSet)
	if !ok {
		return o, nil
	}
	kept := &appsv1.DaemonSet{ObjectMeta: owner(d.ObjectMeta)}
	kept.Spec.UpdateStrategy = d.Spec.UpdateStrategy
	kept.Spec.Template.Spec = template(d.Spec.Template.Spec)
	kept.Status = d.Status
	return kept, nil
}

func owner(m metav1.ObjectMeta) metav1.ObjectMeta {
	kept := identity(m)
	kept.Annotations = ours(m.Annotations)
	kept.ManagedFields = slices.DeleteFunc(m.ManagedFields, func(f metav1.ManagedFieldsEntry) bool {
		return f.Manager != workload.FieldManager
	})
	return kept
}

func template(pod corev1.PodSpec) corev1.PodSpec {
	return corev1.PodSpec{
		Containers: Containers(pod.Containers), InitContainers: Containers(pod.InitContainers), Resources: pod.Resources,
	}
}

// Metadata keeps of what is read as metadata alone who owns it, and what is noted on it.
func Metadata(o any) (any, error) {
	m, ok := o.(*metav1.PartialObjectMetadata)
	if !ok {
		return o, nil
	}
	kept := &metav1.PartialObjectMetadata{TypeMeta: m.TypeMeta, ObjectMeta: identity(m.ObjectMeta)}
	kept.OwnerReferences = m.OwnerReferences
	kept.Annotations = ours(m.Annotations)
	return kept, nil
}

// Scaler keeps of an autoscaler what it scales, and by what.
func Scaler(o any) (any, error) {
	h, ok := o.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok {
		return o, nil
	}
	kept := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: identity(h.ObjectMeta)}
	kept.Spec.ScaleTargetRef, kept.Spec.Metrics = h.Spec.ScaleTargetRef, h.Spec.Metrics
	return kept, nil
}

func identity(m metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: m.Name, Namespace: m.Namespace, UID: m.UID, ResourceVersion: m.ResourceVersion, Generation: m.Generation,
		CreationTimestamp: m.CreationTimestamp, DeletionTimestamp: m.DeletionTimestamp,
	}
}

func ours(annotations map[string]string) map[string]string {
	kept := map[string]string{}
	for _, key := range []string{
		v1.MonitorAnnotation, v1.PausedAnnotation, v1.RecordAnnotation, v1.DurableSizeAnnotation, v1.WorkloadAnnotation,
		workload.RevisionAnnotation, corev1.MirrorPodAnnotationKey,
	} {
		if value, ok := annotations[key]; ok {
			kept[key] = value
		}
	}
	return kept
}

// Containers keeps of containers what is read.
func Containers(containers []corev1.Container) []corev1.Container {
	kept := make([]corev1.Container, 0, len(containers))
	for _, c := range containers {
		kept = append(kept, corev1.Container{
			Name: c.Name, Resources: c.Resources, RestartPolicy: c.RestartPolicy, ResizePolicy: c.ResizePolicy, Args: heapOf(c),
		})
	}
	return kept
}

// heapOf keeps of a container's arguments and variables the one that fixes its heap.
func heapOf(c corev1.Container) []string {
	if setting := workload.FixedHeap(c); setting != "" {
		return []string{setting}
	}
	return nil
}

// reserving is one container that stands for all that a Pod takes of its node.
func reserving(bytes int64) []corev1.Container {
	if bytes == 0 {
		return nil
	}
	memory := corev1.ResourceList{corev1.ResourceMemory: *resource.NewQuantity(bytes, resource.BinarySI)}
	return []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: memory}}}
}

// Node keeps of a node what a Pod needs to know that wants to run there.
func Node(o any) (any, error) {
	node, ok := o.(*corev1.Node)
	if !ok {
		return o, nil
	}
	kept := &corev1.Node{ObjectMeta: identity(node.ObjectMeta)}
	kept.Spec.Unschedulable, kept.Spec.Taints = node.Spec.Unschedulable, node.Spec.Taints
	kept.Status.Allocatable = node.Status.Allocatable
	kept.Status.NodeInfo.KubeletVersion = node.Status.NodeInfo.KubeletVersion
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			// Its heartbeat would make a change of every minute.
			kept.Status.Conditions = []corev1.NodeCondition{{Type: c.Type, Status: c.Status}}
		}
	}
	return kept, nil
}
