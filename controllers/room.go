package controllers

import (
	"context"
	"fmt"

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
	// wholeCluster is true when every Pod can be seen: without, nobody knows what is left of a node.
	wholeCluster bool

	read   bool
	ranges []corev1.LimitRange
	quotas []corev1.ResourceQuota
	nodes  []corev1.Node
	// requested memory by node.
	requested map[string]int64
	// planned are the sizes that this reconcile is going to give to the containers of a workload.
	planned map[types.UID]map[string]scaling.Memory
}

func (r *AppMonitorReconciler) room(namespace string) *room {
	return &room{
		reader: r.Client, namespace: namespace, wholeCluster: r.WholeCluster,
		planned: map[types.UID]map[string]scaling.Memory{},
	}
}

// bounds of a container that a Deployment owns.
func (r *room) bounds(ctx context.Context, c container) (scaling.Bounds, error) {
	if err := r.readOnce(ctx); err != nil {
		return scaling.Bounds{}, err
	}
	pod := c.pod
	if planned := r.planned[c.deployment.UID]; planned != nil {
		pod = pod.DeepCopy()
		resize(pod.Spec.Containers, c.name, planned)
	}
	b := scaling.Bounds{
		LimitRange: scaling.Memory(workload.LimitRangeBound(r.ranges, &pod.Spec, c.name)),
		Quota:      scaling.Memory(workload.QuotaBound(r.quotas, c.deployment, &pod.Spec, c.name)),
	}
	if r.wholeCluster {
		b.Node.Request = workload.NodeBound(r.nodes, r.requested, c.deployment, pod, c.name)
		b.Node.Limit = workload.LargestNode(r.nodes)
	}
	return b, nil
}

// plan makes what is left for the workload's other containers smaller by a raise.
func (r *room) plan(d decision) {
	if d.Action != scaling.Raise {
		return
	}
	planned := r.planned[d.deployment.UID]
	if planned == nil {
		planned = map[string]scaling.Memory{}
		r.planned[d.deployment.UID] = planned
	}
	if d.Target.Limit > planned[d.name].Limit {
		planned[d.name] = d.Target
	}
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
	if r.wholeCluster {
		if err := r.readNodes(ctx); err != nil {
			return err
		}
	}
	r.read = true
	return nil
}

func (r *room) readNodes(ctx context.Context) error {
	nodes, pods := &corev1.NodeList{}, &corev1.PodList{}
	if err := r.reader.List(ctx, nodes); err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	// Only read here, and a cluster has many.
	if err := r.reader.List(ctx, pods, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list Pods: %w", err)
	}
	r.nodes, r.requested = nodes.Items, map[string]int64{}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.Spec.NodeName != "" && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			r.requested[pod.Spec.NodeName] += workload.Requests(pod)
		}
	}
	return nil
}
