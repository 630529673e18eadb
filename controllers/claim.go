package controllers

import (
	"context"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// claim is how an AppMonitor stands to the annotated Pods of its namespace.
type claim struct {
	// owned are the running Pods that the AppMonitor owns.
	owned []corev1.Pod
	// rival is the AppMonitor that owns Pods which this one claims too; empty when there is none.
	rival string
	// strays are the Pods that name an AppMonitor which does not exist. Only the oldest AppMonitor is given them, so
	// that one of them tells.
	strays []corev1.Pod
}

func claims(ctx context.Context, reader client.Reader, monitor *v1.AppMonitor) (claim, error) {
	monitors := &v1.AppMonitorList{}
	if err := reader.List(ctx, monitors, client.InNamespace(monitor.Namespace)); err != nil {
		return claim{}, fmt.Errorf("list AppMonitors of namespace %q: %w", monitor.Namespace, err)
	}
	pods, err := annotatedPods(ctx, reader, monitor.Namespace)
	if err != nil {
		return claim{}, err
	}
	oldest := ownerOf(v1.MonitorAny, monitors.Items) == monitor.Name
	var c claim
	for _, pod := range pods {
		value := pod.Annotations[v1.MonitorAnnotation]
		switch owner := ownerOf(value, monitors.Items); {
		case !running(&pod):
		case owner == monitor.Name:
			c.owned = append(c.owned, pod)
		case owner == "" && oldest:
			c.strays = append(c.strays, pod)
		case value == v1.MonitorAny:
			c.rival = owner
		}
	}
	return c, nil
}

// ownerOf returns the name of the AppMonitor that owns a Pod with the annotation's value: the one it names, else, for
// "true", the namespace's oldest; empty when there is none.
func ownerOf(value string, monitors []v1.AppMonitor) string {
	var oldest *v1.AppMonitor
	for i := range monitors {
		m := &monitors[i]
		switch {
		case m.DeletionTimestamp != nil:
		case m.Name == value:
			return m.Name
		case oldest == nil || older(m, oldest):
			oldest = m
		}
	}
	if value != v1.MonitorAny || oldest == nil {
		return ""
	}
	return oldest.Name
}

// older orders by creation, and by name what was created in the same second.
func older(a, b *v1.AppMonitor) bool {
	if a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.Name < b.Name
	}
	return a.CreationTimestamp.Before(&b.CreationTimestamp)
}

// running leaves out Pods that have no memory use to speak of, or will be gone in a moment.
func running(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil
}

// paused is true for an object on which the user stopped all action. The value is read as operator-lib reads it.
func paused(o client.Object) bool {
	stop, err := strconv.ParseBool(o.GetAnnotations()[v1.PausedAnnotation])
	return err == nil && stop
}
