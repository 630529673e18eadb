package scaling

import "math"

// mebibyte is the granularity of every size that is written.
const mebibyte = 1 << 20

// largest is the largest whole number of Mi that an int64 can hold.
const largest = math.MaxInt64 / mebibyte * mebibyte

// slowest is the smallest multiplier that grow computes with. A factor still closer to 1 is taken for this one: the
// rounding up to Mi outweighs the difference for any limit below 1 TiB, and the powers stay exact enough to compare.
const slowest = 1 + 1e-6

// valid guards against a policy that did not pass the API server's validation. A NaN fails every comparison, hence
// the positive form.
func (p Policy) valid() bool {
	return p.Threshold > 0 && p.Threshold <= 1 && p.Multiplier > 1 && !math.IsInf(p.Multiplier, 1)
}

// reached is true when used bytes are at or above the threshold of the limit: 288Mi of 384Mi reach 75 %.
func (p Policy) reached(used, limit int64) bool {
	return float64(used) >= p.Threshold*float64(limit)
}

// grow returns the smallest limit × multiplier^n, n ≥ 1, of which the used bytes are below the threshold, with the
// request grown by the same factor, both rounded up to Mi.
//
// 290Mi used of request 256Mi, limit 384Mi, at 75 % with factor 2: 768Mi × 75 % = 576Mi is above 290Mi → 512Mi/768Mi.
// 700Mi used of the same: 768Mi × 75 % is not, 1536Mi × 75 % = 1152Mi is → 1Gi/1536Mi.
func (p Policy) grow(m Memory, used int64) Memory {
	n := p.steps(m.Limit, used)
	for n > 1 && !p.reached(used, p.scale(m.Limit, n-1)) {
		n--
	}
	for p.reached(used, p.scale(m.Limit, n)) && p.scale(m.Limit, n) < largest {
		n++
	}
	grown := Memory{Limit: p.scale(m.Limit, n)}
	if m.Request > 0 {
		grown.Request = p.scale(m.Request, n)
	}
	if m.Request < m.Limit && grown.Request >= grown.Limit {
		// Rounding must not make a Burstable container Guaranteed.
		grown.Request = max(m.Request, grown.Limit-mebibyte)
	}
	return grown
}

// steps estimates n by logarithm, so that a multiplier just above 1 does not cost thousands of turns; rounding may
// leave it off by one, which grow mends.
func (p Policy) steps(limit, used int64) float64 {
	n := math.Ceil(math.Log(float64(used)/p.Threshold/float64(limit)) / math.Log(p.factor()))
	if math.IsNaN(n) || n < 1 {
		return 1
	}
	return math.Min(n, math.Log(largest)/math.Log(p.factor())+1)
}

// scale returns bytes × multiplier^n rounded up to Mi, at most largest, and never less than bytes.
func (p Policy) scale(bytes int64, n float64) int64 {
	grown := math.Ceil(float64(bytes) * math.Pow(p.factor(), n) / mebibyte)
	if math.IsNaN(grown) || grown >= largest/mebibyte {
		return max(bytes, largest)
	}
	return max(bytes, int64(grown)*mebibyte)
}

func (p Policy) factor() float64 {
	return math.Max(p.Multiplier, slowest)
}
