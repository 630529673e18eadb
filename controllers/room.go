package controllers

import (
	"context"
	"fmt"
	"maps"
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
	nodesOf   func(context.Context) (nodeRoom, error)

	read   bool
	ranges []corev1.LimitRange
	quotas []corev1.ResourceQuota
	nodes  nodeRoom
	// planned are the sizes that this reconcile is going to give to containers, and taken is what that takes of quotas: by
	// workload for a rollout, and by Pod in place. onNodes is what the latter takes of nodes, by Pod, too.
	planned map[types.UID]map[string]scaling.Memory
	taken   map[types.UID]scaling.Memory
	onNodes map[string]map[types.UID]int64
}

func (r *AppMonitorReconciler) room(namespace string) *room {
	return &room{
		reader: r.Client, namespace: namespace, nodesOf: r.nodeRoom,
		planned: map[types.UID]map[string]scaling.Memory{}, taken: map[types.UID]scaling.Memory{},
		onNodes: map[string]map[types.UID]int64{},
	}
}

// bound puts the bounds of what can be given into all ways to another size.
func (r *room) bound(ctx context.Context, c *container) error {
	if err := r.readOnce(ctx); err != nil {
		return err
	}
	for _, way := range []*scaling.Way{&c.observed.Way, &c.observed.Fallback} {
		switch way.Means {
		case scaling.InPlace, scaling.Restart:
			way.Bounds = r.inPlace(c)
			if c.resizing.refused.FoundRoom(way.Bounds.Node.Request) {
				way.Refused, way.RefusedFor = scaling.Memory{}, ""
			}
		case scaling.Rollout:
			if c.Template != nil {
				way.Bounds = r.rollout(c)
			}
		}
	}
	return nil
}

// inPlace is what can be given to a container in its Pod.
func (r *room) inPlace(c *container) scaling.Bounds {
	pod := r.withPlanned(c.pod.UID, c)
	b := scaling.Bounds{
		LimitRange: scaling.Memory(workload.LimitRangeBound(r.ranges, &pod.Spec, c.name)),
		Quota:      scaling.Memory(workload.QuotaBoundInPlace(r.leftFor(c.pod.UID), &c.pod.Spec, &pod.Spec, c.name)),
	}
	b.Node.Limit = workload.AllocatableOf(r.nodes.all, c.pod.Spec.NodeName)
	if r.nodes.requested != nil {
		b.Node.Request = workload.NodeBoundInPlace(r.nodes.all, r.requestedBeside(c.pod.UID), c.pod, pod, c.name)
	}
	return b
}

// rollout is what can be given to a container by its workload.
func (r *room) rollout(c *container) scaling.Bounds {
	pod := r.withPlanned(c.GetUID(), c)
	b := scaling.Bounds{
		LimitRange: scaling.Memory(workload.LimitRangeBound(r.ranges, &pod.Spec, c.name)),
		Quota:      scaling.Memory(c.QuotaBound(r.leftFor(c.GetUID()), &pod.Spec, c.name)),
	}
	if r.nodes.requested != nil {
		b.Node.Request = c.NodeBound(r.nodes.all, r.nodes.requested, pod, c.name)
		b.Node.Limit = workload.LargestNode(r.nodes.all)
	}
	return b
}

// withPlanned returns the container's Pod with the sizes that its other containers are about to be given.
func (r *room) withPlanned(of types.UID, c *container) *corev1.Pod {
	planned := r.planned[of]
	if planned == nil {
		return c.pod
	}
	pod := c.pod.DeepCopy()
	resize(pod.Spec.Containers, c.name, planned)
	resize(pod.Spec.InitContainers, c.name, planned)
	return pod
}

// plan makes what is left smaller by a raise: for the Pod's other containers, and for others.
func (r *room) plan(d decision) {
	if d.Action != scaling.Raise {
		return
	}
	if d.Means == scaling.Rollout {
		r.planRollout(d)
		return
	}
	uid, more := d.pod.UID, scaling.Memory{
		Request: d.Target.Request - d.observed.Size.Request, Limit: d.Target.Limit - d.observed.Size.Limit,
	}
	if r.planned[uid] == nil {
		r.planned[uid] = map[string]scaling.Memory{}
	}
	r.planned[uid][d.name] = d.Target
	r.taken[uid] = scaling.Memory{Request: r.taken[uid].Request + more.Request, Limit: r.taken[uid].Limit + more.Limit}
	node := d.pod.Spec.NodeName
	if r.onNodes[node] == nil {
		r.onNodes[node] = map[types.UID]int64{}
	}
	r.onNodes[node][uid] += more.Request
}

func (r *room) planRollout(d decision) {
	uid := d.GetUID()
	if r.planned[uid] == nil {
		r.planned[uid] = map[string]scaling.Memory{}
	}
	if d.Target.Limit <= r.planned[uid][d.name].Limit {
		return // another replica's need covers this one
	}
	if len(r.planned[uid]) == 0 {
		r.taken[uid] = scaling.Memory(d.RolloutTakes(&d.pod.Spec))
	}
	before, known := r.planned[uid][d.name]
	if !known {
		before = d.observed.Size
	}
	more := d.ReplicasTake(workload.Size{
		Request: d.Target.Request - before.Request, Limit: d.Target.Limit - before.Limit,
	})
	r.taken[uid] = scaling.Memory{Request: r.taken[uid].Request + more.Request, Limit: r.taken[uid].Limit + more.Limit}
	r.planned[uid][d.name] = d.Target
}

// leftFor returns the quotas less what others are about to take of them.
func (r *room) leftFor(uid types.UID) []corev1.ResourceQuota {
	var others workload.Size
	for other, taken := range r.taken {
		if other != uid {
			others = workload.Size{Request: others.Request + taken.Request, Limit: others.Limit + taken.Limit}
		}
	}
	return workload.UsedBy(r.quotas, others)
}

// requestedBeside returns what is requested of nodes, with what other Pods than the one are about to request.
func (r *room) requestedBeside(uid types.UID) map[string]int64 {
	if len(r.onNodes) == 0 {
		return r.nodes.requested
	}
	requested := make(map[string]int64, len(r.nodes.requested))
	for node, bytes := range r.nodes.requested {
		requested[node] = bytes
		for other, more := range r.onNodes[node] {
			if other != uid {
				requested[node] += more
			}
		}
	}
	return requested
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
	var err error
	if r.nodes, err = r.nodesOf(ctx); err != nil {
		return err
	}
	r.read = true
	return nil
}

// nodeRoom is what is known of all nodes at a time.
type nodeRoom struct {
	at time.Time
	// took is how long it took to read, and stale is true when something was freed since.
	took  time.Duration
	stale bool
	all   []corev1.Node
	// requested memory by node; nil when not every Pod can be seen: then nobody knows what is left of a node.
	requested map[string]int64
}

// gift is what a Pod was given of its node, by the generation of the Pod that has it.
type gift struct {
	bytes, generation int64
}

// readPart is the part of the time, one of so many, that may be spent on reading what nodes have left.
const readPart = 20

// nodeRoom reads the nodes and what Pods take of them, once in a tick for all AppMonitors, because a cluster has many; and
// when something was freed, as often as can be afforded.
func (r *AppMonitorReconciler) nodeRoom(ctx context.Context) (nodeRoom, error) {
	r.nodesMu.Lock()
	defer r.nodesMu.Unlock()
	now := r.Clock.Now()
	age := now.Sub(r.nodes.at)
	if current := !r.nodes.stale || age < readPart*r.nodes.took; !r.nodes.at.IsZero() && age < r.Tick && current {
		return r.nodes.copied(), nil
	}
	nodes, pods := &corev1.NodeList{}, &corev1.PodList{}
	// Only read here.
	if err := r.Client.List(ctx, nodes, client.UnsafeDisableDeepCopy); err != nil {
		return nodeRoom{}, fmt.Errorf("list nodes: %w", err)
	}
	read := nodeRoom{at: now, all: nodes.Items}
	if len(r.Namespaces) == 0 {
		if err := r.Client.List(ctx, pods, client.UnsafeDisableDeepCopy); err != nil {
			return nodeRoom{}, fmt.Errorf("list Pods: %w", err)
		}
		read.requested = workload.RequestedOf(pods.Items)
		r.addGifts(read.requested, pods.Items)
	}
	read.took = r.Clock.Since(now)
	r.nodes = read
	return read.copied(), nil
}

// copied is what others may change without harm.
func (n nodeRoom) copied() nodeRoom {
	n.requested = maps.Clone(n.requested)
	return n
}

// takeOfNode notes that a Pod was given more of its node, so that nobody gives it away again before it is seen.
func (r *AppMonitorReconciler) takeOfNode(pod, resized *corev1.Pod, bytes int64) {
	r.nodesMu.Lock()
	defer r.nodesMu.Unlock()
	if r.nodes.requested == nil || bytes <= 0 {
		return // what is given back is free when the kubelet has taken it
	}
	r.nodes.requested[resized.Spec.NodeName] += bytes
	before := r.gifts[pod.UID]
	if pod.Generation >= before.generation {
		before.bytes = 0 // it is seen
	}
	if r.gifts == nil {
		r.gifts = map[types.UID]gift{}
	}
	r.gifts[pod.UID] = gift{bytes: before.bytes + bytes, generation: resized.Generation}
}

// addGifts adds what Pods were given and do not show yet, and forgets the rest.
func (r *AppMonitorReconciler) addGifts(requested map[string]int64, pods []corev1.Pod) {
	if len(r.gifts) == 0 {
		return
	}
	left := map[types.UID]gift{}
	for i := range pods {
		pod := &pods[i]
		if g, given := r.gifts[pod.UID]; given && pod.Generation < g.generation {
			left[pod.UID] = g
			requested[pod.Spec.NodeName] += g.bytes
		}
	}
	r.gifts = left
}

// freed has what nodes have left read anew by the next who asks.
func (r *AppMonitorReconciler) freed() {
	r.nodesMu.Lock()
	defer r.nodesMu.Unlock()
	r.nodes.stale = true
}
