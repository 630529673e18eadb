package scaler

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/test/replay/trace"
	"github.com/kubedemo/memhog-operator/test/replay/world"
)

// ramp is a program that grows by so many MiB a second, from 64 up to a top.
func ramp(rate float64, top, seconds int) trace.Trace {
	return trace.Trace{Name: "ramp", Seconds: seconds, At: func(_, age int) trace.Use {
		return trace.Use{Anonymous: int64(min(float64(top), 64+rate*float64(age)) * trace.MiB)}
	}}
}

// size is a limit that came into effect at a second.
type size struct{ Second, MiB int }

// sizes lets a policy have its way, and returns the limits that came of it, and the container.
func sizes(t *testing.T, name string, tr trace.Trace, o Options) ([]size, *world.Container, Scaler) {
	t.Helper()
	s, declared, err := New(name, tr, o)
	if err != nil {
		t.Fatal(err)
	}
	c := world.New(tr, declared, world.Sources()[0])
	var all []size
	for second := range tr.Seconds {
		c.Pass(second)
		if limit := int(c.Size().Limit / trace.MiB); len(all) == 0 || all[len(all)-1].MiB != limit {
			all = append(all, size{second, limit})
		}
		s.Tick(second, c)
	}
	return all, c, s
}

func options() Options { return Options{Size: DefaultSize, Policy: DefaultPolicy()} }

func TestAncestorMultipliesOnceAtTheThreshold(t *testing.T) {
	// 288 of 384 MiB are reached at 224 s, seen at 232 s, looked at at 240 s; the new Pod runs 30 s later. It begins anew,
	// and reaches 576 of 768 MiB 512 s after that.
	got, c, _ := sizes(t, Ancestor, ramp(1, 600, 900), options())
	want := []size{{0, 384}, {270, 768}, {270 + 512 + 38, 1536}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("limits (-want +got):\n%s", diff)
	}
	if request := c.Size().Request; request != 1024*trace.MiB {
		t.Errorf("request %d, want 1 GiB", request)
	}
}

func TestAncestorCutsTheFractionOff(t *testing.T) {
	o := options()
	o.Policy.Multiplier = 1.5
	got, c, _ := sizes(t, Ancestor, ramp(1, 300, 900), o)
	if len(got) != 1 || c.Counts().Restarts == 0 {
		t.Errorf("limits %v after %d restarts, want the same one again and again", got, c.Counts().Restarts)
	}
}

func TestAncestorHasNoAnswerToAKill(t *testing.T) {
	steps := trace.Trace{Name: "step", Seconds: 600, At: func(second, _ int) trace.Use {
		return trace.Use{Anonymous: int64(100+300*(second/300)) * trace.MiB}
	}}
	got, c, _ := sizes(t, Ancestor, steps, options())
	if len(got) != 1 || c.Counts().OOMKills < 5 {
		t.Errorf("limits %v and %d kills, want 384 MiB and kills without end", got, c.Counts().OOMKills)
	}
}

func TestVPAEvictsAfterAQuickKill(t *testing.T) {
	// Killed at 161 s. At 180 s the recommender hears of it: at 120 s it saw the 288 MiB of 112 s, so 388 MiB count. At 210 s
	// the updater evicts.
	got, c, _ := sizes(t, VPA, ramp(2, 400, 300), options())
	if len(got) != 2 || got[1].Second != 211 || c.Counts().OOMKills != 1 || c.Counts().Restarts != 1 {
		t.Fatalf("limits %v, %+v; want one kill, and an eviction at 210 s", got, c.Counts())
	}
	// They are 406.8 MB, in a bucket that ends at 2e8 × (1.05^23 - 1) = 414.3 MB. With 15 % that makes 454.4 MiB.
	if size := c.Size(); size.Request/trace.MiB != 454 || size.Limit != size.Request*3/2 {
		t.Errorf("size %+v, want a request of 454 MiB and a bit, and a limit in proportion", size)
	}
}

func TestOracleIsTheLeastThatWillDo(t *testing.T) {
	got, c, _ := sizes(t, Oracle, ramp(1, 500, 600), options())
	if want := []size{{0, 500}}; !slices.Equal(got, want) || c.Counts() != (world.Counts{}) {
		t.Errorf("limits %v, %+v; want %v and nothing to count", got, c.Counts(), want)
	}
	if request := c.Size().Request; request != 500*trace.MiB*2/3 {
		t.Errorf("request %d, want two thirds of the limit", request)
	}
	if huge := foreseen(ramp(1000, 100_000, 600), DefaultSize); huge.Limit != world.Node {
		t.Errorf("limit %d, want what the node has", huge.Limit)
	}
}

func TestOursRaisesAndAccounts(t *testing.T) {
	for _, inPlace := range []bool{false, true} {
		o := options()
		o.InPlace = inPlace
		_, c, s := sizes(t, Ours, ramp(1, 500, 1200), o)
		if got := c.Size(); got != (scaling.Memory{Request: 512 * trace.MiB, Limit: 768 * trace.MiB}) {
			t.Errorf("in place %v: size %+v, want 512Mi/768Mi", inPlace, got)
		}
		if got, want := c.Counts().Restarts, map[bool]int{false: 1, true: 0}[inPlace]; got != want || c.Counts().OOMKills != 0 {
			t.Errorf("in place %v: %+v, want %d restarts and no kill", inPlace, c.Counts(), want)
		}
		var reasons []scaling.Reason
		for _, d := range s.Account() {
			reasons = append(reasons, d.Reason)
		}
		want := []scaling.Reason{scaling.ReasonStaleSample, scaling.ReasonNormal, scaling.ReasonAboveThreshold}
		if !inPlace {
			want = append(want, scaling.ReasonRolloutInProgress, scaling.ReasonStaleSample)
		}
		if diff := cmp.Diff(append(want, scaling.ReasonNormal), reasons); diff != "" {
			t.Errorf("in place %v: account (-want +got):\n%s", inPlace, diff)
		}
	}
}

func TestOursLowersWhenAskedTo(t *testing.T) {
	peak := trace.Trace{Name: "peak", Seconds: 20 * 3600, At: func(second, _ int) trace.Use {
		if second > 600 && second < 1200 {
			return trace.Use{Anonymous: 300 * trace.MiB}
		}
		return trace.Use{Anonymous: 100 * trace.MiB}
	}}
	for name, want := range map[string][]int{Ours: {384, 768}, OursDown: {384, 768, 384}} {
		got, _, _ := sizes(t, name, peak, options())
		var limits []int
		for _, s := range got {
			limits = append(limits, s.MiB)
		}
		if diff := cmp.Diff(want, limits); diff != "" {
			t.Errorf("%s: limits (-want +got):\n%s", name, diff)
		}
	}
}

func TestNames(t *testing.T) {
	for _, name := range Names() {
		if err := Check(name); err != nil {
			t.Error(err)
		}
		if _, _, err := New(name, ramp(1, 100, 10), options()); err != nil {
			t.Error(err)
		}
	}
	if err := Check("guess"); err == nil || err.Error() != `policy "guess": want one of none, ancestor, vpa, ours, ours-down, oracle` {
		t.Errorf("error %v, want one with all names", err)
	}
}
