package main

import (
	"errors"
	"testing"
)

func TestSearchFindsTheFastestThatIsSurvived(t *testing.T) {
	for _, test := range []struct {
		reason           string
		slowest, fastest float64
		limit            float64
		tries            int
	}{
		{"in the middle", 2, 32, 5, 7},
		{"near the slowest", 2, 32, 2.2, 7},
		{"everything is survived", 64, 1500, 4000, 1},
		{"nothing is survived", 2, 32, 1, 7},
	} {
		tries := 0
		f, err := search(test.slowest, test.fastest, closeEnough, func(rate float64) (bool, error) {
			tries++
			return rate <= test.limit, nil
		})
		if err != nil || tries > test.tries {
			t.Errorf("%s: %d tries, %v", test.reason, tries, err)
		}
		if f.survived > test.limit || f.killed != 0 && f.killed <= test.limit {
			t.Errorf("%s: %+v", test.reason, f)
		}
		if f.survived > 0 && f.killed > 0 && f.killed/f.survived > closeEnough*1.05 {
			t.Errorf("%s: %+v is not exact enough", test.reason, f)
		}
	}
	broken := errors.New("broken")
	if _, err := search(2, 32, closeEnough, func(float64) (bool, error) { return false, broken }); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}
