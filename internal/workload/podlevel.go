package workload

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// WholePod is the name under which a Pod is looked at as one container: where a memory limit holds for all of its containers
// together (pod-level resources, KEP-2837), and some have none of their own. No container can have such a name.
const WholePod = "(pod)"

// wholePod returns the Pod as one container; false where every container has a limit of its own.
func wholePod(pod *corev1.PodSpec) (corev1.Container, bool) {
	if !limitsWhole(pod) || !slices.ContainsFunc(longRunning(pod), func(c corev1.Container) bool { return !hasLimit(c) }) {
		return corev1.Container{}, false
	}
	return corev1.Container{Name: WholePod, Resources: *pod.Resources}, true
}

// limitsWhole is true for a Pod with a memory limit for all of its containers together.
func limitsWhole(pod *corev1.PodSpec) bool {
	return pod.Resources != nil && SizeOf(*pod.Resources).Limit > 0
}

func hasLimit(c corev1.Container) bool { return SizeOf(c.Resources).Limit > 0 }

// WholeAfter returns what a Pod as a whole needs for containers of it to have other sizes: as much more as they get, or what
// it is to have itself, if that is more. It is false where nothing limits the whole.
//
// A Pod of 512Mi/768Mi, a container of which goes from 128Mi/192Mi to 256Mi/384Mi: 640Mi/960Mi.
func WholeAfter(pod *corev1.PodSpec, sizes map[string]Size) (Size, bool) {
	if !limitsWhole(pod) {
		return Size{}, false
	}
	before := SizeOf(*pod.Resources)
	after := before
	for _, list := range listsOf(pod) {
		for _, c := range list.containers {
			if size, changed := sizes[c.Name]; changed && hasLimit(c) {
				has := SizeOf(c.Resources)
				after = Size{Request: after.Request + size.Request - has.Request, Limit: after.Limit + size.Limit - has.Limit}
			}
		}
	}
	if whole, asked := sizes[WholePod]; asked && (whole.Limit > after.Limit || whole.Limit < before.Limit) {
		after = whole
	}
	const mebibyte = 1 << 20
	switch {
	case before.Request == 0:
		after.Request = 0
	case before.Request == before.Limit:
		after.Request = after.Limit
	case after.Request >= after.Limit:
		after.Request = max(before.Request, after.Limit-mebibyte) // or the class of service would change
	}
	return after, after != before
}
