package scaling

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"
)

// A situation is one thing to decide.
type situation struct {
	policy Policy
	seen   Observation
}

// draws is how many situations each property is tried on.
const draws = 20_000

// forMany tries a property on situations that are the same at every run, so that what fails can be looked at again.
func forMany(t *testing.T, property func(*testing.T, *rand.Rand, situation)) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	for range draws {
		s := draw(r)
		property(t, r, s)
		if t.Failed() {
			t.Fatalf("in this situation: %+v", s)
		}
	}
}

// draw makes containers of every order of magnitude, most of them near or above their threshold.
func draw(r *rand.Rand) situation {
	s := situation{policy: Policy{Threshold: drawThreshold(r), Multiplier: drawMultiplier(r), MaxSampleAge: time.Minute}}
	limit := drawBytes(r)
	request := []int64{0, limit, 1 + r.Int64N(limit), max(limit-mebibyte, 0)}[r.IntN(4)]
	var used int64
	switch threshold := s.policy.Threshold * float64(limit); r.IntN(4) {
	case 0:
		used = drawBytes(r)
	case 1: // as near as can be to the threshold of a limit that a raise may end at
		used = clamp(threshold * float64(1+r.IntN(8)))
	default:
		used = clamp(threshold * math.Exp(r.Float64()*4-1))
	}
	s.seen = use(used, Memory{Request: request, Limit: limit})
	if r.IntN(2) == 0 {
		drawWorld(r, &s)
	}
	return s
}

// drawWorld puts the container into a world that has bounds, a past and a future.
func drawWorld(r *rand.Rand, s *situation) {
	size := s.seen.Size
	s.policy.Forecasts, s.policy.LowerAfter = r.IntN(2) == 0, time.Hour*time.Duration(min(1, r.IntN(4)))
	s.policy.Budget = Budget{Raises: r.IntN(4), Window: time.Hour}
	s.policy.MaxLimit = drawBound(r, size.Limit)
	for _, b := range []*Memory{&s.seen.Bounds.LimitRange, &s.seen.Bounds.Quota, &s.seen.Bounds.Node} {
		*b = Memory{Request: drawBound(r, max(size.Request, 1)), Limit: drawBound(r, size.Limit)}
	}
	s.seen.Disruptive, s.seen.Reaction = r.IntN(2) == 0, time.Duration(r.Int64N(int64(time.Hour)))
	if !s.seen.Disruptive && r.IntN(2) == 0 {
		drawLadder(r, s)
	}
	if r.IntN(2) == 0 { // far from the threshold, where only the past can be a reason to act
		s.seen.Sample.Bytes = clamp(s.policy.Threshold * float64(size.Limit) * math.Pow(r.Float64(), float64(r.IntN(4))))
	}
	s.seen.History = drawHistory(r, s.seen.Sample.Bytes)
	if r.IntN(4) == 0 {
		s.seen.OOMKilledAt = noon.Add(-time.Duration(r.Int64N(int64(time.Hour) << r.IntN(7))))
	}
	if r.IntN(2) == 0 {
		s.seen.Declared = Memory{Request: size.Request / 4, Limit: size.Limit / 4}
	}
	if r.IntN(8) == 0 {
		s.seen.Durable = Memory{Request: clamp(float64(size.Request) * 1.5), Limit: clamp(float64(size.Limit) * 1.5)}.like(size)
		s.seen.Durable.Request *= min(1, size.Request)
	}
	for range r.IntN(4) {
		s.seen.Raises = append(s.seen.Raises, noon.Add(-time.Duration(r.Int64N(int64(2*time.Hour)))))
	}
}

// drawLadder has a rollout to fall back on, and what may stand in the way of a resize in place.
func drawLadder(r *rand.Rand, s *situation) {
	s.seen.Means, s.seen.Fallback = InPlace, s.seen.Way
	s.seen.Fallback.Means, s.seen.Fallback.Disruptive = Rollout, true
	s.seen.Obstacle = []Reason{"", "", ReasonInPlaceUnavailable}[r.IntN(3)]
	s.seen.Refused, s.seen.RefusedFor = Memory{Limit: drawBound(r, s.seen.Size.Limit)}, ReasonNodeFull
	s.seen.Bounds.Node = Memory{Request: drawBound(r, max(s.seen.Size.Request, 1))}
	if r.IntN(8) == 0 {
		s.seen.Resize = Resize{State: ResizeState(r.IntN(4)), Since: noon.Add(-time.Minute), Actual: s.seen.Declared}
	}
}

// drawBound returns no bound, or one that is near.
func drawBound(r *rand.Rand, bytes int64) int64 {
	if r.IntN(2) == 0 {
		return 0
	}
	return clamp(float64(bytes) * (0.5 + 3*r.Float64()))
}

// drawHistory ends with the newest use, at noon, and was seen for some hours.
func drawHistory(r *rand.Rand, newest int64) *History {
	h := &History{}
	pause := time.Duration(1 + r.Int64N(int64(10*time.Minute)>>(4*r.IntN(2))))
	begin, noise := r.Float64(), 0.1*r.Float64()*float64(r.IntN(2))
	for i := range 30 {
		bytes := float64(newest) * (begin + (1-begin)*float64(i)/30)
		h.Add(Sample{Bytes: clamp(bytes * (1 - noise*r.Float64())), Time: noon.Add(-pause * time.Duration(30-i))}, time.Hour)
	}
	h.Add(Sample{Bytes: newest, Time: noon}, time.Hour)
	return h
}

func drawThreshold(r *rand.Rand) float64 {
	switch r.IntN(4) {
	case 0:
		return float64(1+r.IntN(100)) / 100
	case 1:
		return math.Exp(-30 * r.Float64())
	default:
		return 1 - r.Float64()*0.9
	}
}

func drawMultiplier(r *rand.Rand) float64 {
	switch r.IntN(4) {
	case 0:
		return float64(11+r.IntN(90)) / 10
	case 1:
		return 1 + math.Exp(-30*r.Float64())
	default:
		return 1 + r.Float64()*9 + 1e-9
	}
}

// drawBytes returns from 1 byte to the largest int64, half of the time in whole Mi.
func drawBytes(r *rand.Rand) int64 {
	bytes := clamp(math.Exp2(r.Float64() * 63))
	if r.IntN(2) == 0 {
		bytes = max(bytes/mebibyte, 1) * mebibyte
	}
	return bytes
}

func clamp(bytes float64) int64 {
	if bytes >= math.MaxInt64 {
		return math.MaxInt64
	}
	return max(1, int64(bytes))
}

// checkBounds holds for every decision there is, whatever it was decided upon.
func checkBounds(t *testing.T, s situation, d Decision) {
	t.Helper()
	before, after := s.seen.Size, d.Target
	switch d.Action {
	case Raise:
		checkRaise(t, s, d)
	case Lower:
		if after.Limit >= before.Limit || after.Request > before.Request {
			t.Errorf("lowered from %+v to %+v", before, after)
		}
		if after.Limit < s.seen.Declared.Limit || after.Request < s.seen.Declared.Request {
			t.Errorf("lowered to %+v, below the declared %+v", after, s.seen.Declared)
		}
		if !s.seen.OOMKilledAt.IsZero() && noon.Sub(s.seen.OOMKilledAt) < 24*time.Hour {
			t.Errorf("lowered %s after an OOM kill", noon.Sub(s.seen.OOMKilledAt))
		}
		if s.policy.reached(s.seen.Sample.Bytes, after.Limit) {
			t.Errorf("lowered to %+v, of which %d bytes are in use", after, s.seen.Sample.Bytes)
		}
	case Rollback:
		if d.Means == InPlace && after == s.seen.Resize.Actual {
			return
		}
		if !s.seen.RolloutStuck || after != s.seen.Previous {
			t.Errorf("rolled back to %+v", after)
		}
	default:
		if d.Action != Hold || after != before {
			t.Errorf("%s changes the size from %+v to %+v", d.Action, before, after)
		}
	}
}

func checkRaise(t *testing.T, s situation, d Decision) {
	t.Helper()
	before, after, used := s.seen.Size, d.Target, s.seen.Sample.Bytes
	if after.Limit <= before.Limit {
		t.Errorf("the limit is raised from %d to %d", before.Limit, after.Limit)
	}
	if after.Limit%mebibyte != 0 && d.Reason != ReasonCatchUp {
		t.Errorf("the limit %d is not in whole Mi", after.Limit)
	}
	if d.Reason == ReasonAboveThreshold && d.LimitedBy == "" && after.Limit < largest && s.policy.reached(used, after.Limit) {
		t.Errorf("%d bytes are not below the threshold of the new limit %d", used, after.Limit)
	}
	if after.Request < before.Request {
		t.Errorf("the request is lowered from %d to %d", before.Request, after.Request)
	}
	if (after.Request > 0) != (before.Request > 0) {
		t.Errorf("the request %d became %d", before.Request, after.Request)
	}
	if d.Instead != "" {
		s.seen.Way = s.seen.Fallback
	}
	if half := s.seen.halfway(before); half.Limit > 0 && after.Limit > half.Limit {
		t.Errorf("the limit is raised to %d, of which %+v was refused", after.Limit, s.seen.Refused)
	}
	if d.Reason == ReasonOOMKilled && s.seen.Disruptive {
		s.seen.Bounds.Node.Request = 0 // what a node has left is asked for, not obeyed
	}
	for _, bound := range []Memory{{Limit: s.policy.MaxLimit}, s.seen.Bounds.LimitRange, s.seen.Bounds.Quota, s.seen.Bounds.Node} {
		if after.Limit > unbounded(bound.Limit) || before.Request > 0 && after.Request > max(before.Request, unbounded(bound.Request)) {
			t.Errorf("%+v is raised to %+v, above the bound %+v", before, after, bound)
		}
	}
}

func TestDecisionsStayInBounds(t *testing.T) {
	counts := map[Reason]int{}
	forMany(t, func(t *testing.T, _ *rand.Rand, s situation) {
		d := Decide(s.policy, s.seen, noon)
		checkBounds(t, s, d)
		counts[d.Reason]++
		if d.LimitedBy != "" {
			counts["LimitedBy"]++
		}
	})
	for _, often := range []Reason{
		ReasonAboveThreshold, ReasonForecastOOM, ReasonOOMKilled, ReasonCatchUp, ReasonIdle, ReasonNormal, ReasonAtMaximum,
		ReasonAtLimitRange, ReasonQuotaExceeded, ReasonNodeFull, ReasonGrowthBudgetExhausted, "LimitedBy",
	} {
		if counts[often] < draws/400 {
			t.Errorf("of %d situations %d ended in %s: they are not varied enough to show anything", draws, counts[often], often)
		}
	}
}

func TestARaiseKeepsTheClassOfServiceAndTheRatioToTheRequest(t *testing.T) {
	forMany(t, func(t *testing.T, _ *rand.Rand, s situation) {
		d, before := Decide(s.policy, s.seen, noon), s.seen.Size
		if d.Action != Raise {
			return
		}
		if (d.Target.Request == d.Target.Limit) != (before.Request == before.Limit) {
			t.Errorf("%+v became %+v", before, d.Target)
		}
		if d.Reason == ReasonCatchUp {
			return // a size that is only copied
		}
		if d.Target.Request%mebibyte != 0 && d.Target.Request != before.Request {
			t.Errorf("the request became %d, which is not in whole Mi", d.Target.Request)
		}
		if d.Target.Limit == largest {
			return // where the limit is cut, the ratio cannot be kept
		}
		exact := float64(before.Request) * float64(d.Target.Limit) / float64(before.Limit)
		if off := math.Abs(float64(d.Target.Request) - exact); off > mebibyte+2+exact*1e-12 {
			t.Errorf("%+v became %+v: the request is off by %v bytes", before, d.Target, off)
		}
	})
}

func TestARaiseTakesTheFewestSteps(t *testing.T) {
	forMany(t, func(t *testing.T, _ *rand.Rand, s situation) {
		// Trying every step takes a multiplier that gets somewhere, and exact results take sizes that a float can hold.
		if s.policy.Multiplier < 1.01 || s.seen.Size.Limit > 1<<50 {
			return
		}
		d := Decide(s.policy, s.seen, noon)
		if d.Reason != ReasonAboveThreshold || d.LimitedBy != "" || d.Target.Limit > 1<<50 {
			return
		}
		if want := stepByStep(s); d.Target.Limit != want {
			t.Errorf("the limit should become %d, not %d", want, d.Target.Limit)
		}
	})
}

// stepByStep multiplies exactly, one step at a time, until the use is below the threshold.
func stepByStep(s situation) int64 {
	const precision = 4096 // enough for the exact product of any number of steps that can occur
	exact := new(big.Float).SetPrec(precision).SetInt64(s.seen.Size.Limit)
	factor := big.NewFloat(s.policy.Multiplier)
	for {
		exact.Mul(exact, factor)
		bytes := new(big.Float).Sub(exact, big.NewFloat(1))
		whole, _ := bytes.Quo(bytes, big.NewFloat(mebibyte)).Int64()
		limit := (whole + 1) * mebibyte
		if float64(s.seen.Sample.Bytes) < s.policy.Threshold*float64(limit) {
			return limit
		}
	}
}

func TestMoreUseNeverGetsASmallerSize(t *testing.T) {
	forMany(t, func(t *testing.T, r *rand.Rand, s situation) {
		less := Decide(s.policy, s.seen, noon).Target
		more := s
		more.seen.Sample.Bytes += r.Int64N(math.MaxInt64 - s.seen.Sample.Bytes + 1)
		if r.IntN(2) == 0 {
			more.seen.Sample.Bytes = clamp(float64(s.seen.Sample.Bytes) * (1 + r.Float64()))
		}
		if got := Decide(more.policy, more.seen, noon).Target; got.Limit < less.Limit || got.Request < less.Request {
			t.Errorf("%d bytes get %+v, but %d bytes only %+v",
				s.seen.Sample.Bytes, less, more.seen.Sample.Bytes, got)
		}
	})
}

func TestDecidingTwiceChangesNothing(t *testing.T) {
	forMany(t, func(t *testing.T, _ *rand.Rand, s situation) {
		first := Decide(s.policy, s.seen, noon)
		if first.Reason == ReasonCatchUp {
			return // what a replica catches up with may not be enough for it
		}
		tiny := first.Target.Request > 0 && first.Target.Request < 64*mebibyte || s.policy.Multiplier < 1.05
		if first.LimitedBy != "" && tiny {
			return // rounding to whole Mi changes the proportion of request and limit, which for tiny ones leaves room for more
		}
		again := s.seen
		if first.LimitedBy != "" && s.seen.Fallback.Means != "" {
			return // half of what was refused is followed by half of the rest, and a part that will not do by a rollout
		}
		if s.seen.Resize.State != ResizeSettled {
			return // what comes of it is decided upon anew
		}
		again.Size, again.LastChange, again.OOMAnswered = first.Target, noon, again.OOMKilledAt
		again.History = nil // the new size is another container's, or too new for a trend
		second := Decide(s.policy, again, noon)
		if second.Action != Hold || second.Target != first.Target {
			t.Errorf("%+v is followed by %+v", first, second)
		}
	})
}
