package scaler

import (
	"time"

	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/test/replay/world"
)

const (
	// tickSeconds is how often the operator reads memory use and decides.
	tickSeconds = 5

	// lowerAfter is that of the policy with scaleDown on: shorter than its default of a day, so that traces of days show it.
	lowerAfter = 6 * time.Hour
)

// actuation is how long a change takes, by which the operator computes its own reaction time: what a rollout takes is as
// the model has it, a resize in place takes a tenth of a second.
func actuation(inPlace bool) time.Duration {
	if inPlace {
		return 100 * time.Millisecond
	}
	return world.ReplaceSeconds * time.Second
}

// ours is the operator around scaling.Decide: it gathers the observation, and carries out what is decided, as package
// controllers does.
type ours struct {
	policy   scaling.Policy
	inPlace  bool
	declared scaling.Memory

	history scaling.History
	// started is the start of the process that the history is of.
	started int
	account []Decision
	record  record
}

// record is what the operator writes down of a workload when it changes its size, and so knows also of the next Pod.
type record struct {
	raises  []time.Time
	givenAt time.Time
	// oomKilledAt is the kill that was known at the latest raise.
	oomKilledAt time.Time
}

func newOurs(o Options) *ours {
	return &ours{policy: o.Policy, inPlace: o.InPlace, declared: o.Size}
}

func (o *ours) Tick(second int, c *world.Container) {
	if second%tickSeconds != 0 {
		return
	}
	if c.Started() != o.started {
		o.history, o.started = scaling.History{}, c.Started()
	}
	o.history.Add(c.Sample(), o.policy.LowerAfter)
	seen := o.observe(c)
	d := scaling.Decide(o.policy, seen, world.Time(second))
	o.note(Decision{Second: second, Decision: d, From: c.Size(), Used: c.Sample().Bytes})
	if d.Action != scaling.Hold {
		o.apply(second, c, d, seen)
	}
}

// observe is what the operator knows of the container. Its LimitRanges and quotas bound nothing, the node does.
func (o *ours) observe(c *world.Container) scaling.Observation {
	seen := scaling.Observation{
		Size:              c.Size(),
		Sample:            c.Sample(),
		History:           &o.history,
		OOMKilledAt:       c.OOMKilledAt(),
		OOMAnswered:       o.record.oomKilledAt,
		Raises:            o.record.raises,
		RolloutInProgress: c.Replacing(),
		Way: scaling.Way{
			Means:      scaling.Rollout,
			Disruptive: true,
			LastChange: o.record.givenAt,
			Bounds:     scaling.Bounds{Node: scaling.Memory{Request: world.Node, Limit: world.Node}},
			Reaction:   tickSeconds*time.Second + actuation(o.inPlace),
		},
	}
	if o.inPlace {
		seen.Means, seen.Disruptive = scaling.InPlace, false
	}
	if !o.record.givenAt.IsZero() {
		seen.Declared = o.declared
	}
	return seen
}

func (o *ours) apply(second int, c *world.Container, d scaling.Decision, seen scaling.Observation) {
	now := world.Time(second)
	if d.Action == scaling.Raise {
		if o.history.Levelled(now, o.policy.Budget.LevelAfter()) {
			o.record.raises = nil
		}
		o.record.raises = append(o.record.raises, now)
		if seen.OOMKilledAt.After(o.record.oomKilledAt) {
			o.record.oomKilledAt = seen.OOMKilledAt
		}
	}
	o.record.givenAt = now
	if o.inPlace {
		c.Resize(second, d.Target)
		return
	}
	c.Rollout(second, d.Target)
}

// note remembers what is worth telling.
func (o *ours) note(d Decision) {
	if n := len(o.account); n > 0 && d.Action == scaling.Hold {
		last := o.account[n-1]
		if last.Action == d.Action && last.Reason == d.Reason {
			return
		}
	}
	o.account = append(o.account, d)
}

func (o *ours) Account() []Decision { return o.account }
