package controllers

import (
	"context"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/scaling"
)

// decision is what is to be done with one container of one Pod.
type decision struct {
	container
	scaling.Decision
}

// decided is what is to be done with all of them.
type decided struct {
	// all decisions, in the order of Pods.
	all []decision
	// changes are those that prevail: at most one for each container of a workload, whose replicas share a size.
	changes []decision
}

func (r *AppMonitorReconciler) decide(ctx context.Context, monitor *v1.AppMonitor, o observation) (decided, error) {
	var d decided
	now, room := r.Clock.Now(), r.room(monitor.Namespace)
	for _, c := range o.containers {
		one := decision{container: c, Decision: scaling.Decide(c.policy, c.observed, now)}
		if one.Action == scaling.Raise {
			// Only now it matters what can be given, which takes a look at half of the cluster.
			bounds, err := room.bounds(ctx, c)
			if err != nil {
				return decided{}, err
			}
			one.observed.Bounds = bounds
			one.Decision = scaling.Decide(c.policy, one.observed, now)
			room.plan(one)
		}
		d.all = append(d.all, one)
	}
	d.changes = prevailing(d.all)
	return d, nil
}

// prevailing makes one decision for the replicas of each container.
func prevailing(all []decision) []decision {
	var order []place
	groups := map[place][]decision{}
	for _, d := range all {
		if groups[d.place()] == nil {
			order = append(order, d.place())
		}
		groups[d.place()] = append(groups[d.place()], d)
	}
	var changes []decision
	for _, p := range order {
		replicas := make([]scaling.Decision, 0, len(groups[p]))
		for _, d := range groups[p] {
			replicas = append(replicas, d.Decision)
		}
		if i := scaling.Together(replicas); i >= 0 {
			changes = append(changes, groups[p][i])
		}
	}
	return changes
}
