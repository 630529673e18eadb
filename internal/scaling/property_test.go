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
	return s
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
	before, after, used := s.seen.Size, d.Target, s.seen.Sample.Bytes
	if d.Action != Raise {
		if d.Action != Hold || after != before {
			t.Errorf("%s changes the size from %+v to %+v", d.Action, before, after)
		}
		return
	}
	if after.Limit <= before.Limit {
		t.Errorf("the limit is raised from %d to %d", before.Limit, after.Limit)
	}
	if after.Limit%mebibyte != 0 {
		t.Errorf("the limit %d is not in whole Mi", after.Limit)
	}
	if after.Limit < largest && float64(used) >= s.policy.Threshold*float64(after.Limit) {
		t.Errorf("%d bytes are not below the threshold of the new limit %d", used, after.Limit)
	}
	if after.Request < before.Request {
		t.Errorf("the request is lowered from %d to %d", before.Request, after.Request)
	}
	if (after.Request > 0) != (before.Request > 0) {
		t.Errorf("the request %d became %d", before.Request, after.Request)
	}
}

func TestDecisionsStayInBounds(t *testing.T) {
	raises := 0
	forMany(t, func(t *testing.T, _ *rand.Rand, s situation) {
		d := Decide(s.policy, s.seen, noon)
		checkBounds(t, s, d)
		if d.Action == Raise {
			raises++
		}
	})
	if raises < draws/3 || raises > draws*9/10 {
		t.Errorf("of %d situations %d were raised: they are not varied enough to show anything", draws, raises)
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
		if d.Action != Raise || d.Target.Limit > 1<<50 {
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
		again := s.seen
		again.Size = first.Target
		second := Decide(s.policy, again, noon)
		if second.Action != Hold || second.Target != first.Target {
			t.Errorf("%+v is followed by %+v", first, second)
		}
	})
}
