package scaling

import (
	"math"
	"time"
)

// Policy is what the user asked for, for one container.
type Policy struct {
	// Threshold is the fraction of the limit at which memory is raised, in (0, 1].
	Threshold float64
	// Multiplier is the factor of one raise, greater than 1.
	Multiplier float64
	// Disabled is true for a container that the user wants left alone.
	Disabled bool
	// MaxSampleAge is the greatest age at which a sample is still acted on.
	MaxSampleAge time.Duration
	// MaxLimit is the ceiling of the limit in bytes; zero means none.
	MaxLimit int64
	// Cooldown is the least time between two changes of one workload.
	Cooldown time.Duration
	// Forecasts is true when growth that is going to reach the limit is acted on before the threshold is reached.
	Forecasts bool
	// Horizon is how far ahead a forecast looks; zero means as far as it takes to react.
	Horizon time.Duration
	// Budget bounds how often memory is raised.
	Budget Budget
	// LowerAfter is how long use must have been far below the limit before it is lowered; zero means never.
	LowerAfter time.Duration
}

// Budget is how many raises within a window are taken for a load that grows. What wants more is a leak, and stays one
// until its use levels off: it would otherwise get as many again in each window.
type Budget struct {
	// Raises that are allowed; zero means any number.
	Raises int
	// Window that they are counted in.
	Window time.Duration
	// Final is true where raises are only those that count: whether use has levelled off was looked at before.
	Final bool
}

// levelPart is the part of the window, one of so many, for which use must not have grown to count as levelled off.
const levelPart = 8

// LevelAfter is how long use must not have grown: three hours in a window of a day.
func (b Budget) LevelAfter() time.Duration { return b.Window / levelPart }

// valid guards against a policy that did not pass the API server's validation. A NaN fails every comparison, hence
// the positive form.
func (p Policy) valid() bool {
	return p.Threshold > 0 && p.Threshold <= 1 && p.Multiplier > 1 && !math.IsInf(p.Multiplier, 1)
}

// reached is true when used bytes are at or above the threshold of the limit: 288Mi of 384Mi reach 75 %.
func (p Policy) reached(used, limit int64) bool {
	return float64(used) >= p.Threshold*float64(limit)
}

// spent is true when no raise is left: as many as are allowed have once lain within a window, and use has not levelled
// off.
func (b Budget) spent(o Observation, now time.Time) bool {
	if b.Raises <= 0 || !b.Final && o.History.Levelled(now, b.LevelAfter()) {
		return false
	}
	for first, last := 0, b.Raises-1; last < len(o.Raises); first, last = first+1, last+1 {
		if o.Raises[last].Sub(o.Raises[first]) < b.Window {
			return true
		}
	}
	return false
}
