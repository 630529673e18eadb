package controllers

import (
	"cmp"
	"context"
	"slices"

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
	// held are the holds that are worth telling: at most one for each container that is not changed.
	held []decision
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
	d.settle()
	return d, nil
}

// settle makes one decision for the replicas of each container.
func (d *decided) settle() {
	var order []place
	groups := map[place][]decision{}
	for _, one := range d.all {
		if groups[one.place()] == nil {
			order = append(order, one.place())
		}
		groups[one.place()] = append(groups[one.place()], one)
	}
	for _, p := range order {
		replicas := make([]scaling.Decision, 0, len(groups[p]))
		for _, one := range groups[p] {
			replicas = append(replicas, one.Decision)
		}
		if i := scaling.Together(replicas); i >= 0 {
			d.changes = append(d.changes, groups[p][i])
		} else if worst, ok := worstHeld(groups[p]); ok {
			d.held = append(d.held, worst)
		}
	}
}

// worstHeld returns the hold among those of replicas that says most. A fixed order keeps replicas that are held for
// different reasons from taking turns.
func worstHeld(replicas []decision) (decision, bool) {
	weight := func(d decision) int { return slices.Index(tellable, d.Reason) }
	worst := slices.MinFunc(replicas, func(a, b decision) int {
		return cmp.Compare(uint(weight(a)), uint(weight(b))) //nolint:gosec // what is not in the list comes last
	})
	return worst, weight(worst) >= 0
}
