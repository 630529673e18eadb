package workload

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// oomKilled is the kubelet's reason for the end of a container that the kernel killed for want of memory.
const oomKilled = "OOMKilled"

// statusesOf are those that tell of a container: of a whole Pod, all.
func statusesOf(pod *corev1.Pod, name string) []corev1.ContainerStatus {
	if name == WholePod {
		return Statuses(pod)
	}
	if s := StatusOf(pod, name); s != nil {
		return []corev1.ContainerStatus{*s}
	}
	return nil
}

// StartOf returns when the container started, by its node's clock; zero when it does not run. A whole Pod started when the
// last of its containers did.
func StartOf(pod *corev1.Pod, name string) time.Time {
	var at time.Time
	for _, s := range statusesOf(pod, name) {
		if s.State.Running != nil && s.State.Running.StartedAt.After(at) {
			at = s.State.Running.StartedAt.Time
		}
	}
	return at
}

// OOMKilledAt returns when the kernel last killed the container for want of memory, as far as its Pod remembers.
func OOMKilledAt(pod *corev1.Pod, name string) time.Time {
	var at time.Time
	for _, s := range statusesOf(pod, name) {
		for _, end := range []*corev1.ContainerStateTerminated{s.LastTerminationState.Terminated, s.State.Terminated} {
			if end != nil && end.Reason == oomKilled && end.FinishedAt.After(at) {
				at = end.FinishedAt.Time
			}
		}
	}
	return at
}
