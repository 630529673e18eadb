package workload

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	resourcehelper "k8s.io/component-helpers/resource"
)

// Requests is the memory that a Pod takes of its node, in bytes: what the scheduler counts.
func Requests(pod *corev1.Pod) int64 {
	requests := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
	return requests.Memory().Value()
}

// LimitRangeBound returns the largest size that LimitRanges allow a container of a Pod; zero is no bound. One for Pods
// leaves what the other containers do not take.
func LimitRangeBound(ranges []corev1.LimitRange, pod *corev1.PodSpec, container string) Size {
	var bound Size
	for i := range ranges {
		for _, item := range ranges[i].Spec.Limits {
			most, ok := item.Max[corev1.ResourceMemory]
			switch {
			case !ok:
			case item.Type == corev1.LimitTypeContainer:
				bound.Limit = tighter(bound.Limit, most.Value())
			case item.Type == corev1.LimitTypePod:
				bound.Limit = tighter(bound.Limit, most.Value()-others(pod.Containers, container).Limit)
			}
		}
	}
	return bound
}

// QuotaBound returns the largest size that ResourceQuotas leave a container of a Deployment; zero is no bound.
//
// While n replicas are replaced, the last moment takes the most: n new Pods and s old ones, s being the surge. With R and
// R' the container's size before and after, and o what the Pod's other containers take, that is n·(R'+o) + s·(R+o), of
// which n·(R+o) are in use already. So R' ≤ R + (free − s·(R+o)) / n.
//
// A request of 256Mi, one replica, a surge of one, 256Mi of 600Mi used: R' ≤ 256Mi + (344Mi − 256Mi) / 1 = 344Mi. Ten
// replicas with a surge of three, 2560Mi of 4088Mi used: R' ≤ 256Mi + (1528Mi − 768Mi) / 10 = 332Mi.
//
// Quotas for some priority classes alone are left out: the worst that can happen is a rollout that is rolled back.
func QuotaBound(quotas []corev1.ResourceQuota, d *appsv1.Deployment, pod *corev1.PodSpec, container string) Size {
	var bound Size
	size, rest := SizeOf(containerOf(pod, container).Resources), others(pod.Containers, container)
	n, surge := replicas(d), surgeOf(d)
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
				bound.Request = tighter(bound.Request, size.Request+floorDiv(free-surge*(size.Request+rest.Request), n))
			case corev1.ResourceLimitsMemory:
				bound.Limit = tighter(bound.Limit, size.Limit+floorDiv(free-surge*(size.Limit+rest.Limit), n))
			}
		}
	}
	return bound
}

// countsMemory is true for a quota that counts the memory of a Deployment's Pods, as far as its scopes tell.
func countsMemory(q *corev1.ResourceQuota) bool {
	return q.Spec.ScopeSelector == nil && !slices.ContainsFunc(q.Spec.Scopes, func(s corev1.ResourceQuotaScope) bool {
		return s != corev1.ResourceQuotaScopeNotTerminating && s != corev1.ResourceQuotaScopeNotBestEffort
	})
}

// NodeBound returns the largest request that a container could have in a Pod that takes the place of the present one, on
// the node that has most left; zero is no bound. Where the Deployment has no surge, the present Pod goes first, and leaves
// its own node what it took.
//
// A node with 1Gi free, another container of 100Mi: 924Mi. Affinities are not looked at, and of tainted nodes only the
// one that the Pod runs on now: the worst that can happen is a rollout that is rolled back.
func NodeBound(nodes []corev1.Node, requested map[string]int64, d *appsv1.Deployment, pod *corev1.Pod, container string) int64 {
	if len(nodes) == 0 {
		return 0
	}
	takes, most := Requests(pod), int64(0)
	for i := range nodes {
		node := &nodes[i]
		if !takesPods(node) || tainted(node) && node.Name != pod.Spec.NodeName {
			continue
		}
		free := node.Status.Allocatable.Memory().Value() - requested[node.Name]
		if node.Name == pod.Spec.NodeName && surgeOf(d) == 0 {
			free += takes
		}
		most = max(most, free)
	}
	rest := takes - SizeOf(containerOf(&pod.Spec, container).Resources).Request
	return max(1, most-rest)
}

func takesPods(node *corev1.Node) bool {
	return !node.Spec.Unschedulable && slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

func tainted(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool {
		return t.Effect != corev1.TaintEffectPreferNoSchedule
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

// others is what all containers but the named one take.
func others(containers []corev1.Container, name string) Size {
	var sum Size
	for _, c := range containers {
		if c.Name != name {
			size := SizeOf(c.Resources)
			sum = Size{Request: sum.Request + size.Request, Limit: sum.Limit + size.Limit}
		}
	}
	return sum
}

func containerOf(pod *corev1.PodSpec, name string) corev1.Container {
	for _, c := range pod.Containers {
		if c.Name == name {
			return c
		}
	}
	return corev1.Container{}
}

// replicas is the number that the Deployment wants, at least one.
func replicas(d *appsv1.Deployment) int64 {
	if d.Spec.Replicas == nil {
		return 1
	}
	return max(1, int64(*d.Spec.Replicas))
}

// surgeOf is how many Pods there may be beyond the replicas while a rollout lasts: 25 %, rounded up, unless the
// Deployment says otherwise.
func surgeOf(d *appsv1.Deployment) int64 {
	if d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		return 0
	}
	surge := intstr.FromString("25%")
	if r := d.Spec.Strategy.RollingUpdate; r != nil && r.MaxSurge != nil {
		surge = *r.MaxSurge
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(&surge, int(replicas(d)), true)
	if err != nil {
		return 1 // the API server lets none pass that cannot be read
	}
	return int64(n)
}
