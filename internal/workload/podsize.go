package workload

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"
)

// Requests is the memory that a Pod takes of its node, in bytes: what the scheduler counts.
func Requests(pod *corev1.Pod) int64 {
	requests := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
	return requests.Memory().Value()
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
	for _, c := range without(pod, container).Containers {
		add(c)
	}
	for _, c := range pod.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			add(c)
		}
	}
	return sum
}

// without returns the Pod without one of its containers.
func without(pod *corev1.PodSpec, container string) *corev1.PodSpec {
	rest := *pod
	rest.Containers = slices.DeleteFunc(slices.Clone(pod.Containers), func(c corev1.Container) bool { return c.Name == container })
	return &rest
}

// present returns the Pod as it is before containers beside the named one are given more than the Deployment's template
// says. Where that states a limit alone, the API server makes the request of it.
func present(d *appsv1.Deployment, pod *corev1.PodSpec, container string) *corev1.PodSpec {
	now := *pod
	now.Containers = slices.Clone(pod.Containers)
	for i, c := range now.Containers {
		template, planned := SizeOf(templateOf(d, c.Name).Resources), SizeOf(c.Resources)
		if c.Name == container || template.Limit == 0 || template.Limit >= planned.Limit {
			continue
		}
		if template.Request == 0 && planned.Request > 0 {
			template.Request = template.Limit
		}
		now.Containers[i].Resources = template.In(c.Resources)
	}
	return &now
}
