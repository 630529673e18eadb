// Package workload knows what owns a Pod, and how the owner gives its Pods another size.
package workload

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Owners finds Pods' Deployments. Only the metadata of ReplicaSets is read: it holds all that links the two.
type Owners struct {
	Reader client.Reader
}

// ReplicaSetMeta is an empty ReplicaSet of which only the metadata is read and cached.
func ReplicaSetMeta() *metav1.PartialObjectMetadata {
	rs := &metav1.PartialObjectMetadata{}
	rs.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))
	return rs
}

// Deployment returns the Deployment that owns the Pod through a ReplicaSet, or nil when there is none: a bare Pod, one
// of another kind of owner, or one whose owner is being deleted.
func (o Owners) Deployment(ctx context.Context, pod *corev1.Pod) (*appsv1.Deployment, error) {
	rs := ReplicaSetMeta()
	if found, err := o.controller(ctx, pod, "ReplicaSet", rs); !found || err != nil {
		return nil, err
	}
	deployment := &appsv1.Deployment{}
	if found, err := o.controller(ctx, rs, "Deployment", deployment); !found || err != nil {
		return nil, err
	}
	return deployment, nil
}

// controller reads the controller of an object into owner, when it is an apps/v1 object of the kind and still there.
func (o Owners) controller(ctx context.Context, of client.Object, kind string, owner client.Object) (bool, error) {
	ref := metav1.GetControllerOf(of)
	if ref == nil || ref.APIVersion != appsv1.SchemeGroupVersion.String() || ref.Kind != kind {
		return false, nil
	}
	key := types.NamespacedName{Namespace: of.GetNamespace(), Name: ref.Name}
	if err := o.Reader.Get(ctx, key, owner); err != nil {
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return false, fmt.Errorf("read %s %q, owner of %q: %w", kind, key, of.GetName(), err)
	}
	// An object of the same name that was created later is not the owner.
	return owner.GetUID() == ref.UID && owner.GetDeletionTimestamp() == nil, nil
}
