package controllers

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/usage"
)

// report writes the status, when it says anything new.
func (r *AppMonitorReconciler) report(ctx context.Context, monitor *v1.AppMonitor, o observation, done outcome) error {
	before := monitor.DeepCopy()
	status := &monitor.Status
	status.ObservedGeneration = monitor.Generation
	status.Pods = int32(len(o.pods)) //nolint:gosec // a namespace holds fewer Pods than an int32 can count
	status.Raised = int32(o.raised)  //nolint:gosec // likewise
	if n := len(done.raises); n > 0 {
		status.LastRaise = r.raiseOf(done.raises[n-1])
	}
	for _, c := range conditions(monitor, o, done) {
		c.ObservedGeneration = monitor.Generation
		c.LastTransitionTime = metav1.NewTime(r.Clock.Now())
		meta.SetStatusCondition(&status.Conditions, c)
	}
	if equality.Semantic.DeepEqual(before.Status, monitor.Status) {
		return nil
	}
	if err := r.Client.Status().Patch(ctx, monitor, client.MergeFrom(before)); err != nil {
		return fmt.Errorf("write status of AppMonitor %q: %w", client.ObjectKeyFromObject(monitor), err)
	}
	return nil
}

func (r *AppMonitorReconciler) raiseOf(d decision) *v1.Raise {
	return &v1.Raise{
		Time:      metav1.NewTime(r.Clock.Now()),
		Workload:  "Deployment/" + d.deployment.Name,
		Container: d.name,
		Reason:    string(d.Reason),
		From:      memorySize(d.observed.Size),
		To:        memorySize(d.Target),
	}
}

func memorySize(m scaling.Memory) v1.MemorySize {
	size := v1.MemorySize{Limit: *resource.NewQuantity(m.Limit, resource.BinarySI)}
	if m.Request > 0 {
		size.Request = resource.NewQuantity(m.Request, resource.BinarySI)
	}
	return size
}

// conditions says how the AppMonitor stands. Nothing in it changes while the world stays as it is.
func conditions(monitor *v1.AppMonitor, o observation, done outcome) []metav1.Condition {
	all := []metav1.Condition{ready(monitor, o, done), conflicted(o)}
	// Without Pods there is nothing to read, and the last word on the source stands.
	known := meta.FindStatusCondition(monitor.Status.Conditions, v1.ConditionMetricsAvailable) != nil
	if o.source != usage.NotRead || !known {
		all = append(all, metricsAvailable(o))
	}
	return all
}

func ready(monitor *v1.AppMonitor, o observation, done outcome) metav1.Condition {
	c := metav1.Condition{Type: v1.ConditionReady, Status: metav1.ConditionFalse}
	switch err := done.err(); {
	case paused(monitor):
		c.Reason = v1.ReasonPaused
		c.Message = fmt.Sprintf("the annotation %s stops all action", v1.PausedAnnotation)
	case err != nil:
		c.Reason, c.Message = v1.ReasonRaiseFailed, oneLine(err)
	case o.source == usage.Unavailable:
		c.Reason, c.Message = v1.ReasonSourceUnavailable, o.failure
	default:
		c.Status, c.Reason = metav1.ConditionTrue, v1.ReasonWatching
		c.Message = "annotated Pods are watched"
	}
	return c
}

func metricsAvailable(o observation) metav1.Condition {
	c := metav1.Condition{Type: v1.ConditionMetricsAvailable}
	switch o.source {
	case usage.Available:
		c.Status, c.Reason = metav1.ConditionTrue, v1.ReasonSourceRead
		c.Message = "the memory use of the Pods can be read"
	case usage.Unavailable:
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, v1.ReasonSourceUnavailable, o.failure
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
