package workload

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func memoryOf(quantity string) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(quantity)}
}

func TestALimitRangeBoundsAContainer(t *testing.T) {
	ranges := func(items ...corev1.LimitRangeItem) []corev1.LimitRange {
		return []corev1.LimitRange{{Spec: corev1.LimitRangeSpec{Limits: items}}}
	}
	container := func(most string) corev1.LimitRangeItem {
		return corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Max: memoryOf(most)}
	}
	wholePod := func(most string) corev1.LimitRangeItem {
		return corev1.LimitRangeItem{Type: corev1.LimitTypePod, Max: memoryOf(most)}
	}
	for _, tt := range []struct {
		reason string
		ranges []corev1.LimitRange
		want   Size
	}{
		{"there is none", nil, Size{}},
		{"of a container", ranges(container("600Mi")), Size{Limit: 600 * mebibyte}},
		{"of a Pod, of which the other container has 64Mi", ranges(wholePod("600Mi")), Size{Limit: 536 * mebibyte}},
		{"the tighter of two", ranges(wholePod("600Mi"), container("550Mi")), Size{Limit: 536 * mebibyte}},
		{"the tighter of two objects", append(ranges(container("2Gi")), ranges(container("1Gi"))...), Size{Limit: 1 << 30}},
		{"a Pod that has more already", ranges(wholePod("10Mi")), Size{Limit: 1}},
		{"of other things", ranges(corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Max: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("1"),
		}}, corev1.LimitRangeItem{Type: corev1.LimitTypePersistentVolumeClaim, Max: memoryOf("1Mi")}), Size{}},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			pod := corev1.PodSpec{Containers: []corev1.Container{sized("memhog", "256Mi", "384Mi"), sized("sidecar", "", "64Mi")}}
			if diff := cmp.Diff(tt.want, LimitRangeBound(tt.ranges, &pod, "memhog")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
			}
		})
	}
}

func TestALimitRangeOfPodsCountsSidecars(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	sidecar := sized("sidecar", "", "64Mi")
	sidecar.RestartPolicy = &always
	pod := corev1.PodSpec{
		Containers: []corev1.Container{sized("memhog", "256Mi", "384Mi")}, Overhead: memoryOf("10Mi"),
		InitContainers: []corev1.Container{sidecar, sized("first", "", "500Mi")},
	}
	ranges := []corev1.LimitRange{{Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{
		{Type: corev1.LimitTypePod, Max: memoryOf("600Mi")},
	}}}}
	if got := LimitRangeBound(ranges, &pod, "memhog"); got != (Size{Limit: 536 * mebibyte}) {
		t.Errorf("want a limit of 536Mi, got %+v", got)
	}
}

func TestAQuotaBoundsWhatARolloutTakesAtMost(t *testing.T) {
	quota := func(name corev1.ResourceName, hard, used string, scopes ...corev1.ResourceQuotaScope) corev1.ResourceQuota {
		return corev1.ResourceQuota{
			Spec: corev1.ResourceQuotaSpec{Scopes: scopes},
			Status: corev1.ResourceQuotaStatus{
				Hard: corev1.ResourceList{name: resource.MustParse(hard)}, Used: corev1.ResourceList{name: resource.MustParse(used)},
			},
		}
	}
	const requests, limits = corev1.ResourceRequestsMemory, corev1.ResourceLimitsMemory
	rolling := func(replicas int32, surge string) *appsv1.Deployment {
		d, value := deployment(), intstr.Parse(surge)
		d.Spec.Replicas = &replicas
		d.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{MaxSurge: &value}
		return d
	}
	recreate := rolling(2, "1")
	recreate.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType
	selective := quota(requests, "1Mi", "0")
	selective.Spec.ScopeSelector = &corev1.ScopeSelector{}
	for _, tt := range []struct {
		reason string
		quotas []corev1.ResourceQuota
		d      *appsv1.Deployment
		rest   []corev1.Container
		want   Size
	}{
		{"there is none", nil, rolling(1, "1"), nil, Size{}},
		{"one replica, beside which the new one has to fit", []corev1.ResourceQuota{quota(requests, "600Mi", "256Mi")},
			rolling(1, "1"), nil, Size{Request: 344 * mebibyte}},
		{"a quota of memory is one of requests", []corev1.ResourceQuota{quota(corev1.ResourceMemory, "600Mi", "256Mi")},
			rolling(1, "1"), nil, Size{Request: 344 * mebibyte}},
		{"limits", []corev1.ResourceQuota{quota(limits, "1000Mi", "384Mi")}, rolling(1, "1"), nil, Size{Limit: 616 * mebibyte}},
		{"both", []corev1.ResourceQuota{quota(limits, "1000Mi", "384Mi"), quota(requests, "600Mi", "256Mi")},
			rolling(1, "1"), nil, Size{Request: 344 * mebibyte, Limit: 616 * mebibyte}},
		{"the tighter of two", []corev1.ResourceQuota{quota(requests, "600Mi", "256Mi"), quota(requests, "700Mi", "400Mi")},
			rolling(1, "1"), nil, Size{Request: 300 * mebibyte}},
		{"ten replicas and a quarter more", []corev1.ResourceQuota{quota(requests, "4088Mi", "2560Mi")},
			rolling(10, "25%"), nil, Size{Request: 332 * mebibyte}},
		{"a quarter is the default", []corev1.ResourceQuota{quota(requests, "4088Mi", "2560Mi")}, func() *appsv1.Deployment {
			d := rolling(10, "1")
			d.Spec.Strategy.RollingUpdate = nil
			return d
		}(), nil, Size{Request: 332 * mebibyte}},
		{"no surge: 2 × 344Mi fit in 688Mi", []corev1.ResourceQuota{quota(requests, "688Mi", "512Mi")},
			rolling(2, "0"), nil, Size{Request: 344 * mebibyte}},
		{"all at once", []corev1.ResourceQuota{quota(requests, "688Mi", "512Mi")}, recreate, nil, Size{Request: 344 * mebibyte}},
		{"another container wants to fit, too", []corev1.ResourceQuota{quota(requests, "800Mi", "356Mi")},
			rolling(1, "1"), []corev1.Container{sized("sidecar", "100Mi", "100Mi")}, Size{Request: 344 * mebibyte}},
		{"a surge of more Pods than there are to replace", []corev1.ResourceQuota{quota(requests, "600Mi", "256Mi")},
			rolling(1, "5"), nil, Size{Request: 344 * mebibyte}},
		{"nothing is left, not even for the surge", []corev1.ResourceQuota{quota(requests, "256Mi", "256Mi")},
			rolling(1, "1"), nil, Size{Request: 1}},
		{"it is overdrawn", []corev1.ResourceQuota{quota(requests, "256Mi", "2Gi")}, rolling(3, "1"), nil, Size{Request: 1}},
		{"of Pods like these", []corev1.ResourceQuota{
			quota(requests, "600Mi", "256Mi", corev1.ResourceQuotaScopeNotTerminating, corev1.ResourceQuotaScopeNotBestEffort),
		}, rolling(1, "1"), nil, Size{Request: 344 * mebibyte}},
		{"of Pods that end", []corev1.ResourceQuota{quota(requests, "1Mi", "0", corev1.ResourceQuotaScopeTerminating)},
			rolling(1, "1"), nil, Size{}},
		{"of a priority class", []corev1.ResourceQuota{selective}, rolling(1, "1"), nil, Size{}},
		{"of other things", []corev1.ResourceQuota{quota(corev1.ResourcePods, "1", "1")}, rolling(1, "1"), nil, Size{}},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			pod := corev1.PodSpec{Containers: append([]corev1.Container{sized("memhog", "256Mi", "384Mi")}, tt.rest...)}
			if diff := cmp.Diff(tt.want, of(tt.d).QuotaBound(tt.quotas, &pod, "memhog")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
			}
		})
	}
}

func TestTheRoomiestNodeBoundsTheRequest(t *testing.T) {
	keyed := func(key, value string) func(*corev1.Node) {
		return func(n *corev1.Node) {
			n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: key, Value: value, Effect: corev1.TaintEffectNoSchedule})
		}
	}
	node := func(name, allocatable string, change ...func(*corev1.Node)) corev1.Node {
		n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		n.Status.Allocatable = memoryOf(allocatable)
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		for _, c := range change {
			c(&n)
		}
		return n
	}
	cordoned := func(n *corev1.Node) { n.Spec.Unschedulable = true }
	broken := func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionUnknown }
	taint := func(effect corev1.TaintEffect) func(*corev1.Node) {
		return func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Effect: effect}} }
	}
	noSurge := deployment()
	noSurge.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType
	requested := map[string]int64{"here": 600 * mebibyte}
	for _, tt := range []struct {
		reason string
		nodes  []corev1.Node
		d      *appsv1.Deployment
		want   int64 // bytes
	}{
		{"nothing is known of nodes", nil, deployment(), 0},
		{"1000Mi less 600Mi, of which another container takes 100Mi", []corev1.Node{node("here", "1000Mi")}, deployment(), 300 * mebibyte},
		{"without a surge the Pod's own 356Mi are free again", []corev1.Node{node("here", "1000Mi")}, noSurge, 656 * mebibyte},
		{"nor where a quarter of four may be unavailable", []corev1.Node{node("here", "1000Mi")}, fourReplicas(), 656 * mebibyte},
		{"a roomier node", []corev1.Node{node("here", "1000Mi"), node("there", "2000Mi")}, deployment(), 1900 * mebibyte},
		{"elsewhere nothing becomes free", []corev1.Node{node("there", "1000Mi")}, noSurge, 900 * mebibyte},
		{"a cordoned node", []corev1.Node{node("here", "1000Mi"), node("there", "2000Mi", cordoned)}, deployment(), 300 * mebibyte},
		{"a node that is not ready", []corev1.Node{node("here", "1000Mi"), node("there", "2000Mi", broken)}, deployment(), 300 * mebibyte},
		{"a tainted node", []corev1.Node{
			node("here", "1000Mi"), node("there", "2000Mi", taint(corev1.TaintEffectNoSchedule)),
		}, deployment(), 300 * mebibyte},
		{"a node that is merely disliked", []corev1.Node{
			node("here", "1000Mi"), node("there", "2000Mi", taint(corev1.TaintEffectPreferNoSchedule)),
		}, deployment(), 1900 * mebibyte},
		{"a tainted node on which the Pod runs", []corev1.Node{
			node("here", "1000Mi", taint(corev1.TaintEffectNoExecute)),
		}, deployment(), 300 * mebibyte},
		{"a node that is tainted like that on which the Pod runs", []corev1.Node{
			node("here", "1000Mi", keyed("pool", "a")), node("there", "2000Mi", keyed("pool", "a")),
		}, deployment(), 1900 * mebibyte},
		{"a node that is tainted for others", []corev1.Node{
			node("here", "1000Mi", keyed("pool", "a")), node("there", "2000Mi", keyed("pool", "b")),
		}, deployment(), 300 * mebibyte},
		{"a node that has another taint, too", []corev1.Node{
			node("here", "1000Mi", keyed("pool", "a")), node("there", "2000Mi", keyed("pool", "a"), keyed("gpu", "")),
		}, deployment(), 300 * mebibyte},
		{"no room for the Pod as it is", []corev1.Node{node("here", "650Mi")}, deployment(), 1},
		{"no node that takes Pods", []corev1.Node{node("here", "1000Mi", cordoned)}, deployment(), 1},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			p := pod()
			p.Spec.NodeName = "here"
			p.Spec.Containers = []corev1.Container{sized("memhog", "256Mi", "384Mi"), sized("sidecar", "100Mi", "100Mi")}
			if got := of(tt.d).NodeBound(tt.nodes, requested, p, "memhog"); got != tt.want {
				t.Errorf("%s: want %d, got %d", tt.reason, tt.want, got)
			}
		})
	}
}

func TestANewPodIsBoundByNodesThatTakeIt(t *testing.T) {
	node := func(name, allocatable, taint string) corev1.Node {
		n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		n.Status.Allocatable = memoryOf(allocatable)
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		if taint != "" {
			n.Spec.Taints = []corev1.Taint{{Key: taint, Effect: corev1.TaintEffectNoSchedule}}
		}
		return n
	}
	for _, tt := range []struct {
		reason    string
		nodes     []corev1.Node
		tolerates string
		want      int64 // bytes
	}{
		{"nothing is known of nodes", nil, "", 0},
		{"the roomiest", []corev1.Node{node("a", "500Mi", ""), node("b", "900Mi", "")}, "", 900 * mebibyte},
		{"not a tainted one", []corev1.Node{node("a", "500Mi", ""), node("b", "900Mi", "pool")}, "", 500 * mebibyte},
		{"unless that is tolerated", []corev1.Node{node("a", "500Mi", ""), node("b", "900Mi", "pool")}, "pool", 900 * mebibyte},
		{"nor one with another taint", []corev1.Node{node("a", "500Mi", ""), node("b", "900Mi", "gpu")}, "pool", 500 * mebibyte},
		{"what is taken is gone", []corev1.Node{node("here", "900Mi", "")}, "", 300 * mebibyte},
		{"none", []corev1.Node{node("b", "900Mi", "gpu")}, "pool", 1},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			p := pod()
			p.Spec.NodeName = ""
			p.Spec.Containers = []corev1.Container{sized("memhog", "256Mi", "384Mi")}
			if tt.tolerates != "" {
				p.Spec.Tolerations = []corev1.Toleration{{Key: tt.tolerates, Operator: corev1.TolerationOpExists}}
			}
			got := NodeBoundAtBirth(tt.nodes, map[string]int64{"here": 600 * mebibyte}, p, "memhog")
			if got != tt.want {
				t.Errorf("%s: want %d, got %d", tt.reason, tt.want, got)
			}
		})
	}
}

func TestTheLargestNodeIsTheOneWithTheMostForPods(t *testing.T) {
	nodes := make([]corev1.Node, 2)
	nodes[0].Status.Allocatable, nodes[1].Status.Allocatable = memoryOf("2Gi"), memoryOf("1Gi")
	if got := LargestNode(nodes); got != 2<<30 {
		t.Errorf("the largest of 2Gi and 1Gi has %d", got)
	}
	if got := LargestNode(nil); got != 0 {
		t.Errorf("no node has %d", got)
	}
}

func fourReplicas() *appsv1.Deployment {
	d, replicas := deployment(), int32(4)
	d.Spec.Replicas = &replicas
	return d
}

func TestASizeIsPutIntoResources(t *testing.T) {
	before := corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}}
	after := two.In(before)
	if SizeOf(after) != two || after.Limits.Cpu().Value() != 1 || len(before.Limits) != 1 {
		t.Errorf("%+v became %+v", before, after)
	}
	if after := limited.In(corev1.ResourceRequirements{}); SizeOf(after) != limited || after.Requests != nil {
		t.Errorf("a size without a request became %+v", after)
	}
}
