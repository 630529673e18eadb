package scaling

import "math"

// mebibyte is the granularity of every size that is written.
const mebibyte = 1 << 20

// largest is the largest whole number of Mi that an int64 can hold.
const largest = math.MaxInt64 / mebibyte * mebibyte

// slowest is the smallest multiplier that grow computes with. A factor still closer to 1 is taken for this one: the
// rounding up to Mi outweighs the difference for any limit below 1 TiB, one step gains more than a byte of any whole Mi,
// and the powers stay exact enough to compare.
const slowest = 1 + 1e-6

// grow returns the smallest limit × multiplier^n, n ≥ 1, of which the used bytes are below the threshold, with the
// request grown by the same factor, both rounded up to Mi.
//
// 290Mi used of request 256Mi, limit 384Mi, at 75 % with factor 2: 768Mi × 75 % = 576Mi is above 290Mi → 512Mi/768Mi.
// 700Mi used of the same: 768Mi × 75 % is not, 1536Mi × 75 % = 1152Mi is → 1Gi/1536Mi.
func (p Policy) grow(m Memory, used int64) Memory {
	n := p.steps(m.Limit, p.outgrown(used))
	return Memory{Request: p.scale(m.Request, n), Limit: p.scale(m.Limit, n)}.like(m)
}

// outgrown returns the largest limit, in whole Mi, of which the used bytes reach the threshold: 511Mi for 384Mi at
// 75.1 %. Anything above will do. Below largest, which has to do for what no limit is enough for.
func (p Policy) outgrown(used int64) int64 {
	const last = largest - mebibyte
	limit := int64(math.Min(float64(used)/p.Threshold/mebibyte, last/mebibyte)) * mebibyte
	// The division may have rounded to the wrong side of a whole Mi.
	for !p.reached(used, limit) {
		limit -= mebibyte
	}
	for limit < last && p.reached(used, limit+mebibyte) {
		limit += mebibyte
	}
	return limit
}

// steps returns the smallest n ≥ 1 for which limit × multiplier^n, rounded up, is above the outgrown limit. It starts
// from the logarithm, which rounding may leave off by one: a multiplier just above 1 would cost millions of turns.
func (p Policy) steps(limit, outgrown int64) float64 {
	n := math.Floor(math.Log(float64(outgrown)/float64(limit)) / math.Log(p.factor()))
	n = math.Max(n+1, 1)
	for n > 1 && p.scale(limit, n-1) > outgrown {
		n--
	}
	for p.scale(limit, n) <= outgrown {
		n++
	}
	return n
}

// scale returns bytes × multiplier^n rounded up to Mi, at most largest, and never less than bytes. One byte is not
// rounded up: most factors have no exact float, 100Mi × 1.1 comes out a fraction of a byte above 110Mi, and 111Mi is not
// what anyone means.
func (p Policy) scale(bytes int64, n float64) int64 {
	grown := math.Ceil((float64(bytes)*math.Pow(p.factor(), n) - 1) / mebibyte)
	return max(bytes, int64(math.Min(grown, largest/mebibyte))*mebibyte)
}

func (p Policy) factor() float64 {
	return math.Max(p.Multiplier, slowest)
}
