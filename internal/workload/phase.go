package workload

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Running leaves out Pods that have no memory use to speak of, or will be gone in a moment.
func Running(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil
}

// Ready is true for a Pod that says so.
func Ready(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// Pending is true for a Pod that waits to run.
func Pending(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodPending && pod.DeletionTimestamp == nil
}
