package workload

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"
)

// Requests is the memory that a Pod takes of its node, in bytes: what the scheduler counts. While a container is resized
// that is the largest of what it is to have, what it was allocated, and what it has.
func Requests(pod *corev1.Pod) int64 {
	requests := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{UseStatusResources: true})
	return requests.Memory().Value()
}

// RequestedOf is the memory that Pods take of nodes, in bytes, by the nodes' names.
func RequestedOf(pods []corev1.Pod) map[string]int64 {
	requested := map[string]int64{}
	for i := range pods {
		if bytes := Requested(&pods[i]); bytes > 0 {
			requested[pods[i].Spec.NodeName] += bytes
		}
	}
	return requested
}

// Requested is the memory that a Pod takes of its node, in bytes: nothing before it has one and when it is over.
func Requested(pod *corev1.Pod) int64 {
	if pod.Spec.NodeName == "" || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return 0
	}
	return Requests(pod)
}

// podSize is what a Pod takes in all, as quotas count it.
func podSize(pod *corev1.PodSpec) Size {
	of, options := &corev1.Pod{Spec: *pod}, resourcehelper.PodResourcesOptions{}
	requests, limits := resourcehelper.PodRequests(of, options), resourcehelper.PodLimits(of, options)
	return Size{Request: requests.Memory().Value(), Limit: limits.Memory().Value()}
}

// beside is what runs beside the named container: the others, and sidecars among the init containers.
func beside(pod *corev1.PodSpec, container string) Size {
	var sum Size
	add := func(c corev1.Container) {
		size := SizeOf(c.Resources)
		sum = Size{Request: sum.Request + size.Request, Limit: sum.Limit + size.Limit}
	}
	for _, c := range longRunning(without(pod, container)) {
		add(c)
	}
	return sum
}

// without returns the Pod without one of its containers.
func without(pod *corev1.PodSpec, container string) *corev1.PodSpec {
	rest, named := *pod, func(c corev1.Container) bool { return c.Name == container }
	rest.Containers = slices.DeleteFunc(slices.Clone(pod.Containers), named)
	rest.InitContainers = slices.DeleteFunc(slices.Clone(pod.InitContainers), named)
	if container == WholePod {
		rest.Containers, rest.InitContainers, rest.Resources = nil, nil, nil
	}
	return &rest
}

// before returns the Pod as it is before containers beside the named one are given more than the workload's template
// says. Where that states a limit alone, the API server makes the request of it.
func (w *Workload) before(pod *corev1.PodSpec, container string) *corev1.PodSpec {
	now := *pod
	now.Containers, now.InitContainers = slices.Clone(pod.Containers), slices.Clone(pod.InitContainers)
	for _, list := range listsOf(&now) {
		for i, c := range list.containers {
			template, planned := w.Declared(c.Name), SizeOf(c.Resources)
			if c.Name == container || template.Limit == 0 || template.Limit >= planned.Limit {
				continue
			}
			if template.Request == 0 && planned.Request > 0 {
				template.Request = template.Limit
			}
			list.containers[i].Resources = template.In(c.Resources)
		}
	}
	return &now
}
