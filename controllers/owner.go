package controllers

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// rolloutDeadline is after how long a rollout of ours is given up that does not get on, where the workload has no deadline of its
// own, as Deployments have by default.
const rolloutDeadline = 10 * time.Minute

// owner is the workload of a Pod, and what was changed of it.
type owner struct {
	*workload.Workload
	// records of its containers, brought in line with what the user says.
	records map[string]workload.Record
	// revision of the Pod.
	revision string
	// behind is true when the cache has a newer ReplicaSet than the Deployment knows of: what it has of the Deployment is
	// from before a rollout that has begun.
	behind bool
	// busy is true while a change of ours replaces its Pods.
	busy bool
	// scaler is the name of a HorizontalPodAutoscaler that scales it by its memory use; empty when there is none.
	scaler string
}

// isPod is true for a Pod that is its own workload.
func (o owner) isPod() bool { return o.Kind == "Pod" }

// owners finds the owners of a namespace's Pods, each of them once.
type owners struct {
	find workload.Owners
	now  time.Time
	// trends know how rollouts get on.
	trends trends
	// sets are the ReplicaSets that carry a record, by Deployment, and revisions those of all ReplicaSets.
	sets      map[types.UID][]metav1.PartialObjectMetadata
	revisions map[types.UID]string
	// newest is the highest revision among the ReplicaSets of a Deployment.
	newest map[types.UID]int
	// scalers are the HorizontalPodAutoscalers that look at memory.
	scalers []autoscalingv2.HorizontalPodAutoscaler
	known   map[types.UID]owner // by the Pod's direct owner, which replicas have in common
}

func (r *AppMonitorReconciler) ownersOf(ctx context.Context, namespace string, t trends) (*owners, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSetList"))
	if err := r.Client.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list ReplicaSets of namespace %q: %w", namespace, err)
	}
	scalers := &autoscalingv2.HorizontalPodAutoscalerList{}
	if err := r.Client.List(ctx, scalers, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list HorizontalPodAutoscalers of namespace %q: %w", namespace, err)
	}
	o := &owners{
		find: workload.Owners{Reader: r.Client}, now: r.Clock.Now(), trends: t, sets: map[types.UID][]metav1.PartialObjectMetadata{},
		revisions: map[types.UID]string{}, newest: map[types.UID]int{}, known: map[types.UID]owner{},
	}
	for i := range scalers.Items {
		if scalesOnMemory(&scalers.Items[i]) {
			o.scalers = append(o.scalers, scalers.Items[i])
		}
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

// scalesOnMemory is true for an autoscaler that compares memory use with what is requested, which each raise changes.
func scalesOnMemory(h *autoscalingv2.HorizontalPodAutoscaler) bool {
	byRequest := func(name corev1.ResourceName, target autoscalingv2.MetricTarget) bool {
		return name == corev1.ResourceMemory && target.Type == autoscalingv2.UtilizationMetricType
	}
	return slices.ContainsFunc(h.Spec.Metrics, func(m autoscalingv2.MetricSpec) bool {
		return m.Resource != nil && byRequest(m.Resource.Name, m.Resource.Target) ||
			m.ContainerResource != nil && byRequest(m.ContainerResource.Name, m.ContainerResource.Target)
	})
}

func (o *owners) of(ctx context.Context, pod *corev1.Pod) (owner, error) {
	key := pod.UID
	if ref := metav1.GetControllerOf(pod); ref != nil {
		key = ref.UID
	}
	found, known := o.known[key]
	if !known {
		var err error
		if found, err = o.read(ctx, pod); err != nil {
			return owner{}, err
		}
		if found.isPod() {
			key = pod.UID // whatever owns it, it is known by itself
		}
		o.known[key] = found
	}
	found.revision = o.revisions[key]
	if found.revision == "" {
		found.revision = workload.SetOf(pod)
	}
	return found, nil
}

// read returns the owner as it is for all of its Pods.
func (o *owners) read(ctx context.Context, pod *corev1.Pod) (owner, error) {
	w, err := o.find.Of(ctx, pod)
	if err != nil {
		return owner{}, err
	}
	found := owner{Workload: w, behind: o.newest[w.GetUID()] > number(workload.Revision(w))}
	if found.busy, err = w.InFlight(); err != nil {
		return owner{}, err
	}
	found.follow(o.sets[w.GetUID()], o.now)
	if found.busy && w.Kind != "Deployment" && o.trends.stands(w.GetUID(), w.Progress(), o.now) >= rolloutDeadline {
		w.GivenUp, w.RollingOut, found.busy = true, false, false
	}
	for i := range o.scalers {
		if target := o.scalers[i].Spec.ScaleTargetRef; target.Kind == w.Kind && target.Name == w.GetName() {
			found.scaler = o.scalers[i].Name
		}
	}
	return found, nil
}

// follow reads the records, and brings them in line with what the user says. Whoever broke them wants to start afresh.
func (o *owner) follow(sets []metav1.PartialObjectMetadata, now time.Time) {
	var undone bool
	o.records, undone, _ = workload.RecordsOf(o.Workload, sets)
	durable, err := workload.Durable(o.Workload)
	if err != nil {
		undone = true // nobody can mean that
	}
	if o.records == nil {
		o.records = map[string]workload.Record{}
	}
	for name := range durable {
		if _, known := o.records[name]; !known {
			o.records[name] = workload.Record{}
		}
	}
	for name, record := range o.records {
		o.records[name] = record.Follow(o.Workload, name, durable[name], undone, now)
	}
}

// learned is the size that all Pods are to have for a container beyond what the template says; zero when that is nothing.
func (o owner) learned(container string) workload.Size {
	if learned := o.records[container].Durable; learned.Limit > o.Declared(container).Limit {
		return learned
	}
	return workload.Size{}
}

// durable is the size that all Pods are to have for a container: what was learned, else what the template says. It is zero
// where neither is known.
func (o owner) durable(container string) workload.Size {
	if learned := o.learned(container); learned.Limit > 0 {
		return learned
	}
	return o.Declared(container)
}

// number reads a revision, of which there is none where the Deployment controller has not been yet.
func number(revision string) int {
	n, err := strconv.Atoi(revision)
	if err != nil {
		return 0
	}
	return n
}

// raised counts the containers whose memory the operator has raised, of each workload once.
func (o *owners) raised() (int, error) {
	counted, total := map[types.UID]bool{}, 0
	for _, one := range o.known {
		if counted[one.GetUID()] {
			continue
		}
		counted[one.GetUID()] = true
		raised, err := one.RaisedByRollout()
		if err != nil {
			return 0, err
		}
		for name, record := range one.records {
			if record.InPlace && record.Given.Limit > record.Declared.Limit && !slices.Contains(raised, name) {
				raised = append(raised, name)
			}
		}
		total += len(raised)
	}
	return total, nil
}
