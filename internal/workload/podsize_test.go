package workload

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAPodRequestsWhatTheSchedulerCounts(t *testing.T) {
	p := pod()
	p.Spec.Containers = []corev1.Container{sized("a", "100Mi", ""), sized("b", "", "50Mi")}
	p.Spec.InitContainers = []corev1.Container{sidecar("s", "10Mi", ""), sized("first", "300Mi", "")}
	p.Spec.Overhead = memoryOf("5Mi")
	if got := Requests(p); got != 315*mebibyte {
		t.Errorf("it requests %d, want 315Mi: the first init container, beside the sidecar, and the overhead", got)
	}
}

func TestAQuotaCountsAllOfAPod(t *testing.T) {
	sidecar := sidecar("sidecar", "100Mi", "200Mi")
	first := sized("first", "1Gi", "1Gi")
	memhog, other := sized("memhog", "256Mi", "384Mi"), sized("other", "100Mi", "200Mi")
	larger := sized("other", "200Mi", "400Mi") // it is about to be given that
	for _, tt := range []struct {
		reason     string
		pod        corev1.PodSpec
		template   []corev1.Container
		recreate   bool
		hard, used string // of requests and of limits
		want       Size
	}{
		{
			reason: "a sidecar among the init containers: 356Mi are used, and 356Mi more go to the surge",
			pod:    corev1.PodSpec{Containers: []corev1.Container{memhog}, InitContainers: []corev1.Container{sidecar}},
			hard:   "800Mi", used: "356Mi", want: Size{Request: 344 * mebibyte, Limit: 244 * mebibyte},
		},
		{
			reason: "what an init container had first the others may have later",
			pod:    corev1.PodSpec{Containers: []corev1.Container{memhog}, InitContainers: []corev1.Container{first}},
			hard:   "2Gi", used: "1Gi", want: Size{Request: 1024 * mebibyte, Limit: 1024 * mebibyte},
		},
		{
			reason: "the overhead of its runtime",
			pod:    corev1.PodSpec{Containers: []corev1.Container{memhog}, Overhead: memoryOf("100Mi")},
			hard:   "800Mi", used: "356Mi", want: Size{Request: 344 * mebibyte, Limit: 344 * mebibyte},
		},
		{
			reason: "a container that is going to be given more, beside the old Pod: 444Mi are left for the new one",
			pod:    corev1.PodSpec{Containers: []corev1.Container{memhog, larger}}, template: []corev1.Container{memhog, other},
			hard: "800Mi", used: "356Mi", want: Size{Request: 244 * mebibyte, Limit: 44 * mebibyte},
		},
		{
			reason: "a container that is going to be given more, after the old Pod: 700Mi are left for the new one",
			pod:    corev1.PodSpec{Containers: []corev1.Container{memhog, larger}}, template: []corev1.Container{memhog, other},
			recreate: true, hard: "700Mi", used: "356Mi", want: Size{Request: 500 * mebibyte, Limit: 528 * mebibyte},
		},
		{
			reason:   "the same where the template states a limit alone: 456Mi are in use, and 700Mi are there for the new Pod",
			pod:      corev1.PodSpec{Containers: []corev1.Container{memhog, sized("other", "400Mi", "400Mi")}},
			template: []corev1.Container{memhog, sized("other", "", "200Mi")},
			recreate: true, hard: "700Mi", used: "456Mi", want: Size{Request: 300 * mebibyte, Limit: 428 * mebibyte},
		},
		{
			reason: "a container of which the template says nothing has what a LimitRange gave it",
			pod:    corev1.PodSpec{Containers: []corev1.Container{memhog, other}}, recreate: true,
			template: []corev1.Container{memhog, sized("other", "", "")},
			hard:     "700Mi", used: "356Mi", want: Size{Request: 600 * mebibyte, Limit: 728 * mebibyte},
		},
		{
			reason:   "a container that requests nothing, and says so",
			pod:      corev1.PodSpec{Containers: []corev1.Container{memhog, sized("other", "0", "400Mi")}},
			template: []corev1.Container{memhog, sized("other", "0", "200Mi")},
			recreate: true, hard: "700Mi", used: "456Mi", want: Size{Request: 500 * mebibyte, Limit: 428 * mebibyte},
		},
		{
			reason: "the container itself has what its Pod says: 100Mi more",
			pod:    corev1.PodSpec{Containers: []corev1.Container{memhog}}, recreate: true,
			template: []corev1.Container{sized("memhog", "128Mi", "192Mi")},
			hard:     "800Mi", used: "700Mi", want: Size{Request: 356 * mebibyte, Limit: 484 * mebibyte},
		},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			d := deployment(tt.template...)
			if tt.recreate {
				d.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType
			}
			q := corev1.ResourceQuota{Status: corev1.ResourceQuotaStatus{
				Hard: corev1.ResourceList{
					corev1.ResourceRequestsMemory: resource.MustParse(tt.hard), corev1.ResourceLimitsMemory: resource.MustParse(tt.hard),
				},
				Used: corev1.ResourceList{
					corev1.ResourceRequestsMemory: resource.MustParse(tt.used), corev1.ResourceLimitsMemory: resource.MustParse(tt.used),
				},
			}}
			if diff := cmp.Diff(tt.want, of(d).QuotaBound([]corev1.ResourceQuota{q}, &tt.pod, "memhog")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
			}
		})
	}
}

func TestANodeMustHaveRoomForAllOfAPod(t *testing.T) {
	const free = 1000 * mebibyte
	memhog, other := sized("memhog", "256Mi", "384Mi"), sized("other", "100Mi", "200Mi")
	sidecar := sidecar("sidecar", "50Mi", "")
	for _, tt := range []struct {
		reason   string
		pod      corev1.PodSpec
		template []corev1.Container
		recreate bool
		want     int64 // Mi
	}{
		{"one container", corev1.PodSpec{Containers: []corev1.Container{memhog}}, nil, false, 1000},
		{"an init container's memory is free again when the others start", corev1.PodSpec{
			Containers: []corev1.Container{memhog, other}, InitContainers: []corev1.Container{sized("first", "800Mi", "")},
		}, nil, false, 900},
		{"an init container just fits", corev1.PodSpec{
			Containers: []corev1.Container{memhog, other}, InitContainers: []corev1.Container{sized("first", "1000Mi", "")},
		}, nil, false, 900},
		{"a sidecar among the init containers, and overhead", corev1.PodSpec{
			Containers: []corev1.Container{memhog}, InitContainers: []corev1.Container{sidecar}, Overhead: memoryOf("10Mi"),
		}, nil, false, 940},
		{"the Pod goes first: what leaves is what its containers have, not what they are going to be given", corev1.PodSpec{
			Containers: []corev1.Container{memhog, sized("other", "200Mi", "400Mi")},
		}, []corev1.Container{memhog, other}, true, 1156},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "here"}}
			n.Status.Allocatable = memoryOf("2000Mi")
			n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
			d, p := deployment(tt.template...), pod()
			if tt.recreate {
				d.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType
			}
			p.Spec = tt.pod
			p.Spec.NodeName = "here"
			got := of(d).NodeBound([]corev1.Node{n}, map[string]int64{"here": 2000*mebibyte - free}, p, "memhog")
			if got != tt.want*mebibyte {
				t.Errorf("%s: want %dMi, got %dMi", tt.reason, tt.want, got/mebibyte)
			}
		})
	}
}
