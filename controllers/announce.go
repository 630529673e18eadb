package controllers

import (
	"context"
	"fmt"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/scaling"
)

// announce tells of completed changes, and of refusals when they begin, by Events, logs and metrics.
func (r *AppMonitorReconciler) announce(ctx context.Context, monitor *v1.AppMonitor, decisions []decision, done outcome) {
	key := client.ObjectKeyFromObject(monitor)
	countDecisions(key, decisions)
	countOutcome(key, done)
	for _, d := range r.account.news(key, decisions) {
		logf.FromContext(ctx).V(1).Info("decision changed", "pod", d.pod.Name, "container", d.name, "reason", d.Reason)
		if note, ok := refusals[d.Reason]; ok {
			r.Recorder.Eventf(d.pod, monitor, corev1.EventTypeWarning, string(d.Reason), string(scaling.Hold),
				"did not raise memory of container %s: %s", d.name, note)
		}
	}
	for _, d := range done.raises {
		note := fmt.Sprintf("raised memory of container %s from %s to %s: %s of Pod %s in use, at or above %v%% of the limit",
			d.name, sizeOf(d.observed.Size), sizeOf(d.Target), mebibytes(d.observed.Sample.Bytes), d.pod.Name,
			monitor.Spec.MemThresholdPercent)
		logf.FromContext(ctx).Info("raised memory", "deployment", d.deployment.Name, "container", d.name,
			"from", sizeOf(d.observed.Size), "to", sizeOf(d.Target), "used", mebibytes(d.observed.Sample.Bytes),
			"pod", d.pod.Name, "reason", d.Reason)
		r.Recorder.Eventf(d.deployment, monitor, corev1.EventTypeNormal, string(d.Reason), string(scaling.Raise), "%s", note)
	}
	r.announceFailures(ctx, monitor, done)
}

// refusals are the holds that a user can do something about, and what there is to know of them.
var refusals = map[scaling.Reason]string{
	scaling.ReasonNoLimit:          "it has no memory limit, so there is nothing to compare its use with",
	scaling.ReasonUnsupportedOwner: "no Deployment owns the Pod, so no new size can be rolled out",
	scaling.ReasonAtMaximum:        "the limit is already as large as a quantity can be",
}

// announceFailures tells of a refused raise once, and again only when the words change: the retries at every tick are
// no news.
func (r *AppMonitorReconciler) announceFailures(ctx context.Context, monitor *v1.AppMonitor, done outcome) {
	err := done.err()
	if err == nil {
		return
	}
	known := meta.FindStatusCondition(monitor.Status.Conditions, v1.ConditionReady)
	if known != nil && known.Reason == v1.ReasonRaiseFailed && known.Message == oneLine(err) {
		return
	}
	logf.FromContext(ctx).Error(err, "raising memory failed")
	for _, f := range done.failures {
		r.Recorder.Eventf(f.deployment, monitor, corev1.EventTypeWarning, v1.ReasonRaiseFailed, string(scaling.Raise),
			"%s", oneLine(f.err))
	}
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

// account remembers the latest decision on each container, to tell news from repetition. It is lost at a restart, and
// then repeats each refusal once.
type account struct {
	mu     sync.Mutex
	latest map[types.NamespacedName]map[accountKey]scaling.Reason
}

type accountKey struct {
	pod       types.UID
	container string
}

// news returns the decisions whose reason differs from the last one, and forgets containers that are gone.
func (a *account) news(monitor types.NamespacedName, decisions []decision) []decision {
	a.mu.Lock()
	defer a.mu.Unlock()
	var changed []decision
	before, now := a.latest[monitor], make(map[accountKey]scaling.Reason, len(decisions))
	for _, d := range decisions {
		key := accountKey{pod: d.pod.UID, container: d.name}
		if before[key] != d.Reason {
			changed = append(changed, d)
		}
		now[key] = d.Reason
	}
	if a.latest == nil {
		a.latest = map[types.NamespacedName]map[accountKey]scaling.Reason{}
	}
	a.latest[monitor] = now
	return changed
}

func (a *account) forget(monitor types.NamespacedName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.latest, monitor)
}
