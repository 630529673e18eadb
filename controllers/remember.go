package controllers

import (
	"context"
	"maps"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/policies"
	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// memo is what is to be recorded on a workload.
type memo struct {
	of owner
	// one of its containers.
	one     *container
	records map[string]workload.Record
	// resting is true for a workload that is not written to now.
	resting bool
}

// memos are what is to be recorded: what Pods were given in place, and the size that all of them are to have from now on. They look
// at what Pods have, not at what was just decided: so they also learn of what was given before the operator was killed, or by
// another process of it.
func (r *AppMonitorReconciler) memos(monitor *v1.AppMonitor, page *page, o observation, d decided) []memo {
	if policies.Paused(monitor) {
		return nil
	}
	var memos []memo
	now, shrunk, rolled := r.Clock.Now(), d.shrunk(), d.rolledOut()
	for _, group := range byWorkload(o.containers) {
		of := group[0].owner
		resting := policies.Paused(of.Object) || page.resting(of.GetUID(), now)
		m := memo{of: of, one: group[0], resting: resting, records: maps.Clone(of.records)}
		for name, containers := range byName(group) {
			record, at := learn(m.records[name], containers, now), containers[0].place()
			if largest, lowered := shrunk[at]; lowered {
				record = record.Shrunk(workload.Size(largest))
			}
			if durable, decided := d.durable[at]; decided && !of.isPod() {
				record = record.Promote(of.Workload, name, workload.Size(durable), now)
			}
			if !rolled[of.GetUID()] {
				record = record.Through(of.Workload, name)
			}
			m.records[name] = record
		}
		maps.DeleteFunc(m.records, func(_ string, record workload.Record) bool { return record.IsZero() })
		memos = append(memos, m)
	}
	return memos
}

// remember records memos on their workloads. It returns those on which nothing could be recorded.
func (r *AppMonitorReconciler) remember(ctx context.Context, page *page, memos []memo, done *outcome) map[types.UID]bool {
	unrecorded, now := map[types.UID]bool{}, r.Clock.Now()
	for _, m := range memos {
		uid := m.of.GetUID()
		if m.resting {
			unrecorded[uid] = true
			continue
		}
		written, err := workload.WriteRecords(ctx, r.Client, m.of.Workload, m.records)
		unrecorded[uid] = err != nil
		switch {
		case apierrors.IsConflict(err), apierrors.IsNotFound(err):
			done.again = true
		case err != nil:
			done.fail(page, uid, decision{container: *m.one, Decision: scaling.Decision{Action: scaling.Hold}}, err, now)
		case written:
			page.accepted(uid)
			logf.FromContext(ctx).V(1).Info("recorded what was learned", "workload", m.of.Name())
		}
	}
	return unrecorded
}

// learn adds to a record what the replicas of a container were given in place.
func learn(record workload.Record, replicas []*container, now time.Time) workload.Record {
	var all []workload.Grown
	largest, levelled := int64(0), false
	for _, c := range replicas {
		g, ok := c.grown()
		if !ok {
			continue
		}
		all = append(all, g)
		if g.Size.Limit > largest {
			largest, levelled = g.Size.Limit, c.observed.History.Levelled(now, c.policy.Budget.LevelAfter())
		}
	}
	return record.Learn(replicas[0].Workload, replicas[0].name, all, levelled)
}

// rolledOut are the workloads that are about to be written to anyway.
func (d decided) rolledOut() map[types.UID]bool {
	uids := map[types.UID]bool{}
	for _, one := range d.changes {
		uids[one.GetUID()] = uids[one.GetUID()] || one.Means == scaling.Rollout
	}
	return uids
}

// shrunk are the largest sizes that are left of containers that are lowered in place.
func (d decided) shrunk() map[place]scaling.Memory {
	lowered, largest := map[place]bool{}, map[place]scaling.Memory{}
	for _, one := range d.all {
		if one.Means == scaling.Rollout {
			continue
		}
		lowered[one.place()] = lowered[one.place()] || one.Action == scaling.Lower
		if one.Target.Limit > largest[one.place()].Limit {
			largest[one.place()] = one.Target
		}
	}
	maps.DeleteFunc(largest, func(p place, _ scaling.Memory) bool { return !lowered[p] })
	return largest
}

// byWorkload groups containers, in the order of Pods.
func byWorkload(containers []container) [][]*container {
	var groups [][]*container
	at := map[types.UID]int{}
	for i := range containers {
		uid := containers[i].GetUID()
		if _, known := at[uid]; !known {
			at[uid], groups = len(groups), append(groups, nil)
		}
		groups[at[uid]] = append(groups[at[uid]], &containers[i])
	}
	return groups
}

func byName(containers []*container) map[string][]*container {
	groups := map[string][]*container{}
	for _, c := range containers {
		groups[c.name] = append(groups[c.name], c)
	}
	return groups
}
