package workload

import (
	"slices"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LimitRangeBound returns the largest size that LimitRanges allow a container of a Pod; zero is no bound. One for Pods
// leaves what the other containers do not take; it does not count what the Pod's runtime takes beside them.
func LimitRangeBound(ranges []corev1.LimitRange, pod *corev1.PodSpec, container string) Size {
	var bound Size
	for i := range ranges {
		for _, item := range ranges[i].Spec.Limits {
			most, ok := item.Max[corev1.ResourceMemory]
			switch {
			case !ok:
			case item.Type == corev1.LimitTypeContainer && container != WholePod:
				bound.Limit = tighter(bound.Limit, most.Value())
			case item.Type == corev1.LimitTypePod:
				bound.Limit = tighter(bound.Limit, most.Value()-beside(pod, container).Limit)
			}
		}
	}
	return bound
}

// QuotaBound returns the largest size that ResourceQuotas leave a container of a workload by a rollout; zero is no bound. The
// Pod's other containers have the sizes that they are about to be given, where the template says less.
//
// While n replicas are replaced, the last moment takes the most: n new Pods and s old ones, s being the surge, at most n.
// With P and P' what a Pod takes before and after, that is n·P' + s·P, of which n·P are in use already. So
// P' ≤ P + (free − s·P) / n, of which the container may have what is not for the Pod's others.
//
// A request of 256Mi, one replica, a surge of one, 256Mi of 600Mi used: R' ≤ 256Mi + (344Mi − 256Mi) / 1 = 344Mi. Ten
// replicas with a surge of three, 2560Mi of 4088Mi used: R' ≤ 256Mi + (1528Mi − 768Mi) / 10 = 332Mi. Beside another
// container whose 100Mi are to become 200Mi, one replica that goes first, 356Mi of 700Mi used: R' ≤ 356Mi + 344Mi − 200Mi.
//
// Quotas for some priority classes alone are left out: the worst that can happen is a rollout that is rolled back.
func (w *Workload) QuotaBound(quotas []corev1.ResourceQuota, pod *corev1.PodSpec, container string) Size {
	return quotaBound(quotas, podSize(w.before(pod, container)), rest(pod, container), w.replicas, w.surge)
}

// QuotaBoundInPlace returns the largest size that ResourceQuotas leave a container of a running Pod; zero is no bound. The
// Pod's other containers have the sizes that they are about to be given; now is the Pod as it is.
//
// 256Mi of 600Mi used: R' ≤ 256Mi + 344Mi = 600Mi.
func QuotaBoundInPlace(quotas []corev1.ResourceQuota, now, pod *corev1.PodSpec, container string) Size {
	return quotaBound(quotas, podSize(now), rest(pod, container), 1, 0)
}

// QuotaBoundAtBirth returns the largest size that ResourceQuotas leave a container of a Pod that they do not count yet, which was
// declared so; zero is no bound. It leaves what the workload's other Pods take, as they are declared, that are not there yet: they
// may be about to be created, too, and one that is large from the beginning is worth none that is missing.
//
// 1000Mi, of which nothing is used, for the first of five of 100Mi each: 600Mi.
func (w *Workload) QuotaBoundAtBirth(quotas []corev1.ResourceQuota, declared, pod *corev1.PodSpec, container string) Size {
	each := podSize(declared)
	missing := max(0, w.replicas-1-w.created)
	others := Size{Request: missing * each.Request, Limit: missing * each.Limit}
	return quotaBound(UsedBy(quotas, others), Size{}, rest(pod, container), 1, 0)
}

// rest is what a Pod takes beside a container. A Pod whose containers have a limit together takes all of that, and as much
// more as the container gets.
func rest(pod *corev1.PodSpec, container string) Size {
	if limitsWhole(pod) {
		whole := podSize(pod)
		for _, c := range Containers(pod) {
			if c.Name == container {
				size := SizeOf(c.Resources)
				return Size{Request: whole.Request - size.Request, Limit: whole.Limit - size.Limit}
			}
		}
	}
	others, overhead := beside(pod, container), pod.Overhead.Memory().Value()
	return Size{Request: others.Request + overhead, Limit: others.Limit + overhead}
}

// quotaBound is what is left for a container beside the rest of its Pod, of which there are n, each as it is now, and s more
// for a moment.
func quotaBound(quotas []corev1.ResourceQuota, now, rest Size, n, s int64) Size {
	var bound Size
	for i := range quotas {
		q := &quotas[i]
		if !countsMemory(q) {
			continue
		}
		for name, hard := range q.Status.Hard {
			used := q.Status.Used[name]
			free := hard.Value() - used.Value()
			switch name {
			case corev1.ResourceRequestsMemory, corev1.ResourceMemory:
				bound.Request = tighter(bound.Request, now.Request+floorDiv(free-s*now.Request, n)-rest.Request)
			case corev1.ResourceLimitsMemory:
				bound.Limit = tighter(bound.Limit, now.Limit+floorDiv(free-s*now.Limit, n)-rest.Limit)
			}
		}
	}
	return bound
}

// RolloutTakes is what the surge of a rollout takes of a quota, with the Pods as they are; ReplicasTake is what a larger
// size does, by the more that each Pod takes. See QuotaBound.
func (w *Workload) RolloutTakes(pod *corev1.PodSpec) Size {
	size := podSize(pod)
	return Size{Request: w.surge * size.Request, Limit: w.surge * size.Limit}
}

// ReplicasTake is what all replicas take together.
func (w *Workload) ReplicasTake(each Size) Size {
	return Size{Request: w.replicas * each.Request, Limit: w.replicas * each.Limit}
}

// UsedBy returns the quotas with more of them used.
func UsedBy(quotas []corev1.ResourceQuota, more Size) []corev1.ResourceQuota {
	if more == (Size{}) {
		return quotas
	}
	used := make([]corev1.ResourceQuota, len(quotas))
	for i := range quotas {
		quotas[i].DeepCopyInto(&used[i])
		for name, bytes := range map[corev1.ResourceName]int64{
			corev1.ResourceRequestsMemory: more.Request, corev1.ResourceMemory: more.Request, corev1.ResourceLimitsMemory: more.Limit,
		} {
			if q, ok := used[i].Status.Used[name]; ok {
				q.Add(*resource.NewQuantity(bytes, resource.BinarySI))
				used[i].Status.Used[name] = q
			}
		}
	}
	return used
}

// countsMemory is true for a quota that counts the memory of long-running Pods, as far as its scopes tell.
func countsMemory(q *corev1.ResourceQuota) bool {
	return q.Spec.ScopeSelector == nil && !slices.ContainsFunc(q.Spec.Scopes, func(s corev1.ResourceQuotaScope) bool {
		return s != corev1.ResourceQuotaScopeNotTerminating && s != corev1.ResourceQuotaScopeNotBestEffort
	})
}

// NodeBound returns the largest request that a container could have in a Pod that takes the place of the present one, on
// the node that has most left; zero is no bound. Where the workload has no surge, or lets a Pod be unavailable, the
// present Pod goes first, and leaves its own node what it took. The Pod's other containers have the sizes that they are
// about to be given, where the template says less. A DaemonSet's Pod finds no other node.
//
// A node with 1Gi free, another container of 100Mi: 924Mi. An init container counts only where it does not fit at all: what
// it had is free again when the others start.
//
// Tolerations are not known, but the Pod's own node tells which taints it puts up with. Affinities are not looked at: the
// worst that can happen is a rollout that is rolled back.
func (w *Workload) NodeBound(nodes []corev1.Node, requested map[string]int64, pod *corev1.Pod, container string) int64 {
	if len(nodes) == 0 {
		return 0
	}
	alike, most := like(taintsOf(nodes, pod.Spec.NodeName)), int64(0)
	others := rest(&pod.Spec, container).Request
	least := podSize(without(&pod.Spec, container)).Request
	for i := range nodes {
		node := &nodes[i]
		free := node.Status.Allocatable.Memory().Value() - requested[node.Name]
		if node.Name == pod.Spec.NodeName && w.goesFirst {
			free += podSize(w.before(&pod.Spec, container)).Request
		}
		if w.bound && node.Name != pod.Spec.NodeName {
			continue
		}
		if takesPods(node) && open(node, alike) && free >= least {
			most = max(most, free-others)
		}
	}
	return max(1, most)
}

// NodeBoundInPlace returns the largest request that a container could have in its Pod, by what its node has left; zero is no
// bound. The Pod's other containers have the sizes that they are about to be given; now is the Pod as it is.
//
// A node with 100Mi left and a container of 256Mi: 356Mi. It does not matter whether the node takes other Pods.
func NodeBoundInPlace(nodes []corev1.Node, requested map[string]int64, now, pod *corev1.Pod, container string) int64 {
	allocatable := AllocatableOf(nodes, pod.Spec.NodeName)
	if allocatable == 0 {
		return 0
	}
	free := allocatable - requested[pod.Spec.NodeName]
	return max(1, free+Requests(now)-rest(&pod.Spec, container).Request)
}

// NodeBoundAtBirth returns the largest request that a container could have in a Pod that does not run yet: by what the node
// has left that the Pod is meant for, as those of DaemonSets are, else the node that has most left; zero is no bound.
// Node selectors and other affinities are not looked at: a Pod that finds no place is made smaller again.
func NodeBoundAtBirth(nodes []corev1.Node, requested map[string]int64, pod *corev1.Pod, container string) int64 {
	if len(nodes) == 0 {
		return 0
	}
	meant, most := meantFor(&pod.Spec), int64(0)
	for i := range nodes {
		node := &nodes[i]
		if node.Name == meant || meant == "" && takesPods(node) && open(node, tolerated(pod.Spec.Tolerations)) {
			most = max(most, node.Status.Allocatable.Memory().Value()-requested[node.Name])
		}
	}
	return max(1, most-rest(&pod.Spec, container).Request)
}

// meantFor names the only node that a Pod can run on; empty when there may be several.
func meantFor(pod *corev1.PodSpec) string {
	if pod.NodeName != "" || pod.Affinity == nil || pod.Affinity.NodeAffinity == nil ||
		pod.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return pod.NodeName
	}
	terms := pod.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	for _, term := range terms {
		for _, field := range term.MatchFields {
			byName := field.Key == metav1.ObjectNameField && field.Operator == corev1.NodeSelectorOpIn
			if byName && len(terms) == 1 && len(field.Values) == 1 {
				return field.Values[0]
			}
		}
	}
	return ""
}

// LargestNode returns what the largest node has for Pods, in bytes; zero when no node is known. A limit above that would
// protect nobody.
func LargestNode(nodes []corev1.Node) int64 {
	var largest int64
	for i := range nodes {
		largest = max(largest, nodes[i].Status.Allocatable.Memory().Value())
	}
	return largest
}

// AllocatableOf returns what a node has for Pods, in bytes; zero when it is not known.
func AllocatableOf(nodes []corev1.Node, name string) int64 {
	i := slices.IndexFunc(nodes, func(n corev1.Node) bool { return n.Name == name })
	if i < 0 {
		return 0
	}
	return nodes[i].Status.Allocatable.Memory().Value()
}

func takesPods(node *corev1.Node) bool {
	return !node.Spec.Unschedulable && slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// taintsOf returns the taints of the named node.
func taintsOf(nodes []corev1.Node, name string) []corev1.Taint {
	for i := range nodes {
		if nodes[i].Name == name {
			return nodes[i].Spec.Taints
		}
	}
	return nil
}

// like tells taints that are like one of those that are known to be tolerated.
func like(known []corev1.Taint) func(*corev1.Taint) bool {
	return func(t *corev1.Taint) bool {
		return slices.ContainsFunc(known, func(k corev1.Taint) bool { return k.MatchTaint(t) && k.Value == t.Value })
	}
}

// tolerated tells taints that are tolerated.
func tolerated(by []corev1.Toleration) func(*corev1.Taint) bool {
	return func(t *corev1.Taint) bool {
		return slices.ContainsFunc(by, func(k corev1.Toleration) bool { return k.ToleratesTaint(logr.Discard(), t, false) })
	}
}

// open is true for a node that has no taints but such as are tolerated, or only mean dislike.
func open(node *corev1.Node, tolerated func(*corev1.Taint) bool) bool {
	return !slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool {
		return t.Effect != corev1.TaintEffectPreferNoSchedule && !tolerated(&t)
	})
}

// tighter returns the smaller of two bounds, of which the first may be zero for none. What leaves nothing is a bound of
// one byte.
func tighter(bound, other int64) int64 {
	other = max(1, other)
	if bound == 0 {
		return other
	}
	return min(bound, other)
}

// floorDiv divides towards negative infinity; b is positive.
func floorDiv(a, b int64) int64 {
	if a < 0 {
		return -((-a + b - 1) / b)
	}
	return a / b
}
