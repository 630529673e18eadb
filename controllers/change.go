package controllers

import (
	"time"

	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// change is what a rollout makes of the container's workload, and what is recorded of it.
func (d decision) change(now time.Time) workload.Change {
	from, to, set := workload.Size(d.observed.Size), workload.Size(d.Target), workload.SetOf(d.pod)
	if declared := d.Declared(d.name); declared.Limit > 0 {
		from = declared // Pods may have been given more in place
	}
	c := workload.Change{Container: d.name, Size: to, Smaller: d.Action != scaling.Raise}
	switch d.Action {
	case scaling.Raise:
		record := d.record
		if d.observed.History.Levelled(now, d.policy.Budget.LevelAfter()) {
			record.Raises = nil // they led to a level, and count no longer
		}
		if d.observed.OOMKilledAt.After(record.OOMKilledAt) {
			record.OOMKilledAt = d.observed.OOMKilledAt
		}
		c.Record = record.Raised(from, to, set, now)
		if d.busy && record.Previous.Limit > 0 {
			c.Record.Previous = record.Previous // the present size has not got through yet
		}
	case scaling.Lower:
		c.Record = d.record.Lowered(from, to, set, now)
	case scaling.Rollback:
		c.Record = d.record.RolledBack(now)
	default:
		// Hold changes nothing, and is never asked.
	}
	return c
}
