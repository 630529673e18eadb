package controllers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/policies"
	"github.com/kubedemo/memhog-operator/internal/usage"
)

// conditions says how the AppMonitor stands. Nothing in it changes while the world stays as it is.
func conditions(monitor *v1.AppMonitor, o observation, page *page, now time.Time) []metav1.Condition {
	all := []metav1.Condition{ready(monitor, o, page.refused(now)), conflicted(o), page.needs.constrained()}
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
	case policies.Paused(monitor):
		c.Reason = v1.ReasonPaused
		c.Message = fmt.Sprintf("the annotation %s stops all action", v1.PausedAnnotation)
	case o.misread != "":
		c.Reason, c.Message = v1.ReasonInvalidSelector, o.misread
	case len(refused) > 0:
		c.Reason, c.Message = v1.ReasonChangeFailed, failures(refused)
	case o.source == usage.Unavailable:
		c.Reason, c.Message = v1.ReasonSourceUnavailable, o.failure
	case monitor.Spec.ModeOrDefault() == v1.ModeDryRun:
		c.Status, c.Reason = metav1.ConditionTrue, v1.ReasonDryRun
		c.Message = "annotated Pods are watched, and nothing is changed"
	default:
		c.Status, c.Reason = metav1.ConditionTrue, v1.ReasonWatching
		c.Message = "annotated Pods are watched"
	}
	return c
}

// failures names a few of the changes that were refused: of many Pods each may be.
func failures(refused []*refusal) string {
	texts := firstFew(refused, func(r *refusal) string { return oneLine(r.err) })
	return strings.Join(texts, "; ")
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
	if scaled := o.scaledOnMemory(); o.rival == "" && scaled != "" {
		return metav1.Condition{
			Type: v1.ConditionConflicted, Status: metav1.ConditionTrue, Reason: v1.ReasonScaledOnMemory, Message: scaled,
		}
	}
	if o.rival == "" {
		return metav1.Condition{
			Type: v1.ConditionConflicted, Status: metav1.ConditionFalse, Reason: v1.ReasonNoConflict,
			Message: "no other AppMonitor owns the Pods that this one claims",
		}
	}
	return metav1.Condition{
		Type: v1.ConditionConflicted, Status: metav1.ConditionTrue, Reason: v1.ReasonClaimedByOther,
		Message: fmt.Sprintf("Pods annotated %s: %q belong to the older AppMonitor %q; "+
			"name this one in a Pod's annotation to own it, or set spec.selector",
			v1.MonitorAnnotation, v1.MonitorAny, o.rival),
	}
}

// scaledOnMemory names the workloads that a HorizontalPodAutoscaler scales by their memory use; empty when there are none.
func (o observation) scaledOnMemory() string {
	named := map[string]string{}
	for _, c := range o.containers {
		if c.scaler != "" {
			named[c.Name()] = c.scaler
		}
	}
	if len(named) == 0 {
		return ""
	}
	texts := firstFew(slices.Sorted(maps.Keys(named)), func(name string) string {
		return fmt.Sprintf("%s by HorizontalPodAutoscaler %s", name, named[name])
	})
	return "each raise makes use a smaller part of the request, by which replicas are scaled: " + strings.Join(texts, ", ")
}
