package controllers

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/usage"
)

// longestMessage is how many bytes of a message the API server takes in a condition.
const longestMessage = 32 << 10

// report writes the status, when it says anything new.
func (r *AppMonitorReconciler) report(ctx context.Context, monitor *v1.AppMonitor, page *page, o observation) error {
	before := monitor.DeepCopy()
	now := r.Clock.Now()
	status := &monitor.Status
	status.ObservedGeneration = monitor.Generation
	status.Pods = int32(len(o.owned)) //nolint:gosec // a namespace holds fewer Pods than an int32 can count
	status.Raised = int32(o.raised)   //nolint:gosec // likewise
	if page.unwritten != nil {
		status.LastRaise = page.unwritten
	}
	for _, c := range conditions(monitor, o, page.refused(now)) {
		c.Message = clip(c.Message, longestMessage)
		c.ObservedGeneration = monitor.Generation
		c.LastTransitionTime = metav1.NewTime(now)
		meta.SetStatusCondition(&status.Conditions, c)
	}
	if !equality.Semantic.DeepEqual(before.Status, monitor.Status) {
		err := r.Client.Status().Patch(ctx, monitor, client.MergeFrom(before))
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("write status of AppMonitor %q: %w", client.ObjectKeyFromObject(monitor), err)
		}
	}
	page.unwritten = nil
	return nil
}

func memorySize(m scaling.Memory) v1.MemorySize {
	size := v1.MemorySize{Limit: *resource.NewQuantity(m.Limit, resource.BinarySI)}
	if m.Request > 0 {
		size.Request = resource.NewQuantity(m.Request, resource.BinarySI)
	}
	return size
}

// conditions says how the AppMonitor stands. Nothing in it changes while the world stays as it is.
func conditions(monitor *v1.AppMonitor, o observation, refused []*refusal) []metav1.Condition {
	all := []metav1.Condition{ready(monitor, o, refused), conflicted(o)}
	// Without Pods there is nothing to read, and the last word on the source stands.
	known := meta.FindStatusCondition(monitor.Status.Conditions, v1.ConditionMetricsAvailable) != nil
	if o.source != usage.NotRead || !known {
		all = append(all, metricsAvailable(o))
	}
	return all
}

func ready(monitor *v1.AppMonitor, o observation, refused []*refusal) metav1.Condition {
	c := metav1.Condition{Type: v1.ConditionReady, Status: metav1.ConditionFalse}
	switch {
	case paused(monitor):
		c.Reason = v1.ReasonPaused
		c.Message = fmt.Sprintf("the annotation %s stops all action", v1.PausedAnnotation)
	case len(refused) > 0:
		texts := make([]string, 0, len(refused))
		for _, r := range refused {
			texts = append(texts, oneLine(r.err))
		}
		c.Reason, c.Message = v1.ReasonRaiseFailed, strings.Join(texts, "; ")
	case o.source == usage.Unavailable:
		c.Reason, c.Message = v1.ReasonSourceUnavailable, o.failure
	default:
		c.Status, c.Reason = metav1.ConditionTrue, v1.ReasonWatching
		c.Message = "annotated Pods are watched"
	}
	return c
}

func metricsAvailable(o observation) metav1.Condition {
	c := metav1.Condition{Type: v1.ConditionMetricsAvailable, Status: metav1.ConditionFalse}
	switch {
	case o.source == usage.Unavailable, o.source == usage.Partial:
		c.Reason, c.Message = v1.ReasonSourceUnavailable, o.failure
	case o.source == usage.Available && o.unread:
		c.Reason = v1.ReasonStaleSample
		c.Message = "the source answers, but has no recent sample of some containers: does it know them, and do the nodes' clocks agree?"
	case o.source == usage.Available:
		c.Status, c.Reason = metav1.ConditionTrue, v1.ReasonSourceRead
		c.Message = "the memory use of the Pods can be read"
	default:
		c.Status, c.Reason = metav1.ConditionUnknown, v1.ReasonSourceNotRead
		c.Message = "no Pod's memory use has been read yet"
	}
	return c
}

func conflicted(o observation) metav1.Condition {
	if o.rival == "" {
		return metav1.Condition{
			Type: v1.ConditionConflicted, Status: metav1.ConditionFalse, Reason: v1.ReasonNoConflict,
			Message: "no other AppMonitor owns the Pods that this one claims",
		}
	}
	return metav1.Condition{
		Type: v1.ConditionConflicted, Status: metav1.ConditionTrue, Reason: v1.ReasonClaimedByOther,
		Message: fmt.Sprintf("Pods annotated %s: %q belong to the older AppMonitor %q; name this one in a Pod's annotation to own it",
			v1.MonitorAnnotation, v1.MonitorAny, o.rival),
	}
}
