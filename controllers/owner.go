package controllers

import (
	"context"
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// owner is the workload of a Pod, and what was changed of it.
type owner struct {
	// Deployment that owns the Pod; nil when none does.
	Deployment *appsv1.Deployment
	// records of its containers.
	records map[string]workload.Record
	// revision of the Pod's ReplicaSet.
	revision string
	// behind is true when the cache has a newer ReplicaSet than the Deployment knows of: what it has of the Deployment is
	// from before a rollout that has begun.
	behind bool
	// busy is true while a change of ours replaces its Pods.
	busy bool
}

// owners finds the owners of a namespace's Pods, each of them once.
type owners struct {
	find workload.Owners
	// sets are the ReplicaSets that carry a record, by Deployment, and revisions those of all ReplicaSets.
	sets      map[types.UID][]metav1.PartialObjectMetadata
	revisions map[types.UID]string
	// newest is the highest revision among the ReplicaSets of a Deployment.
	newest map[types.UID]int
	known  map[types.UID]owner // by ReplicaSet, which replicas have in common
}

func (r *AppMonitorReconciler) ownersOf(ctx context.Context, namespace string) (*owners, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSetList"))
	if err := r.Client.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list ReplicaSets of namespace %q: %w", namespace, err)
	}
	o := &owners{
		find: workload.Owners{Reader: r.Client}, sets: map[types.UID][]metav1.PartialObjectMetadata{},
		revisions: map[types.UID]string{}, newest: map[types.UID]int{}, known: map[types.UID]owner{},
	}
	for i := range list.Items {
		set := &list.Items[i]
		o.revisions[set.UID] = workload.Revision(set)
		ref := metav1.GetControllerOf(set)
		if ref == nil {
			continue
		}
		o.newest[ref.UID] = max(o.newest[ref.UID], number(workload.Revision(set)))
		if set.Annotations[v1.RecordAnnotation] != "" {
			o.sets[ref.UID] = append(o.sets[ref.UID], *set)
		}
	}
	return o, nil
}

func (o *owners) of(ctx context.Context, pod *corev1.Pod) (owner, error) {
	ref := metav1.GetControllerOf(pod)
	if ref == nil {
		return owner{}, nil
	}
	if known, ok := o.known[ref.UID]; ok {
		return known, nil
	}
	deployment, err := o.find.Deployment(ctx, pod)
	if err != nil {
		return owner{}, err
	}
	found := owner{Deployment: deployment, revision: o.revisions[ref.UID]}
	if deployment != nil {
		if found.busy, err = workload.InFlight(deployment); err != nil {
			return owner{}, err
		}
		found.behind = o.newest[deployment.UID] > number(workload.Revision(deployment))
		// Whoever broke the record wants to start afresh.
		found.records, _ = workload.RecordsOf(deployment, o.sets[deployment.UID])
	}
	o.known[ref.UID] = found
	return found, nil
}

// number reads a revision, of which there is none where the Deployment controller has not been yet.
func number(revision string) int {
	n, err := strconv.Atoi(revision)
	if err != nil {
		return 0
	}
	return n
}

// raised counts the containers whose memory the operator has raised.
func (o *owners) raised() (int, error) {
	counted, total := map[types.UID]bool{}, 0
	for _, one := range o.known {
		if one.Deployment == nil || counted[one.Deployment.UID] {
			continue
		}
		names, err := workload.Raised(one.Deployment)
		if err != nil {
			return 0, err
		}
		counted[one.Deployment.UID] = true
		total += len(names)
	}
	return total, nil
}
