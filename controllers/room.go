package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// room is what a namespace and the nodes can still give. It is read at most once in a reconcile, when it is asked for.
type room struct {
	reader    client.Reader
	namespace string
	// nodesOf reads the nodes; nil when not every Pod can be seen: then nobody knows what is left of a node.
	nodesOf func(context.Context) (nodeRoom, error)

	read   bool
	ranges []corev1.LimitRange
	quotas []corev1.ResourceQuota
	nodes  nodeRoom
	// planned are the sizes that this reconcile is going to give to the containers of a workload, and taken is what that
	// takes of quotas.
	planned map[types.UID]map[string]scaling.Memory
	taken   map[types.UID]scaling.Memory
}

func (r *AppMonitorReconciler) room(namespace string) *room {
	o := &room{
		reader: r.Client, namespace: namespace,
		planned: map[types.UID]map[string]scaling.Memory{}, taken: map[types.UID]scaling.Memory{},
	}
	if r.WholeCluster {
		o.nodesOf = r.nodeRoom
	}
	return o
}

// bounds of a container that a Deployment owns.
func (r *room) bounds(ctx context.Context, c container) (scaling.Bounds, error) {
	if err := r.readOnce(ctx); err != nil {
		return scaling.Bounds{}, err
	}
	pod := c.pod
	if planned := r.planned[c.Deployment.UID]; planned != nil {
		pod = pod.DeepCopy()
		resize(pod.Spec.Containers, c.name, planned)
	}
	b := scaling.Bounds{
		LimitRange: scaling.Memory(workload.LimitRangeBound(r.ranges, &pod.Spec, c.name)),
		Quota:      scaling.Memory(workload.QuotaBound(r.leftFor(c.Deployment.UID), c.Deployment, &pod.Spec, c.name)),
	}
	if r.nodesOf != nil {
		b.Node.Request = workload.NodeBound(r.nodes.all, r.nodes.requested, c.Deployment, pod, c.name)
		b.Node.Limit = workload.LargestNode(r.nodes.all)
	}
	return b, nil
}

// plan makes what is left smaller by a raise: for the other containers of the workload, and for other workloads.
func (r *room) plan(d decision) {
	if d.Action != scaling.Raise {
		return
	}
	uid := d.Deployment.UID
	if r.planned[uid] == nil {
		r.planned[uid] = map[string]scaling.Memory{}
	}
	if d.Target.Limit <= r.planned[uid][d.name].Limit {
		return // another replica's need covers this one
	}
	if len(r.planned[uid]) == 0 {
		r.taken[uid] = scaling.Memory(workload.RolloutTakes(d.Deployment, &d.pod.Spec))
	}
	before, known := r.planned[uid][d.name]
	if !known {
		before = d.observed.Size
	}
	more := workload.ReplicasTake(d.Deployment, workload.Size{
		Request: d.Target.Request - before.Request, Limit: d.Target.Limit - before.Limit,
	})
	r.taken[uid] = scaling.Memory{Request: r.taken[uid].Request + more.Request, Limit: r.taken[uid].Limit + more.Limit}
	r.planned[uid][d.name] = d.Target
}

// leftFor returns the quotas less what other workloads are about to take of them.
func (r *room) leftFor(uid types.UID) []corev1.ResourceQuota {
	var others workload.Size
	for other, taken := range r.taken {
		if other != uid {
			others = workload.Size{Request: others.Request + taken.Request, Limit: others.Limit + taken.Limit}
		}
	}
	return workload.UsedBy(r.quotas, others)
}

// resize gives containers their planned sizes, all but the named one.
func resize(containers []corev1.Container, but string, planned map[string]scaling.Memory) {
	for i := range containers {
		if size, ok := planned[containers[i].Name]; ok && containers[i].Name != but {
			containers[i].Resources = workload.Size(size).In(containers[i].Resources)
		}
	}
}

func (r *room) readOnce(ctx context.Context) error {
	if r.read {
		return nil
	}
	ranges, quotas := &corev1.LimitRangeList{}, &corev1.ResourceQuotaList{}
	if err := r.reader.List(ctx, ranges, client.InNamespace(r.namespace)); err != nil {
		return fmt.Errorf("list LimitRanges of namespace %q: %w", r.namespace, err)
	}
	if err := r.reader.List(ctx, quotas, client.InNamespace(r.namespace)); err != nil {
		return fmt.Errorf("list ResourceQuotas of namespace %q: %w", r.namespace, err)
	}
	r.ranges, r.quotas = ranges.Items, quotas.Items
	if r.nodesOf != nil {
		var err error
		if r.nodes, err = r.nodesOf(ctx); err != nil {
			return err
		}
	}
	r.read = true
	return nil
}

// nodeRoom is what is known of all nodes at a time.
type nodeRoom struct {
	at  time.Time
	all []corev1.Node
	// requested memory by node.
	requested map[string]int64
}

// nodeRoom reads the nodes and what Pods take of them, at most once in a tick for all AppMonitors: a cluster has many.
func (r *AppMonitorReconciler) nodeRoom(ctx context.Context) (nodeRoom, error) {
	r.nodesMu.Lock()
	defer r.nodesMu.Unlock()
	now := r.Clock.Now()
	if !r.nodes.at.IsZero() && now.Sub(r.nodes.at) < r.Tick {
		return r.nodes, nil
	}
	nodes, pods := &corev1.NodeList{}, &corev1.PodList{}
	// Only read here.
	if err := r.Client.List(ctx, nodes, client.UnsafeDisableDeepCopy); err != nil {
		return nodeRoom{}, fmt.Errorf("list nodes: %w", err)
	}
	if err := r.Client.List(ctx, pods, client.UnsafeDisableDeepCopy); err != nil {
		return nodeRoom{}, fmt.Errorf("list Pods: %w", err)
	}
	read := nodeRoom{at: now, all: nodes.Items, requested: map[string]int64{}}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.Spec.NodeName != "" && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			read.requested[pod.Spec.NodeName] += workload.Requests(pod)
		}
	}
	r.nodes = read
	return read, nil
}
