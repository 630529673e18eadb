package controllers

import (
	"slices"
	"time"

	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// change is what a decision makes of the container's workload, and what is recorded of it.
func (d decision) change(now time.Time) workload.Change {
	from, to, replicaSet := workload.Size(d.observed.Size), workload.Size(d.Target), replicaSetOf(d.pod)
	c := workload.Change{Container: d.name, Size: to, Smaller: d.Action != scaling.Raise}
	switch d.Action {
	case scaling.Raise:
		record := d.record
		record.Raises = d.counting(now)
		record.OOMKilledAt = d.observed.OOMKilledAt
		c.Record = record.Raised(from, to, replicaSet, now)
	case scaling.Lower:
		c.Record = d.record.Lowered(from, to, replicaSet, now)
	case scaling.Rollback:
		c.Record = d.record.RolledBack(now)
	default:
		// Hold changes nothing, and is never asked.
	}
	return c
}

// counting returns the earlier raises that still count for the growth budget: those within its window, and none once
// use has levelled off.
func (d decision) counting(now time.Time) []time.Time {
	if d.observed.History.Levelled(now) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(d.record.Raises), func(at time.Time) bool {
		return now.Sub(at) >= d.policy.Budget.Window
	})
}
