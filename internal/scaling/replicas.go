package scaling

import (
	"cmp"
	"slices"
)

// Replica is one of a workload's, as far as one of its containers is concerned.
type Replica struct {
	// Size that the container has; while it is being resized, the one from before.
	Size Memory
	// OOMKilled is true when the kernel killed it lately, it was raised for that, and all replicas were not yet.
	OOMKilled bool
	// Unsettled is true while it is being resized, or not ready since.
	Unsettled bool
	// Forgotten is true when the container has its size from before the user had what was learned forgotten.
	Forgotten bool
	// Decision on it.
	Decision Decision
}

// Settle makes what is to be done of the decisions on all replicas of a container, in their order, and the size that all
// replicas, present and future, are to have from now on; durable is what that was, and wanted how many replicas there are to be,
// of which some may not run yet.
//
// What is done in place concerns one replica alone. A rollout concerns all: the largest need decides, and the others wait
// for it. Where a rollout only takes the place of a resize in place that one node has no room for, one replica's need is not
// enough to restart them all: half of them must need more, or one have been OOM-killed. Containers that restart when they are
// resized take turns. Memory is lowered by a rollout only when all are idle; in place, a replica is lowered alone down to the durable
// size, which comes down when no replica needs it.
func Settle(durable Memory, wanted int, replicas []Replica) ([]Decision, Memory) {
	wanted = max(wanted, len(replicas))
	settled := make([]Decision, len(replicas))
	for i, r := range replicas {
		settled[i] = r.Decision
	}
	withoutQuorum(wanted, replicas, settled)
	oneRollout(replicas, settled)
	oneRestart(replicas, settled)
	durable = demote(durable, replicas, settled)
	for i, d := range settled {
		if d.Action == Lower && d.Means != Rollout && d.Target.Limit < durable.Limit {
			settled[i].Target = durable.like(replicas[i].Size)
			if !settled[i].Target.lowers(replicas[i].Size) {
				settled[i] = wait(replicas[i], ReasonNormal)
			}
		}
	}
	return settled, promote(durable, wanted, replicas, settled)
}

// wait is a hold in the place of a decision that does not prevail.
func wait(r Replica, why Reason) Decision {
	return Decision{Action: Hold, Reason: why, Target: r.Size}
}

// outgrown is true when so many of the replicas are enough to give all of them more.
func outgrown(some, all int) bool { return 2*some >= all }

// withoutQuorum holds rollouts that would restart all replicas because a few of them are on full nodes.
func withoutQuorum(wanted int, replicas []Replica, settled []Decision) {
	needy, killed := 0, false
	for _, d := range settled {
		if d.Action == Raise && d.Reason != ReasonCatchUp || d.Action == Hold && slices.Contains(Refusals(), d.Reason) {
			needy++
		}
		killed = killed || d.Action == Raise && d.Reason == ReasonOOMKilled
	}
	if killed || outgrown(needy, wanted) {
		return
	}
	for i, d := range settled {
		if d.Action == Raise && d.Means == Rollout && d.Instead == ReasonNodeFull {
			settled[i] = wait(replicas[i], ReasonNodeFull)
		}
	}
}

// oneRollout leaves the one rollout that prevails: of several raises the largest; memory is lowered only when all agree, to
// the largest that one of them asks for.
func oneRollout(replicas []Replica, settled []Decision) {
	best, lowered := -1, 0
	for i, d := range settled {
		if d.Action == Hold || d.Means != Rollout {
			continue
		}
		if d.Action == Lower {
			lowered++
		}
		if best < 0 || stronger(d, settled[best]) {
			best = i
		}
	}
	if best < 0 {
		return
	}
	why := ReasonRolloutInProgress
	if settled[best].Action == Lower && lowered < len(settled) {
		best, why = -1, ReasonNormal
	}
	for i, d := range settled {
		if i != best && d.Action != Hold && d.Means == Rollout {
			settled[i] = wait(replicas[i], why)
		}
	}
}

// oneRestart lets one container restart at a time, the one with the largest need first, and none before the one that was
// restarted last is ready.
func oneRestart(replicas []Replica, settled []Decision) {
	restarts := func(d Decision) bool { return d.Means == Restart && d.Action != Hold }
	best, waits := -1, false
	for i, d := range settled {
		if restarts(d) && (best < 0 || stronger(d, settled[best])) {
			best = i
		}
		waits = waits || !restarts(d) && replicas[i].Unsettled
	}
	for i, d := range settled {
		if (i != best || waits) && restarts(d) {
			settled[i] = wait(replicas[i], ReasonRolloutInProgress)
		}
	}
}

// stronger orders decisions that change something: rollbacks, raises, what lowers; among equals by size.
func stronger(a, b Decision) bool {
	rank := []Action{Lower, Raise, Rollback}
	if a.Action != b.Action {
		return slices.Index(rank, a.Action) > slices.Index(rank, b.Action)
	}
	return a.Target.Limit > b.Target.Limit
}

// demote returns the durable size that is left when idle replicas are lowered in place: the largest size that one of them
// keeps. Of three at 1536Mi, two of which are to be lowered to 384Mi and one to 768Mi, it is 768Mi; while the third stays
// as it is, it is 1536Mi.
func demote(durable Memory, replicas []Replica, settled []Decision) Memory {
	var largest Memory
	lowered := false
	for i, d := range settled {
		keeps := replicas[i].Size
		if d.Action == Lower && d.Means != Rollout {
			keeps, lowered = d.Target, true
		}
		if keeps.Limit > largest.Limit {
			largest = keeps
		}
	}
	if !lowered || largest.Limit >= durable.Limit {
		return durable
	}
	return largest
}

// promote returns the size that all replicas are to have, when each can grow alone: the present durable one until half of
// the replicas have outgrown it, or one was OOM-killed.
//
// Of ten replicas at 384Mi, one at 768Mi stays alone. With five at 768Mi or more, all get 768Mi; with one that was
// OOM-killed and got 1536Mi, all get that.
func promote(durable Memory, wanted int, replicas []Replica, settled []Decision) Memory {
	largestFirst := make([]Replica, 0, len(replicas))
	for i, r := range replicas {
		switch d := settled[i]; {
		case r.Forgotten, d.Action != Hold && d.Means == Rollout:
			r = Replica{}
		case d.Action == Lower:
			r.Size = d.Target
		}
		largestFirst = append(largestFirst, r)
	}
	slices.SortStableFunc(largestFirst, func(a, b Replica) int { return cmp.Compare(b.Size.Limit, a.Size.Limit) })
	for i, r := range largestFirst {
		if (outgrown(i+1, wanted) || r.OOMKilled) && r.Size.Limit > durable.Limit {
			return r.Size
		}
	}
	return durable
}
