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
	// owned are the running Pods that the AppMonitor owns, and pending those that wait to run, by name.
	owned, pending []corev1.Pod
	// rival is the oldest AppMonitor that owns Pods which this one claims too; empty when there is none.
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
	candidates, misread := candidatesOf(monitors.Items)
	c := claim{misread: misread[monitor.Name]}
	tells := len(candidates) > 0 && candidates[0].Name == monitor.Name
	rivals := map[string]bool{}
	// The cache gives them in any order, which must not decide anything.
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	for _, pod := range pods {
		value := pod.Annotations[v1.MonitorAnnotation]
		switch owner := ownerOf(&pod, candidates); {
		case owner == monitor.Name && running(&pod):
			c.owned = append(c.owned, pod)
		case owner == monitor.Name && pending(&pod):
			c.pending = append(c.pending, pod)
		case !running(&pod):
		case owner == "" && value != v1.MonitorAny && tells:
			c.strays = append(c.strays, pod)
		case value == v1.MonitorAny && claimedBy(&pod, monitor.Name, candidates):
			rivals[owner] = true
		}
	}
	if i := slices.IndexFunc(candidates, func(m candidate) bool { return rivals[m.Name] }); i >= 0 {
		c.rival = candidates[i].Name
	}
	return c, nil
}

// candidatesOf returns the AppMonitors that may own Pods, oldest first, and why the selectors of some cannot be understood.
func candidatesOf(monitors []v1.AppMonitor) ([]candidate, map[string]string) {
	candidates, misread := make([]candidate, 0, len(monitors)), map[string]string{}
	for i := range monitors {
		m := &monitors[i]
		selects, err := selectorOf(m)
		if err != nil {
			misread[m.Name] = err.Error()
		}
		if m.DeletionTimestamp == nil {
			candidates = append(candidates, candidate{AppMonitor: m, selects: selects})
		}
	}
	slices.SortFunc(candidates, older)
	return candidates, misread
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

// pending is true for a Pod that waits to run.
func pending(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodPending && pod.DeletionTimestamp == nil
}

// paused is true for an object on which the user stopped all action. The value is read as operator-lib reads it.
func paused(o client.Object) bool {
	stop, err := strconv.ParseBool(o.GetAnnotations()[v1.PausedAnnotation])
	return err == nil && stop
}

// serves is true for a Pod that is ready.
func serves(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
