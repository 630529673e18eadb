package scaling

import "time"

const (
	// refusedFades is for how long a size is not asked for again that a node had no room for, or a quota: room comes and goes.
	// It doubles with each time in a row, up to mostRefused times: each try reserves the room that is not there for a moment.
	refusedFades = 30 * time.Second
	mostRefused  = 5

	// infeasibleFades is for how long no resize in place is tried of a Pod that cannot be resized, as was said. What makes it so
	// is how its node is set up.
	infeasibleFades = time.Hour
)

// Refused is a size that could not be had. The zero value is none.
type Refused struct {
	// size of zero is any.
	size Memory
	why  Reason
	at   time.Time
	// inARow is how many were refused since one was given.
	inARow int
	// room is the largest request that the node could have met then, by what is known of it; zero when it was not looked at
	// since. More than that is room that was not there.
	room int64
}

// Note notes that a size cannot be had.
func (r *Refused) Note(size Memory, why Reason, now time.Time) {
	*r = Refused{size: size, why: why, at: now, inARow: r.inARow + 1}
}

// Given notes that a size was had: the next refusal is the first in a row.
func (r *Refused) Given() { r.inARow = 0 }

// FoundRoom forgets that a node had no room once it has more than it had then, and is true when it does.
func (r *Refused) FoundRoom(request int64) bool {
	switch {
	case r.why != ReasonNodeFull || request <= 0:
		return false
	case r.room == 0:
		r.room = request
		return false
	case request <= r.room:
		return false
	}
	*r = Refused{}
	return true
}

// Obstructs puts what was refused lately in the way.
func (r *Refused) Obstructs(way *Way, now time.Time) {
	age := now.Sub(r.at)
	switch {
	case r.why == "":
	case r.why == ReasonResizeInfeasible || r.why == ReasonInPlaceUnavailable:
		if age < infeasibleFades {
			way.Obstacle = r.why
		}
	case age < refusedFades<<min(max(0, r.inARow-1), mostRefused):
		way.Refused, way.RefusedFor = r.size, r.why
	}
}
