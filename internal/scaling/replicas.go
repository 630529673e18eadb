package scaling

import (
	"cmp"
	"slices"
)

// Together makes one decision for all replicas of a container that share one size: what any of them needs. Of several
// raises it is the largest; memory is lowered only when all replicas agree, to the largest that one of them asks for.
// The index is that of the decision that prevailed; -1 when nothing is to be changed.
func Together(decisions []Decision) int {
	best, lowered := -1, 0
	for i, d := range decisions {
		switch d.Action {
		case Hold:
			continue
		case Lower:
			lowered++
		case Raise, Rollback:
		}
		if best < 0 || stronger(d, decisions[best]) {
			best = i
		}
	}
	if best >= 0 && decisions[best].Action == Lower && lowered < len(decisions) {
		return -1
	}
	return best
}

// stronger orders decisions that change something: rollbacks, raises, what lowers; among equals by size.
func stronger(a, b Decision) bool {
	rank := []Action{Lower, Raise, Rollback}
	if a.Action != b.Action {
		return slices.Index(rank, a.Action) > slices.Index(rank, b.Action)
	}
	return a.Target.Limit > b.Target.Limit
}

// Replica is one of a workload's, as far as its container's size is concerned.
type Replica struct {
	Size Memory
	// OOMKilled is true when the kernel killed it at its durable size.
	OOMKilled bool
}

// Promote returns the size that all replicas, present and future, are to have, when each can grow alone: the present
// durable one until half of the replicas have outgrown it, or one was OOM-killed.
//
// Of ten replicas at 384Mi, one at 768Mi stays alone. With five at 768Mi or more, all get 768Mi; with one that was
// OOM-killed and got 1536Mi, all get that.
func Promote(durable Memory, replicas []Replica) Memory {
	largestFirst := slices.SortedFunc(slices.Values(replicas), func(a, b Replica) int {
		return cmp.Compare(b.Size.Limit, a.Size.Limit)
	})
	for i, r := range largestFirst {
		half := 2*(i+1) >= len(replicas)
		if (half || r.OOMKilled) && r.Size.Limit > durable.Limit {
			return r.Size
		}
	}
	return durable
}
