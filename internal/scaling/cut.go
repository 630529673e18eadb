package scaling

import (
	"math"
	"math/bits"
)

// usefulPart is the part of the limit, one of so many, that a change must gain or save to be worth it.
const usefulPart = 20

// cut returns as much of the wanted size as all bounds allow, and the tightest bound, of equally tight ones the first;
// the reason is empty when none binds.
//
// 256Mi/384Mi wanted at 512Mi/768Mi, with a ceiling of 600Mi: 400Mi/600Mi, AtMaximum. With a quota that leaves a request
// of 300Mi: 300Mi/450Mi, QuotaExceeded.
func (o Observation) cut(wanted Memory, maxLimit, budget int64) (Memory, Reason) {
	room, tightest := Memory{Request: math.MaxInt64, Limit: math.MaxInt64}, Reason("")
	for _, b := range [...]struct {
		bound  Memory
		reason Reason
	}{
		{Memory{Limit: budget}, ReasonGrowthBudgetExhausted},
		{Memory{Limit: maxLimit}, ReasonAtMaximum},
		{o.Bounds.LimitRange, ReasonAtLimitRange},
		{o.Bounds.Quota, ReasonQuotaExceeded},
		{o.Bounds.Node, ReasonNodeFull},
		{o.halfway(o.Size), o.RefusedFor},
	} {
		request := unbounded(b.bound.Request)
		limit := min(unbounded(b.bound.Limit), inProportion(request, o.Size))
		if binds := wanted.Limit > limit || wanted.Request > request; binds && (tightest == "" || limit < room.Limit) {
			tightest = b.reason
		}
		room = Memory{Request: min(room.Request, request), Limit: min(room.Limit, limit)}
	}
	if tightest == "" {
		return wanted, ""
	}
	return fit(wanted, o.Size, room), tightest
}

// inProportion is the limit that goes with a request, in the proportion of the size.
func inProportion(request int64, size Memory) int64 {
	if size.Request == 0 {
		return math.MaxInt64
	}
	return mulDiv(request, size.Limit, size.Request)
}

// fit returns the largest size within the room that is made of whole Mi and keeps the proportion of request and limit.
// It may be no larger than the present one.
func fit(wanted, size, room Memory) Memory {
	limit := min(room.Limit, wanted.Limit) / mebibyte * mebibyte
	up := mulDiv(size.Request, limit, size.Limit) + mebibyte - 1
	request := max(size.Request, min(up, room.Request)/mebibyte*mebibyte)
	return Memory{Request: request, Limit: limit}.like(size)
}

// like keeps the class of service: rounding must neither make a Burstable container Guaranteed nor the reverse.
func (m Memory) like(size Memory) Memory {
	switch {
	case size.Request == size.Limit:
		m.Request = m.Limit
	case m.Request >= m.Limit:
		m.Request = max(size.Request, m.Limit-mebibyte)
	}
	return m
}

// useful is true for a cut size that is worth having: it gains a twentieth or, with a smaller multiplier, one step of it.
func (p Policy) useful(cut, size Memory) bool {
	return cut.Limit-size.Limit >= max(1, min(size.Limit/usefulPart, p.scale(size.Limit, 1)-size.Limit))
}

func unbounded(bound int64) int64 {
	if bound <= 0 {
		return math.MaxInt64
	}
	return bound
}

// mulDiv returns a × b / c, rounded down, at most the largest int64; none is negative, and c is not 0.
func mulDiv(a, b, c int64) int64 {
	high, low := bits.Mul64(uint64(a), uint64(b))
	if high >= uint64(c) {
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(high, low, uint64(c))
	return int64(min(quotient, math.MaxInt64))
}
