package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// claim is how an AppMonitor stands to the annotated Pods of its namespace.
type claim struct {
	// owned are the running Pods that the AppMonitor owns.
	owned []corev1.Pod
	// rival is the AppMonitor that owns Pods which this one claims too; empty when there is none.
	rival string
	// strays are the Pods that name an AppMonitor which does not exist, or does not select them. Only the oldest
	// AppMonitor is given them, so that one of them tells.
	strays []corev1.Pod
	// misread says why the AppMonitor's own selector cannot be understood; empty when it can.
	misread string
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
	selectors := make([]candidate, 0, len(monitors.Items))
	var c claim
	for i := range monitors.Items {
		m := &monitors.Items[i]
		selects, err := selectorOf(m)
		if err != nil && m.Name == monitor.Name {
			c.misread = err.Error()
		}
		if m.DeletionTimestamp == nil {
			selectors = append(selectors, candidate{AppMonitor: m, selects: selects})
		}
	}
	slices.SortFunc(selectors, older)
	tells := len(selectors) > 0 && selectors[0].Name == monitor.Name
	for _, pod := range pods {
		value := pod.Annotations[v1.MonitorAnnotation]
		switch owner := ownerOf(&pod, selectors); {
		case !running(&pod):
		case owner == monitor.Name:
			c.owned = append(c.owned, pod)
		case owner == "" && value != v1.MonitorAny && tells:
			c.strays = append(c.strays, pod)
		case value == v1.MonitorAny && claimedBy(&pod, monitor.Name, selectors):
			c.rival = owner
		}
	}
	return c, nil
}

// candidate is an AppMonitor that may own Pods.
type candidate struct {
	*v1.AppMonitor
	selects labels.Selector
}

// selectorOf returns what an AppMonitor selects: everything when it says nothing, nothing when it cannot be understood.
func selectorOf(m *v1.AppMonitor) (labels.Selector, error) {
	if m.Spec.Selector == nil {
		return labels.Everything(), nil
	}
	selects, err := metav1.LabelSelectorAsSelector(m.Spec.Selector)
	if err != nil {
		return labels.Nothing(), fmt.Errorf("spec.selector: %w", err)
	}
	return selects, nil
}

// ownerOf returns the name of the AppMonitor that owns a Pod: the one that its annotation names, else, for "true", the
// first of those that select it; empty when there is none.
func ownerOf(pod *corev1.Pod, oldestFirst []candidate) string {
	value := pod.Annotations[v1.MonitorAnnotation]
	var oldest string
	for _, c := range oldestFirst {
		switch {
		case !c.selects.Matches(labels.Set(pod.Labels)):
		case c.Name == value:
			return c.Name
		case oldest == "":
			oldest = c.Name
		}
	}
	if value != v1.MonitorAny {
		return ""
	}
	return oldest
}

// claimedBy is true when the AppMonitor of the name would own the Pod if it were the only one.
func claimedBy(pod *corev1.Pod, name string, candidates []candidate) bool {
	return slices.ContainsFunc(candidates, func(c candidate) bool {
		return c.Name == name && c.selects.Matches(labels.Set(pod.Labels))
	})
}

// older orders by creation, and by name what was created in the same second.
func older(a, b candidate) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
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
