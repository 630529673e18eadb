package controllers

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/scaling"
)

// verdict is what tells one decision on a place from the next.
type verdict struct {
	action            scaling.Action
	reason, limitedBy scaling.Reason
	to                scaling.Memory
	dryRun            bool
}

// account is the list of the latest decisions until the status shows it.
type account struct {
	// last verdict on each place: what is decided again is no news.
	last map[place]verdict
	// fresh are the entries that the status does not show yet, oldest first.
	fresh []v1.Decision
	// changed is the last change that the status does not show yet.
	changed *v1.Change
}

// note lists what is worth telling: what was changed, or would be, and what was refused.
func (a *account) note(decisions []decision, done outcome, now time.Time) {
	for _, group := range done.changes {
		for _, d := range group {
			a.forget(d.place())
			a.list(d, false, now)
			a.changed = changeOf(d, now)
		}
	}
	for _, d := range done.dry {
		a.list(d, true, now)
	}
	for _, d := range decisions {
		if _, worth := explanations[d.Reason]; worth && d.Action == scaling.Hold {
			a.list(d, false, now)
		}
	}
}

func (a *account) forget(p place) { delete(a.last, p) }

// list adds an entry, unless the last one on the same place says the same.
func (a *account) list(d decision, dryRun bool, now time.Time) {
	v := verdict{action: d.Action, reason: d.Reason, limitedBy: d.LimitedBy, dryRun: dryRun}
	if d.Action != scaling.Hold {
		v.to = d.Target
	}
	if known, ok := a.last[d.place()]; ok && known == v {
		return
	}
	a.last[d.place()] = v
	from := memorySize(d.from())
	entry := v1.Decision{
		Time: metav1.NewTime(now), Workload: d.workloadName(), Container: d.name, Pod: d.pod.Name,
		Action: v1.Action(d.Action), Reason: string(d.Reason), LimitedBy: string(d.LimitedBy), DryRun: dryRun,
		From: &from, Message: clip(d.because(), v1.MaxDecisionMessage),
	}
	if d.Action != scaling.Hold {
		to := memorySize(d.Target)
		entry.To = &to
	}
	if !d.observed.Sample.Time.IsZero() {
		entry.Used = resource.NewQuantity(d.observed.Sample.Bytes, resource.BinarySI)
	}
	a.fresh = append(a.fresh, entry)
}

// write puts what is fresh before what the status has, as much as fits.
func (a *account) write(status *v1.AppMonitorStatus) {
	for _, entry := range a.fresh {
		status.Decisions = slices.Insert(status.Decisions, 0, entry)
	}
	status.Decisions = status.Decisions[:min(len(status.Decisions), v1.MaxDecisions)]
	if a.changed != nil {
		status.LastChange = a.changed
	}
}

// written forgets what the status shows now.
func (a *account) written() { a.fresh, a.changed = nil, nil }

// resume takes up an account that was written before the operator was restarted: what it ends with is no news.
func (a *account) resume(monitor *v1.AppMonitor, containers []container) {
	if a.last != nil {
		return
	}
	a.last = map[place]verdict{}
	for _, c := range containers {
		i := slices.IndexFunc(monitor.Status.Decisions, func(e v1.Decision) bool {
			return e.Workload == c.workloadName() && e.Container == c.name
		})
		if i < 0 {
			continue
		}
		e := monitor.Status.Decisions[i]
		v := verdict{
			action: scaling.Action(e.Action), reason: scaling.Reason(e.Reason), limitedBy: scaling.Reason(e.LimitedBy), dryRun: e.DryRun,
		}
		if e.To != nil {
			v.to.Limit = e.To.Limit.Value()
			if e.To.Request != nil {
				v.to.Request = e.To.Request.Value()
			}
		}
		a.last[c.place()] = v
	}
}

func changeOf(d decision, now time.Time) *v1.Change {
	return &v1.Change{
		Time: metav1.NewTime(now), Action: v1.Action(d.Action), Workload: d.workloadName(), Container: d.name,
		Reason: string(d.Reason), From: memorySize(d.from()), To: memorySize(d.Target),
	}
}

// from is the size that a decision changes: the Pod's, but a rollback takes back what the Pod never got.
func (d decision) from() scaling.Memory {
	if d.Action == scaling.Rollback {
		return scaling.Memory(d.record.Given)
	}
	return d.observed.Size
}

// because says what a decision was made on.
func (d decision) because() string {
	o, percent := d.observed, d.policy.Threshold*100
	used := fmt.Sprintf("%s of Pod %s in use", mebibytes(o.Sample.Bytes), d.pod.Name)
	if explanation, refused := explanations[d.Reason]; refused && d.Action == scaling.Hold {
		return explanation
	}
	text := map[scaling.Reason]string{
		scaling.ReasonAboveThreshold: fmt.Sprintf("%s, at or above %.4g%% of the limit", used, percent),
		scaling.ReasonForecastOOM: fmt.Sprintf("%s, growing by %.1f MiB/s towards the limit", used,
			o.History.Slope()/(1<<20)),
		scaling.ReasonOOMKilled: fmt.Sprintf("Pod %s was OOM-killed at %s", d.pod.Name, o.OOMKilledAt.UTC().Format(time.RFC3339)),
		scaling.ReasonCatchUp:   fmt.Sprintf("Pod %s has less than the workload", d.pod.Name),
		scaling.ReasonIdle: fmt.Sprintf("%s, and far below the limit for %s or longer", used,
			d.policy.LowerAfter),
		scaling.ReasonRolloutStuck: explanations[scaling.ReasonRolloutStuck],
	}[d.Reason]
	if d.LimitedBy != "" {
		text += fmt.Sprintf("; no more than this, because %s (%s)", explanations[d.LimitedBy], d.LimitedBy)
	}
	return text
}
