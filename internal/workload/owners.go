// Package workload knows what owns a Pod, and how its containers are given another size: in place, or by its owner.
package workload

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Owners finds Pods' workloads. Of those that are not rolled out only the metadata is read: it holds all that matters.
type Owners struct {
	Reader client.Reader
}

// kinds are those of the owners that are known, each with the kind of an owner of its own.
var kinds = map[schema.GroupVersionKind]string{
	appsv1.SchemeGroupVersion.WithKind("ReplicaSet"):  "Deployment",
	appsv1.SchemeGroupVersion.WithKind("StatefulSet"): "",
	appsv1.SchemeGroupVersion.WithKind("DaemonSet"):   "",
	batchv1.SchemeGroupVersion.WithKind("Job"):        "CronJob",
}

// MetadataOnly returns empty objects of the kinds of which only the metadata is read and cached.
func MetadataOnly() []*metav1.PartialObjectMetadata {
	return []*metav1.PartialObjectMetadata{
		metadata(appsv1.SchemeGroupVersion.WithKind("ReplicaSet")),
		metadata(batchv1.SchemeGroupVersion.WithKind("Job")),
		metadata(batchv1.SchemeGroupVersion.WithKind("CronJob")),
	}
}

func metadata(kind schema.GroupVersionKind) *metav1.PartialObjectMetadata {
	o := &metav1.PartialObjectMetadata{}
	o.SetGroupVersionKind(kind)
	return o
}

// Of returns the workload of a Pod: its owner, or the owner of that. A Pod without one, with one of an unknown kind, or
// whose owner is gone or going, is its own.
func (o Owners) Of(ctx context.Context, pod *corev1.Pod) (*Workload, error) {
	ref := metav1.GetControllerOf(pod)
	if ref == nil {
		return Of(pod, "Pod"), nil
	}
	kind := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind)
	above, known := kinds[kind]
	if !known {
		return Of(pod, "Pod"), nil
	}
	owner, err := o.read(ctx, pod.Namespace, *ref)
	if err != nil {
		return nil, err
	}
	if owner == nil {
		return Of(pod, "Pod"), nil
	}
	if next := metav1.GetControllerOf(owner); next != nil && next.Kind == above && next.APIVersion == ref.APIVersion {
		higher, err := o.read(ctx, pod.Namespace, *next)
		if err != nil {
			return nil, err
		}
		if higher != nil {
			return Of(higher, next.Kind), nil
		}
	}
	return Of(owner, ref.Kind), nil
}

// IsOwned is true for a Pod that has an owner of a kind that is known.
func IsOwned(pod *corev1.Pod) bool {
	ref := metav1.GetControllerOf(pod)
	if ref == nil {
		return false
	}
	_, known := kinds[schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind)]
	return known
}

// read returns the object that is referred to; nil when it is gone or going.
func (o Owners) read(ctx context.Context, namespace string, ref metav1.OwnerReference) (client.Object, error) {
	var owner client.Object
	switch ref.Kind {
	case "Deployment":
		owner = &appsv1.Deployment{}
	case "StatefulSet":
		owner = &appsv1.StatefulSet{}
	case "DaemonSet":
		owner = &appsv1.DaemonSet{}
	default:
		owner = metadata(schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind))
	}
	key := types.NamespacedName{Namespace: namespace, Name: ref.Name}
	if err := o.Reader.Get(ctx, key, owner); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("read %s %q: %w", ref.Kind, key, err)
	}
	// An object of the same name that was created later is not the owner.
	if owner.GetUID() != ref.UID || owner.GetDeletionTimestamp() != nil {
		return nil, nil
	}
	return owner, nil
}
