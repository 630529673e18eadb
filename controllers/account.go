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
	means             scaling.Means
	reason, limitedBy scaling.Reason
	dryRun            bool
}

// account is the list of the latest decisions. It is kept here and not in the status, of which the cache may hold an
// older version than the one that was written last.
type account struct {
	// last verdict on each place: what is decided again is no news.
	last map[place]verdict
	// entries of the status, newest first, and the last change.
	entries []v1.Decision
	changed *v1.Change
}

// resume takes up an account that was written before the operator was restarted: what it ends with is no news.
func (a *account) resume(status *v1.AppMonitorStatus) {
	if a.last == nil {
		a.last, a.entries, a.changed = map[place]verdict{}, status.Decisions, status.LastChange
	}
}

// note lists what is worth telling: what was changed, or would be, and what was refused.
func (a *account) note(held []decision, done outcome, now time.Time) {
	for _, group := range done.changes {
		for _, d := range group {
			if !d.listed {
				delete(a.last, d.place())
				a.list(d, false, now)
			}
			a.changed = changeOf(d, now)
		}
	}
	for _, d := range done.asked {
		delete(a.last, d.place())
		a.list(d, false, now)
	}
	for _, d := range done.dry {
		a.list(d, true, now)
	}
	for _, d := range held {
		a.list(d, false, now)
	}
}

// list adds an entry, unless the last one on the same place says the same.
func (a *account) list(d decision, dryRun bool, now time.Time) {
	v := verdict{action: d.Action, means: d.Means, reason: d.Reason, limitedBy: d.LimitedBy, dryRun: dryRun}
	known, ok := a.last[d.place()]
	if !ok {
		known, ok = a.listed(d)
	}
	a.last[d.place()] = v
	if ok && known == v {
		return
	}
	from := memorySize(d.from())
	entry := v1.Decision{
		Time: seconds(now), Workload: d.Name(), Container: d.name, Pod: d.pod.Name,
		Action: v1.Action(d.Action), Means: v1.Means(d.Means), Reason: string(d.Reason), LimitedBy: string(d.LimitedBy), DryRun: dryRun,
		From: &from, Message: clip(d.because(), v1.MaxDecisionMessage),
	}
	if d.Action != scaling.Hold {
		to := memorySize(d.Target)
		entry.To = &to
	}
	if !d.observed.Sample.Time.IsZero() {
		entry.Used = resource.NewQuantity(d.observed.Sample.Bytes, resource.BinarySI)
	}
	a.entries = slices.Insert(a.entries, 0, entry)
	a.entries = a.entries[:min(len(a.entries), v1.MaxDecisions)]
}

// listed returns the latest entry on a container, which is all that is left of the last verdict after a restart. A change
// that was made is over, and the same one may be made again.
func (a *account) listed(d decision) (verdict, bool) {
	i := slices.IndexFunc(a.entries, func(e v1.Decision) bool {
		return e.Workload == d.Name() && e.Container == d.name
	})
	if i < 0 || a.entries[i].Action != v1.ActionHold && !a.entries[i].DryRun {
		return verdict{}, false
	}
	e := a.entries[i]
	return verdict{
		action: scaling.Action(e.Action), means: scaling.Means(e.Means), reason: scaling.Reason(e.Reason),
		limitedBy: scaling.Reason(e.LimitedBy), dryRun: e.DryRun,
	}, true
}

// keepOnly drops the entries on workloads that are gone.
func (a *account) keepOnly(exists func(workload string) bool) {
	a.entries = slices.DeleteFunc(slices.Clone(a.entries), func(e v1.Decision) bool { return !exists(e.Workload) })
	if a.changed != nil && !exists(a.changed.Workload) {
		a.changed = nil
	}
}

// seconds is a time as the API server keeps it: with more, what was written would never equal what is read.
func seconds(t time.Time) metav1.Time { return metav1.NewTime(t).Rfc3339Copy() }

func changeOf(d decision, now time.Time) *v1.Change {
	return &v1.Change{
		Time: seconds(now), Action: v1.Action(d.Action), Means: v1.Means(d.Means), Workload: d.Name(), Container: d.name,
		Reason: string(d.Reason), From: memorySize(d.from()), To: memorySize(d.Target),
	}
}

// from is the size that a decision changes: the Pod's, but a rollback takes back what the Pod never got.
func (d decision) from() scaling.Memory {
	if d.Action == scaling.Rollback && d.Means == scaling.Rollout {
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
	aboveThreshold := fmt.Sprintf("%s, at or above %.4g%% of the limit", used, percent)
	if o.Sample.Time.IsZero() {
		aboveThreshold = fmt.Sprintf("the use of Pod %s had reached %.4g%% of the limit, or was about to reach the limit",
			d.pod.Name, percent)
	}
	text := map[scaling.Reason]string{
		scaling.ReasonAboveThreshold: aboveThreshold,
		scaling.ReasonForecastOOM: fmt.Sprintf("%s, growing by %.1f MiB/s towards the limit", used,
			o.History.Slope()/(1<<20)),
		scaling.ReasonOOMKilled: fmt.Sprintf("Pod %s was OOM-killed at %s", d.pod.Name, o.OOMKilledAt.UTC().Format(time.RFC3339)),
		scaling.ReasonCatchUp:   fmt.Sprintf("Pod %s has less than the workload", d.pod.Name),
		scaling.ReasonIdle: fmt.Sprintf("%s, and far below the limit for %s or longer", used,
			d.policy.LowerAfter),
		scaling.ReasonRolloutStuck:     explanations[scaling.ReasonRolloutStuck],
		scaling.ReasonNodeFull:         fmt.Sprintf("there is no room for that of Pod %s", d.pod.Name),
		scaling.ReasonResizeInfeasible: explanations[scaling.ReasonResizeInfeasible],
	}[d.Reason]
	if d.Instead != "" {
		text += fmt.Sprintf("; by a rollout, because %s (%s)", explanations[d.Instead], d.Instead)
	}
	if d.LimitedBy != "" {
		text += fmt.Sprintf("; no more than this, because %s (%s)", explanations[d.LimitedBy], d.LimitedBy)
	}
	return text
}
