package policies

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// Annotated is true for a Pod that opted in.
func Annotated(o client.Object) bool {
	value := o.GetAnnotations()[v1.MonitorAnnotation]
	return value != "" && value != "false"
}

// Paused is true for an object on which the user stopped all action. The value is read as operator-lib reads it.
func Paused(o client.Object) bool {
	stop, err := strconv.ParseBool(o.GetAnnotations()[v1.PausedAnnotation])
	return err == nil && stop
}

// Candidates returns the AppMonitors that may own Pods, oldest first, and why the selectors of some cannot be understood.
func Candidates(monitors []v1.AppMonitor) ([]Candidate, map[string]string) {
	candidates, misread := make([]Candidate, 0, len(monitors)), map[string]string{}
	for i := range monitors {
		m := &monitors[i]
		selects, err := selectorOf(m)
		if err != nil {
			misread[m.Name] = err.Error()
		}
		if m.DeletionTimestamp == nil {
			candidates = append(candidates, Candidate{AppMonitor: m, selects: selects})
		}
	}
	slices.SortFunc(candidates, older)
	return candidates, misread
}

// Candidate is an AppMonitor that may own Pods.
type Candidate struct {
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

// OwnerOf returns the name of the AppMonitor that owns a Pod: the one that its annotation names, else, for "true", the
// first of those that select it; empty when there is none.
func OwnerOf(pod *corev1.Pod, oldestFirst []Candidate) string {
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

// MonitorOf returns the AppMonitor that owns a Pod; nil when none does.
func MonitorOf(pod *corev1.Pod, oldestFirst []Candidate) *v1.AppMonitor {
	name := OwnerOf(pod, oldestFirst)
	i := slices.IndexFunc(oldestFirst, func(c Candidate) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return oldestFirst[i].AppMonitor
}

// ResizesInPlace is true for an AppMonitor that lets Pods be resized in place.
func ResizesInPlace(m *v1.AppMonitor) bool {
	return m.Spec.ModeOrDefault() != v1.ModeDryRun && m.Spec.StrategyOrDefault() != v1.StrategyRollout
}

// ClaimedBy is true when the AppMonitor of the name would own the Pod if it were the only one.
func ClaimedBy(pod *corev1.Pod, name string, candidates []Candidate) bool {
	return slices.ContainsFunc(candidates, func(c Candidate) bool {
		return c.Name == name && c.selects.Matches(labels.Set(pod.Labels))
	})
}

// older orders by creation, and by name what was created in the same second.
func older(a, b Candidate) int {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
}
