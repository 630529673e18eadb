package controllers

import (
	"cmp"
	"context"
	"slices"
	"time"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// oomKillMatters is for how long an OOM kill that one replica was raised for shows what all of them need.
const oomKillMatters = time.Hour

// decision is what is to be done with one container of one Pod.
type decision struct {
	container
	scaling.Decision
	// listed is true for one that the account told of when it was made, and that came true since.
	listed bool
	// decidedAt is when it was decided upon.
	decidedAt time.Time
	// askedAt is when the API server accepted it; zero for one that is not resized in place.
	askedAt time.Time
}

// decided is what is to be done with all of them.
type decided struct {
	// all decisions, in the order of Pods.
	all []decision
	// changes are those that prevail: at most one rollout for each container of a workload, whose replicas share a template.
	changes []decision
	// held are the holds that are worth telling: at most one for each container of a workload that is not rolled out.
	held []decision
	// durable are the sizes that all of a workload's Pods are to have from now on.
	durable map[place]scaling.Memory
}

func (r *AppMonitorReconciler) decide(ctx context.Context, monitor *v1.AppMonitor, o observation) (decided, error) {
	var d decided
	now, room := r.Clock.Now(), r.room(monitor.Namespace)
	for _, c := range o.containers {
		one := decision{container: c, Decision: scaling.Decide(c.policy, c.observed, now), decidedAt: now}
		if one.Action == scaling.Raise || one.Reason == scaling.ReasonNodeFull {
			// Only now it matters what can be given, which takes a look at half of the cluster.
			if err := room.bound(ctx, &one.container); err != nil {
				return decided{}, err
			}
			one.Decision = scaling.Decide(c.policy, one.observed, now)
			if actual := one.observed.Resize.Actual; one.Instead != "" && one.observed.RaisesOnly && actual.Limit > 0 {
				one.observed.Size = actual // what it was meant to have it never got
			}
			room.plan(one)
		}
		d.all = append(d.all, one)
	}
	d.settle(now)
	return d, nil
}

// settle makes of the decisions on the replicas of each container what is to be done.
func (d *decided) settle(now time.Time) {
	d.durable = map[place]scaling.Memory{}
	var order []place
	groups := map[place][]*decision{}
	for i := range d.all {
		one := &d.all[i]
		if groups[one.place()] == nil {
			order = append(order, one.place())
		}
		groups[one.place()] = append(groups[one.place()], one)
	}
	for _, p := range order {
		group, replicas := groups[p], make([]scaling.Replica, 0, len(groups[p]))
		for i := range group {
			replicas = append(replicas, group[i].replica(now))
		}
		settled, durable := scaling.Settle(scaling.Memory(group[0].durable(group[0].name)), group[0].Replicas(), replicas)
		d.durable[p] = durable
		rolledOut := false
		for i := range group {
			group[i].Decision = settled[i]
			if settled[i].Action != scaling.Hold {
				d.changes = append(d.changes, *group[i])
				rolledOut = rolledOut || settled[i].Means == scaling.Rollout
			}
		}
		if worst, ok := worstHeld(group); ok && !rolledOut {
			d.held = append(d.held, *worst)
		}
	}
}

// replica is the container as one of several.
func (d *decision) replica(now time.Time) scaling.Replica {
	killed, forgotten := d.observed.OOMKilledAt, d.records[d.name].ForgottenAt
	grown, inPlace := d.grown()
	// What is recorded was taken into account when it was: what the replica comes to need later, it needs alone.
	fresh := killed.After(now.Add(-oomKillMatters)) && killed.After(forgotten) && killed.After(d.records[d.name].OOMKilledAt)
	return scaling.Replica{
		Size: d.resizing.hasOr(d.observed.Size),
		// Killed, and given more than it had then.
		OOMKilled: inPlace && fresh && !killed.After(d.observed.OOMAnswered),
		Unsettled: d.resizing.state == workload.ResizeInProgress ||
			!workload.Ready(d.pod) && !d.resizedAt.IsZero() && now.Sub(d.resizedAt) < rolloutDeadline,
		// What it has it has from its template, from the durable size, or from before.
		Forgotten: !inPlace || !grown.At.After(forgotten),
		Decision:  d.Decision,
	}
}

// worstHeld returns the hold among those of replicas that says most. A fixed order keeps replicas that are held for
// different reasons from taking turns.
func worstHeld(replicas []*decision) (*decision, bool) {
	weight := func(d *decision) int {
		if d.Action != scaling.Hold {
			return -1
		}
		return slices.Index(tellable, d.Reason)
	}
	worst := slices.MinFunc(replicas, func(a, b *decision) int {
		return cmp.Compare(uint(weight(a)), uint(weight(b))) //nolint:gosec // what is not in the list comes last
	})
	return worst, weight(worst) >= 0
}
