package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/policies"
	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// The cache is looked at so often, and for so long, for the owner of a new Pod.
const (
	ownerPoll     = 20 * time.Millisecond
	ownerPatience = 700 * time.Millisecond
)

// AtBirth returns the memory that containers of a Pod are to have that is about to be created: what its workload has learned
// that they need, as far as that can be had. It is the decision to catch up with the workload, made before the Pod exists, and
// so nothing that keeps a running Pod from it is overlooked: pauses, dry runs, ceilings, LimitRanges, quotas, and what nodes
// have left. A Pod is never made so large that it, or another of its workload's, would not be created.
func (r *AppMonitorReconciler) AtBirth(ctx context.Context, pod *corev1.Pod) (map[string]workload.Size, error) {
	monitor, o, err := r.parentsOf(ctx, pod)
	if err != nil || monitor == nil || policies.Paused(o.Object) {
		return nil, err
	}
	if able, err := r.lowers(ctx); err != nil || !able {
		return nil, err // what found no place could not be made smaller again
	}
	learned := func(c corev1.Container) bool { return o.learned(c.Name).Limit > workload.SizeOf(c.Resources).Limit }
	if !slices.ContainsFunc(workload.Containers(&pod.Spec), learned) {
		return nil, nil // without a look at half of the cluster
	}
	room := r.room(pod.Namespace)
	if err := room.readOnce(ctx); err != nil {
		return nil, err
	}
	return r.sizesAtBirth(monitor, o, room, pod), nil
}

// NoteAtBirth returns what the agent of whichever node has to know of the workload of a Pod that is about to be created, from the
// moment at which it runs: that the user stopped all action on it.
func (r *AppMonitorReconciler) NoteAtBirth(ctx context.Context, pod *corev1.Pod) (workload.Note, error) {
	if r.Agents == nil || !r.Agents().MayAct() {
		return workload.Note{}, nil
	}
	monitor, o, err := r.parentsOf(ctx, pod)
	if err != nil || monitor == nil {
		return workload.Note{}, err
	}
	return workload.Note{Paused: policies.Paused(o.Object)}, nil
}

// parentsOf returns the AppMonitor of a Pod that is about to be created, and its workload; none where nothing is done in place to
// such a Pod.
func (r *AppMonitorReconciler) parentsOf(ctx context.Context, pod *corev1.Pod) (*v1.AppMonitor, owner, error) {
	if !policies.Annotated(pod) || len(r.Namespaces) > 0 && !slices.Contains(r.Namespaces, pod.Namespace) {
		return nil, owner{}, nil
	}
	monitor, err := r.monitorOf(ctx, pod)
	if err != nil || monitor == nil || !enlarges(monitor) || policies.Paused(pod) {
		return nil, owner{}, err
	}
	w, err := r.workloadOf(ctx, pod)
	if err != nil {
		return nil, owner{}, fmt.Errorf("find the workload of Pod %q: %w", pod.GenerateName+pod.Name, err)
	}
	o := owner{Workload: w}
	if o.isPod() {
		return nil, owner{}, nil
	}
	o.follow(nil, r.Clock.Now())
	return monitor, o, nil
}

// sizesAtBirth are those that are larger than a Pod says.
func (r *AppMonitorReconciler) sizesAtBirth(m *v1.AppMonitor, o owner, room *room, declared *corev1.Pod) map[string]workload.Size {
	pod, sizes := declared.DeepCopy(), map[string]workload.Size{}
	for _, c := range workload.Containers(&pod.Spec) {
		d := scaling.Decide(policies.Of(m, c.Name, r.MaxSampleAge), scaling.Observation{
			Size: scaling.Memory(workload.SizeOf(c.Resources)), Durable: scaling.Memory(o.learned(c.Name)),
			Way: scaling.Way{Means: scaling.InPlace, Bounds: room.atBirth(o.Workload, declared, pod, c.Name)},
		}, r.Clock.Now())
		if d.Action == scaling.Raise {
			sizes[c.Name] = workload.Size(d.Target)
			resize(pod.Spec.Containers, "", map[string]scaling.Memory{c.Name: d.Target})
			resize(pod.Spec.InitContainers, "", map[string]scaling.Memory{c.Name: d.Target})
		}
	}
	return sizes
}

// enlarges is true for an AppMonitor that lets Pods be larger than their templates say.
func enlarges(m *v1.AppMonitor) bool {
	return policies.ResizesInPlace(m) && !policies.Paused(m)
}

// lowers is true where the API server lets Pods be made smaller.
func (r *AppMonitorReconciler) lowers(ctx context.Context) (bool, error) {
	if r.Server == nil {
		return false, nil
	}
	server, err := r.Server.Now(ctx)
	return server.Abilities(server.Version).Lower, err
}

// workloadOf returns the workload of a Pod that is about to be created. Its owner may have been created so lately that the cache
// does not know it yet.
func (r *AppMonitorReconciler) workloadOf(ctx context.Context, pod *corev1.Pod) (*workload.Workload, error) {
	var w *workload.Workload
	err := wait.PollUntilContextTimeout(ctx, ownerPoll, ownerPatience, true, func(ctx context.Context) (done bool, err error) {
		w, err = workload.Owners{Reader: r.Client}.Of(ctx, pod)
		return w != nil && (w.Kind != "Pod" || !workload.IsOwned(pod)), err
	})
	if w != nil && wait.Interrupted(err) {
		return w, nil
	}
	return w, err
}

// monitorOf returns the AppMonitor that owns a Pod; nil when none does.
func (r *AppMonitorReconciler) monitorOf(ctx context.Context, pod *corev1.Pod) (*v1.AppMonitor, error) {
	monitors := &v1.AppMonitorList{}
	if err := r.Client.List(ctx, monitors, client.InNamespace(pod.Namespace)); err != nil {
		return nil, fmt.Errorf("list AppMonitors of namespace %q: %w", pod.Namespace, err)
	}
	candidates, _ := policies.Candidates(monitors.Items)
	return policies.MonitorOf(pod, candidates), nil
}

// atBirth is what can be given to a container of a Pod that does not exist yet.
func (r *room) atBirth(w *workload.Workload, declared, pod *corev1.Pod, container string) scaling.Bounds {
	b := scaling.Bounds{
		LimitRange: scaling.Memory(workload.LimitRangeBound(r.ranges, &pod.Spec, container)),
		Quota:      scaling.Memory(w.QuotaBoundAtBirth(r.quotas, &declared.Spec, &pod.Spec, container)),
	}
	b.Node.Limit = workload.LargestNode(r.nodes.all)
	if r.nodes.requested != nil {
		b.Node.Request = workload.NodeBoundAtBirth(r.nodes.all, r.nodes.requested, pod, container)
	}
	return b
}
