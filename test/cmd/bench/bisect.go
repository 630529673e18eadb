package main

import "math"

const (
	// closeEnough is the ratio of what was not survived to what was at which the search ends; for slow growth, of which each try takes
	// ten minutes, it is closeEnoughSlow.
	closeEnough     = 1.1
	closeEnoughSlow = 1.25
	// mostSteps is how many rates are tried at most between the first two.
	mostSteps = 6
)

// found is the result of a search: the fastest growth that was survived, 0 for none, and the slowest that was not, 0 for none.
type found struct{ survived, killed float64 }

// search looks for the fastest growth that is survived, between two rates in MiB a second. The fastest is tried first: who
// survives that needs no search. Rates are halved in their ratio, 2 and 32 at 8.
func search(slowest, fastest, closeEnough float64, survives func(rate float64) (bool, error)) (found, error) {
	if alive, err := survives(fastest); err != nil || alive {
		return found{survived: fastest}, err
	}
	f, low := found{killed: fastest}, slowest
	for range mostSteps {
		if f.killed/low <= closeEnough {
			break
		}
		rate := math.Sqrt(low * f.killed)
		alive, err := survives(rate)
		switch {
		case err != nil:
			return f, err
		case alive:
			f.survived, low = rate, rate
		default:
			f.killed = rate
		}
	}
	return f, nil
}
