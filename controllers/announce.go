package controllers

import (
	"context"
	"fmt"
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

// refusals are the holds that a user can do something about, and what there is to know of them.
var refusals = map[scaling.Reason]string{
	scaling.ReasonNoLimit:          "no memory limit, so there is nothing to compare its use with",
	scaling.ReasonUnsupportedOwner: "no Deployment owns the Pod, so no new size can be rolled out",
	scaling.ReasonAtMaximum:        "the limit is already as large as a quantity can be",
	scaling.ReasonRolloutStuck:     "the Deployment has given up rolling out the larger size that its template has",
}

// announce tells of completed changes, and once of each refusal, by Events, logs and metrics.
func (r *AppMonitorReconciler) announce(ctx context.Context, monitor *v1.AppMonitor, page *page, o observation,
	decisions []decision, done outcome,
) {
	key := client.ObjectKeyFromObject(monitor)
	countDecisions(key, o, decisions)
	countOutcome(key, done)
	r.announceRefusals(monitor, page, decisions)
	r.announceStrays(monitor, page, o.strays)
	page.keepOnly(present(o, decisions))
	for _, group := range done.raises {
		r.announceRaise(ctx, monitor, group)
	}
	for _, f := range done.failures {
		logf.FromContext(ctx).Error(f.err, "raising memory failed", "deployment", f.deployment.Name)
		r.event(f.deployment, monitor, corev1.EventTypeWarning, v1.ReasonRaiseFailed, scaling.Raise, oneLine(f.err))
	}
}

// announceRaise makes one Event of all that was raised in one write: Events of the same object and reason that follow
// each other at once are folded into one, which keeps the first one's words.
func (r *AppMonitorReconciler) announceRaise(ctx context.Context, monitor *v1.AppMonitor, group []decision) {
	notes := make([]string, 0, len(group))
	for _, d := range group {
		used := mebibytes(d.observed.Sample.Bytes)
		notes = append(notes, fmt.Sprintf("container %s from %s to %s: %s of Pod %s in use, at or above %v%% of the limit",
			d.name, sizeOf(d.observed.Size), sizeOf(d.Target), used, d.pod.Name, monitor.Spec.MemThresholdPercent))
		logf.FromContext(ctx).Info("raised memory", "deployment", d.deployment.Name, "container", d.name,
			"from", sizeOf(d.observed.Size), "to", sizeOf(d.Target), "used", used, "pod", d.pod.Name, "reason", d.Reason)
	}
	r.event(group[0].deployment, monitor, corev1.EventTypeNormal, string(group[0].Reason), scaling.Raise,
		"raised memory of "+strings.Join(notes, "; "))
}

// announceRefusals tells of each refusal once for each workload, however many replicas it has and however often it
// comes and goes.
func (r *AppMonitorReconciler) announceRefusals(monitor *v1.AppMonitor, page *page, decisions []decision) {
	type subject struct {
		uid    types.UID
		reason scaling.Reason
	}
	containers, objects := map[subject][]string{}, map[subject]client.Object{}
	var order []subject
	for _, d := range decisions {
		if _, ok := refusals[d.Reason]; !ok || !page.news(d.subject().GetUID(), string(d.Reason)+" "+d.name) {
			continue
		}
		s := subject{uid: d.subject().GetUID(), reason: d.Reason}
		if objects[s] == nil {
			order = append(order, s)
		}
		objects[s], containers[s] = d.subject(), append(containers[s], d.name)
	}
	for _, s := range order {
		note := fmt.Sprintf("memory of container %s is not raised: %s", strings.Join(containers[s], ", "), refusals[s.reason])
		r.event(objects[s], monitor, corev1.EventTypeWarning, string(s.reason), scaling.Hold, note)
	}
}

// announceStrays tells of Pods that opted in to an AppMonitor that does not exist, and are not watched by any.
func (r *AppMonitorReconciler) announceStrays(monitor *v1.AppMonitor, page *page, strays []corev1.Pod) {
	for i := range strays {
		pod := &strays[i]
		name := pod.Annotations[v1.MonitorAnnotation]
		if page.news(pod.UID, v1.ReasonUnknownMonitor) {
			r.event(pod, monitor, corev1.EventTypeWarning, v1.ReasonUnknownMonitor, scaling.Hold,
				fmt.Sprintf("memory is not raised: the annotation %s names the AppMonitor %q, which does not exist",
					v1.MonitorAnnotation, name))
		}
	}
}

// present returns the objects that Events of this pass may be about.
func present(o observation, decisions []decision) map[types.UID]bool {
	uids := map[types.UID]bool{}
	for _, d := range decisions {
		uids[d.subject().GetUID()] = true
	}
	for _, pod := range o.strays {
		uids[pod.UID] = true
	}
	return uids
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
