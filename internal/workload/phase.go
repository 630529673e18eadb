package workload

import corev1 "k8s.io/api/core/v1"

// Running leaves out Pods that have no memory use to speak of, or will be gone in a moment.
func Running(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil
}

// Pending is true for a Pod that waits to run.
func Pending(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodPending && pod.DeletionTimestamp == nil
}
