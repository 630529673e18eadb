package scaling

import (
	"math"
	"time"
)

// leastMargin is the least factor that lowered memory leaves use to grow by before it would be raised again.
const leastMargin = 1.5

// idle returns the size to lower an unused one to, and whether there is one: the smallest declared × multiplier^n that
// puts the peak of the last LowerAfter below the threshold even if it grew by one more multiplier.
//
// Declared 256Mi/384Mi, raised to 1Gi/1536Mi, never above 120Mi for a day, at 75 % with factor 2: 384Mi × 75 % = 288Mi is
// above 240Mi, so back to 256Mi/384Mi. With a peak of 200Mi it is not above 400Mi, but 768Mi × 75 % = 576Mi is.
func (o Observation) idle(p Policy, now time.Time) (Memory, bool) {
	if p.LowerAfter == 0 || o.Declared.Limit == 0 || o.Durable.Limit > o.Size.Limit {
		return Memory{}, false
	}
	if o.Obstacle != "" || o.RaisesOnly || o.Overridden || o.Busy || o.cooling(now, max(p.LowerAfter, p.Cooldown)) {
		return Memory{}, false
	}
	if killed := o.lastOOMKill(); !killed.IsZero() && now.Sub(killed) < lowerAfterOOMKill {
		return Memory{}, false
	}
	peak, known := o.History.Peak()
	if !known {
		return Memory{}, false
	}
	peak = max(peak, o.Sample.Bytes)
	target := o.Declared
	if guarded := multiply(peak, max(p.Multiplier, leastMargin)); p.reached(guarded, target.Limit) {
		target = p.grow(target, guarded)
	}
	return target, target.lowers(o.Size)
}

// lowers is true for a size that is enough below the other to be worth a change, and of the same class of service.
func (m Memory) lowers(size Memory) bool {
	return size.Limit-m.Limit >= max(1, size.Limit/usefulPart) && m.Request <= size.Request &&
		(m.Request == m.Limit) == (size.Request == size.Limit) && (m.Request > 0) == (size.Request > 0)
}

// multiply returns bytes × factor, at most the largest whole number of Mi.
func multiply(bytes int64, factor float64) int64 {
	return int64(math.Min(float64(bytes)*factor, largest))
}
