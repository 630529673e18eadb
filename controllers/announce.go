package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/scaling"
)

// longestNote is how many bytes of a note the API server takes in an Event.
const longestNote = 1024

// tellable are the holds that are worth telling, from the one that says most. What passes by itself comes last.
var tellable = append(slices.DeleteFunc(scaling.Refusals(), func(r scaling.Reason) bool {
	return r == scaling.ReasonCooldown
}), scaling.ReasonNoLimit, scaling.ReasonCooldown)

// explanations are what there is to know of the holds that a user can do something about, or should know of.
var explanations = map[scaling.Reason]string{
	scaling.ReasonNoLimit:               "it has no memory limit, so there is nothing to compare its use with",
	scaling.ReasonUnsupportedOwner:      "the Pod has no owner that could roll a new size out, and is not resized in place here",
	scaling.ReasonInPlaceUnavailable:    "the Pod cannot be resized in place without a restart here",
	scaling.ReasonResizeInfeasible:      "the Pod's node, or the API server, will never give it another size in place",
	scaling.ReasonRecoveryFailed:        "it was OOM-killed again after its Pod was given more memory in place, before it could use any",
	scaling.ReasonOverridden:            "somebody else put back the size from before, or gives Pods less than their workload says",
	scaling.ReasonCooldown:              "the workload was changed only a moment ago",
	scaling.ReasonGrowthBudgetExhausted: "it was raised as often as the growth budget allows, and its use never levelled off: a leak",
	scaling.ReasonAtMaximum:             "the limit may not be larger than maxMemory",
	scaling.ReasonAtLimitRange:          "a LimitRange of the namespace allows no more",
	scaling.ReasonQuotaExceeded:         "a ResourceQuota of the namespace leaves no more",
	scaling.ReasonNodeFull:              "the node has no more to give, nor has another one for a new Pod",
	scaling.ReasonRolloutStuck:          "the workload gave up rolling out the larger size",
}

// announce tells of completed changes, and once of each refusal, by Events, logs and metrics.
func (r *AppMonitorReconciler) announce(ctx context.Context, monitor *v1.AppMonitor, page *page, o observation,
	d decided, done outcome,
) {
	now := r.Clock.Now()
	page.account.resume(&monitor.Status)
	held := slices.Concat(d.held, done.refused)
	page.account.note(held, done, now)
	page.needs.note(held, slices.Concat(slices.Concat(done.changes...), done.asked), now)
	count(client.ObjectKeyFromObject(monitor), o, page, d, done, now)
	for _, group := range done.changes {
		r.announceChange(ctx, monitor, page, group)
	}
	r.announceRefusals(monitor, page, held)
	r.announceHints(monitor, page, o, d)
	r.announceStrays(monitor, page, o.strays)
	for _, d := range done.dry {
		if page.news(d.subject().GetUID(), fmt.Sprint("dry run ", d.name, d.Action, d.Reason, d.LimitedBy)) {
			r.event(d.subject(), monitor, corev1.EventTypeNormal, v1.ReasonDryRun, d.Action, "would have "+d.told())
		}
	}
	for _, f := range done.failures {
		logf.FromContext(ctx).Error(f.err, "changing memory failed", "workload", f.Name())
		r.event(f.subject(), monitor, corev1.EventTypeWarning, v1.ReasonChangeFailed, f.Action, oneLine(f.err))
	}
}

// announceChange makes one Event of all that was done in one write for the same reason: Events of the same object and
// reason that follow each other at once are folded into one, which keeps the first one's words.
func (r *AppMonitorReconciler) announceChange(ctx context.Context, monitor *v1.AppMonitor, page *page, group []decision) {
	var reasons []scaling.Reason
	notes := map[scaling.Reason][]string{}
	for _, d := range group {
		withdrawn := d.Action == scaling.Rollback && d.Means != scaling.Rollout
		if withdrawn && !page.news(d.GetUID(), "withdrawn "+d.name+string(d.Reason)) {
			continue
		}
		if notes[d.Reason] == nil {
			reasons = append(reasons, d.Reason)
		}
		notes[d.Reason] = append(notes[d.Reason], d.told())
		logf.FromContext(ctx).Info("changed memory", "action", d.Action, "means", d.Means, "workload", d.Name(), "container", d.name,
			"from", sizeOf(d.from()), "to", sizeOf(d.Target), "used", mebibytes(d.observed.Sample.Bytes), "pod", d.pod.Name,
			"reason", d.Reason, "limitedBy", d.LimitedBy)
		if !withdrawn {
			// What was in the way of a raise may be so again, and is then news again.
			page.forget(d.GetUID())
		}
	}
	for _, reason := range reasons {
		kind := corev1.EventTypeNormal
		if actionOf(group, reason) == scaling.Rollback {
			kind = corev1.EventTypeWarning
		}
		r.event(group[0].subject(), monitor, kind, string(reason), actionOf(group, reason), strings.Join(notes[reason], "; "))
	}
}

func actionOf(group []decision, reason scaling.Reason) scaling.Action {
	i := slices.IndexFunc(group, func(d decision) bool { return d.Reason == reason })
	return group[i].Action
}

// told says what was done, from which size to which, and why.
func (d decision) told() string {
	verb := map[scaling.Action]string{
		scaling.Raise: "raised", scaling.Lower: "lowered", scaling.Rollback: "rolled back",
	}[d.Action]
	if d.Action == scaling.Rollback && d.Means != scaling.Rollout {
		verb = "withdrew the resize of"
	}
	how := map[scaling.Means]string{scaling.InPlace: "in place ", scaling.Restart: "in its Pod, by a restart, "}[d.Means]
	return fmt.Sprintf("%s memory of %s %sfrom %s to %s: %s",
		verb, d.called(), how, sizeOf(d.from()), sizeOf(d.Target), d.because())
}

// announceRefusals tells of each refusal once for each workload, however many replicas it has and however often it
// comes and goes. A cooldown passes by itself.
func (r *AppMonitorReconciler) announceRefusals(monitor *v1.AppMonitor, page *page, held []decision) {
	type subject struct {
		uid    types.UID
		reason scaling.Reason
	}
	containers, objects := map[subject][]string{}, map[subject]client.Object{}
	var order []subject
	for _, d := range held {
		if d.Reason == scaling.ReasonCooldown || !page.news(d.subject().GetUID(), string(d.Reason)+" "+d.name) {
			continue
		}
		s := subject{uid: d.subject().GetUID(), reason: d.Reason}
		if objects[s] == nil {
			order = append(order, s)
		}
		objects[s], containers[s] = d.subject(), append(containers[s], d.called())
	}
	for _, s := range order {
		note := fmt.Sprintf("memory of %s is not raised: %s", strings.Join(containers[s], ", "), explanations[s.reason])
		r.event(objects[s], monitor, corev1.EventTypeWarning, string(s.reason), scaling.Hold, note)
	}
}

// announceHints tells once of each workload what makes raises help less than they should: a heap that does not follow the
// limit, and an autoscaler that follows the same memory use.
func (r *AppMonitorReconciler) announceHints(monitor *v1.AppMonitor, page *page, o observation, d decided) {
	for _, c := range d.changes {
		if c.Action != scaling.Raise || c.heap == "" || !page.hint(c.GetUID(), v1.ReasonFixedHeap+c.name) {
			continue
		}
		r.event(c.subject(), monitor, corev1.EventTypeWarning, v1.ReasonFixedHeap, c.Action, fmt.Sprintf(
			"container %s sets %s, which does not follow its memory limit: more memory helps what is not on that heap only",
			c.name, c.heap))
	}
	for _, c := range o.containers {
		if c.scaler == "" || !page.hint(c.GetUID(), v1.ReasonScaledOnMemory) {
			continue
		}
		r.event(c.subject(), monitor, corev1.EventTypeWarning, v1.ReasonScaledOnMemory, scaling.Hold, fmt.Sprintf(
			"the HorizontalPodAutoscaler %s scales it by its memory use, which each raise makes a smaller part of the request: "+
				"have it scale by something else, or opt the workload out", c.scaler))
	}
}

// announceStrays tells of Pods that opted in to an AppMonitor that does not exist, and are not watched by any.
func (r *AppMonitorReconciler) announceStrays(monitor *v1.AppMonitor, page *page, strays []corev1.Pod) {
	for i := range strays {
		pod := &strays[i]
		name := pod.Annotations[v1.MonitorAnnotation]
		if page.news(pod.UID, v1.ReasonUnknownMonitor) {
			r.event(pod, monitor, corev1.EventTypeWarning, v1.ReasonUnknownMonitor, scaling.Hold,
				fmt.Sprintf("memory is not raised: the annotation %s names the AppMonitor %q, "+
					"which does not exist or does not select the Pod", v1.MonitorAnnotation, name))
		}
	}
}

func (r *AppMonitorReconciler) event(of client.Object, monitor *v1.AppMonitor, kind, reason string, action scaling.Action, note string) {
	r.Recorder.Eventf(of, monitor, kind, reason, string(action), "%s", clip(note, longestNote))
}

// clip shortens a text to what fits, and shows that it did.
func clip(text string, longest int) string {
	const more = "..."
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:longest-len(more)], "") + more
}

func oneLine(err error) string {
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

// sizeOf prints request and limit: 256Mi/384Mi.
func sizeOf(m scaling.Memory) string {
	return resource.NewQuantity(m.Request, resource.BinarySI).String() + "/" +
		resource.NewQuantity(m.Limit, resource.BinarySI).String()
}

// mebibytes prints a live count, which would otherwise be an unreadable number of bytes.
func mebibytes(bytes int64) string {
	return fmt.Sprintf("%dMi", bytes>>20)
}
