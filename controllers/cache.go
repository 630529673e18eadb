package controllers

import (
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

const (
	// annotatedIndex finds the Pods that opted in without looking at the others.
	annotatedIndex = "annotated"
	annotatedValue = "yes"
)

// CacheOptions limits the cache to the namespaces, all when there are none, and to what is read of each object.
func CacheOptions(namespaces []string) cache.Options {
	o := cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&v1.AppMonitor{}:          {Transform: nameKind},
			&corev1.Pod{}:             {Transform: stripPod},
			&corev1.Node{}:            {Transform: stripNode},
			&appsv1.Deployment{}:      {Transform: stripDeployment},
			workload.ReplicaSetMeta(): {Transform: stripReplicaSet},
		},
	}
	for _, n := range namespaces {
		if o.DefaultNamespaces == nil {
			o.DefaultNamespaces = map[string]cache.Config{}
		}
		o.DefaultNamespaces[n] = cache.Config{}
	}
	return o
}

// IndexPods adds the index that the reconciler lists Pods by.
func IndexPods(ctx context.Context, indexer client.FieldIndexer) error {
	return indexer.IndexField(ctx, &corev1.Pod{}, annotatedIndex, func(o client.Object) []string {
		if !annotated(o) {
			return nil
		}
		return []string{annotatedValue}
	})
}

func annotated(o client.Object) bool {
	value := o.GetAnnotations()[v1.MonitorAnnotation]
	return value != "" && value != "false"
}

// nameKind puts back the kind that decoding takes from typed objects: operator-lib labels its metric with it.
func nameKind(o any) (any, error) {
	if m, ok := o.(*v1.AppMonitor); ok {
		m.SetGroupVersionKind(v1.GroupVersion.WithKind("AppMonitor"))
		m.ManagedFields = nil
	}
	return o, nil
}

// stripPod keeps of a Pod what is read; of one that did not opt in, what it takes of its node.
func stripPod(o any) (any, error) {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return o, nil // the last state of a deleted object that was missed
	}
	if !annotated(pod) {
		kept := &corev1.Pod{ObjectMeta: identity(pod.ObjectMeta)}
		kept.Spec.NodeName, kept.Status.Phase = pod.Spec.NodeName, pod.Status.Phase
		kept.Spec.Containers = reserving(workload.Requests(pod))
		return kept, nil
	}
	kept := &corev1.Pod{ObjectMeta: identity(pod.ObjectMeta)}
	kept.Annotations, kept.Labels = ours(pod.Annotations), pod.Labels
	kept.OwnerReferences = pod.OwnerReferences
	kept.Spec.NodeName = pod.Spec.NodeName
	kept.Spec.Containers = stripContainers(pod.Spec.Containers)
	kept.Spec.InitContainers = stripContainers(pod.Spec.InitContainers)
	kept.Spec.Overhead = pod.Spec.Overhead
	kept.Status.Phase = pod.Status.Phase
	kept.Status.HostIP = pod.Status.HostIP
	for _, s := range pod.Status.ContainerStatuses {
		kept.Status.ContainerStatuses = append(kept.Status.ContainerStatuses,
			corev1.ContainerStatus{Name: s.Name, State: s.State, LastTerminationState: s.LastTerminationState})
	}
	return kept, nil
}

// stripDeployment keeps of a Deployment what is read: of its template the containers' sizes, and of its managed
// fields our own.
func stripDeployment(o any) (any, error) {
	d, ok := o.(*appsv1.Deployment)
	if !ok {
		return o, nil
	}
	kept := &appsv1.Deployment{ObjectMeta: identity(d.ObjectMeta)}
	kept.Annotations = ours(d.Annotations)
	kept.ManagedFields = slices.DeleteFunc(d.ManagedFields, func(f metav1.ManagedFieldsEntry) bool {
		return f.Manager != workload.FieldManager
	})
	kept.Spec.Replicas = d.Spec.Replicas
	kept.Spec.Paused = d.Spec.Paused
	kept.Spec.Strategy = d.Spec.Strategy
	kept.Spec.Template.Spec.Containers = stripContainers(d.Spec.Template.Spec.Containers)
	kept.Status = d.Status
	return kept, nil
}

func stripReplicaSet(o any) (any, error) {
	rs, ok := o.(*metav1.PartialObjectMetadata)
	if !ok {
		return o, nil
	}
	kept := &metav1.PartialObjectMetadata{TypeMeta: rs.TypeMeta, ObjectMeta: identity(rs.ObjectMeta)}
	kept.OwnerReferences = rs.OwnerReferences
	kept.Annotations = ours(rs.Annotations)
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
	for _, key := range []string{v1.MonitorAnnotation, v1.PausedAnnotation, v1.RecordAnnotation, workload.RevisionAnnotation} {
		if value, ok := annotations[key]; ok {
			kept[key] = value
		}
	}
	return kept
}

func stripContainers(containers []corev1.Container) []corev1.Container {
	kept := make([]corev1.Container, 0, len(containers))
	for _, c := range containers {
		kept = append(kept, corev1.Container{Name: c.Name, Resources: c.Resources, RestartPolicy: c.RestartPolicy})
	}
	return kept
}

// reserving is one container that stands for all that a Pod takes of its node.
func reserving(bytes int64) []corev1.Container {
	if bytes == 0 {
		return nil
	}
	memory := corev1.ResourceList{corev1.ResourceMemory: *resource.NewQuantity(bytes, resource.BinarySI)}
	return []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: memory}}}
}

// stripNode keeps of a node what a Pod needs to know that wants to run there.
func stripNode(o any) (any, error) {
	node, ok := o.(*corev1.Node)
	if !ok {
		return o, nil
	}
	kept := &corev1.Node{ObjectMeta: identity(node.ObjectMeta)}
	kept.Spec.Unschedulable, kept.Spec.Taints = node.Spec.Unschedulable, node.Spec.Taints
	kept.Status.Allocatable = node.Status.Allocatable
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			// Its heartbeat would make a change of every minute.
			kept.Status.Conditions = []corev1.NodeCondition{{Type: c.Type, Status: c.Status}}
		}
	}
	return kept, nil
}
