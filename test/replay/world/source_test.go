package world

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ages returns how old the newest sample is at each tick of 5 s, in seconds; -1 where there is none.
func ages(t *testing.T, name string, from, to int) []int {
	t.Helper()
	source, err := SourceOf(name)
	if err != nil {
		t.Fatal(err)
	}
	c := New(demand(100), small, source)
	var all []int
	for second := range to {
		c.Pass(second)
		if second < from || second%5 != 0 {
			continue
		}
		age := -1
		if at := c.Sample().Time; !at.IsZero() {
			age = int(Time(second).Sub(at) / time.Second)
		}
		all = append(all, age)
	}
	return all
}

func TestSamplesHaveTheirAge(t *testing.T) {
	for _, test := range []struct {
		source string
		want   []int
	}{
		{"kubelet", []int{-1, -1, 3, 8, 13, 3, 8, 13, 3}},
		{"cri", []int{0, 0, 0, 0, 0, 0, 0, 0, 0}},
		{"prometheus", []int{-1, -1, -1, -1, 13, 18, 23, 28, 33, 38, 13, 18}},
	} {
		if diff := cmp.Diff(test.want, ages(t, test.source, 0, 5*len(test.want))); diff != "" {
			t.Errorf("ages by %s (-want +got):\n%s", test.source, diff)
		}
	}
	if _, err := SourceOf("guess"); err == nil {
		t.Error("want an error of a source that there is not")
	}
}

func TestSamplesAreOfTheProcessThatRuns(t *testing.T) {
	c := New(demand(100, 200, 300, 400), small, Source{Period: 3})
	for second, want := range []int64{100, 100, 100, 0, 0} { // killed at second 3
		c.Pass(second)
		if got := c.Sample().Bytes / mib; got != want {
			t.Errorf("second %d: %d MiB, want %d", second, got, want)
		}
	}
	pass(c, 5, 14)
	if got := c.Sample(); !got.Time.IsZero() {
		t.Errorf("after the restart at second 13: %+v, want none before the next measurement", got)
	}
	pass(c, 14, 16)
	if got := c.Sample().Bytes; got != 300*mib {
		t.Errorf("then %d, want 300 MiB", got)
	}
}

func TestPhases(t *testing.T) {
	for name, want := range map[string]int{"kubelet": 15, "cri": 1, "prometheus": 30} {
		source, err := SourceOf(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(source.Phases()); got != want {
			t.Errorf("%s has %d phases, want %d", name, got, want)
		}
	}
}
