package trace

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// within returns the anonymous MiB of the seconds from begin to before end, as they are when nothing is restarted.
func within(t Trace, begin, end int) []float64 {
	var all []float64
	started := 0
	for second := range end {
		if t.Restarts != nil && t.Restarts(second) {
			started = second
		}
		if second >= begin {
			all = append(all, float64(t.At(second, second-started).Anonymous)/MiB)
		}
	}
	return all
}

func extremes(values []float64) (low, high float64) {
	low, high = values[0], values[0]
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	return low, high
}

// wantRange fails unless the lowest and the highest are where they should be, to a hundredth.
func wantRange(t *testing.T, what string, values []float64, low, high float64) {
	t.Helper()
	gotLow, gotHigh := extremes(values)
	if gotLow < low*0.99 || gotLow > low*1.01 || gotHigh < high*0.99 || gotHigh > high*1.01 {
		t.Errorf("%s is from %.1f to %.1f MiB, want from about %.1f to %.1f", what, gotLow, gotHigh, low, high)
	}
}

func TestBuiltinTracesAreTheSameEachTime(t *testing.T) {
	first, second := Builtin(), Builtin()
	for i := range first {
		if diff := cmp.Diff(within(first[i], 0, first[i].Seconds), within(second[i], 0, second[i].Seconds)); diff != "" {
			t.Errorf("%s differs from one time to the next:\n%.500s", first[i].Name, diff)
		}
	}
}

func TestBuiltinTracesAreSane(t *testing.T) {
	names := map[string]bool{}
	for _, trace := range Builtin() {
		if names[trace.Name] || trace.Name == "" || trace.Story == "" {
			t.Errorf("%q: want a name of its own, and a story", trace.Name)
		}
		names[trace.Name] = true
		for second := range trace.Seconds {
			for _, age := range []int{0, second} {
				if use := trace.At(second, age); use.Anonymous <= 0 || use.Reclaimable < 0 {
					t.Fatalf("%s at second %d, age %d: %+v", trace.Name, second, age, use)
				}
			}
		}
	}
}

func TestLeakNeverGivesBack(t *testing.T) {
	used := within(leak(), 0, leak().Seconds)
	for i := 1; i < len(used); i++ {
		if used[i] <= used[i-1] {
			t.Fatalf("%.1f MiB after %.1f at second %d", used[i], used[i-1], i)
		}
	}
	if again := leak().At(leak().Seconds-1, 0).Anonymous; again != 64*MiB {
		t.Errorf("a process begins with %d bytes, want 64 MiB whenever it starts", again)
	}
}

func TestStepDoublesAtOnce(t *testing.T) {
	s := step()
	for i, mebibytes := range []float64{90, 180, 360, 720} {
		wantRange(t, "a step", within(s, i*40*minute, (i+1)*40*minute), mebibytes*0.99, mebibytes*1.01)
	}
}

func TestBurstsReturnToTheBase(t *testing.T) {
	b := burst()
	wantRange(t, "all", within(b, 0, b.Seconds), 147, 595)
	used, bursts, length := within(b, 0, b.Seconds), 0, 0
	for i, v := range used {
		switch above := v > 200; {
		case above && used[i-1] <= 200:
			bursts, length = bursts+1, 1
		case above:
			length++
		case length > 0:
			if length < 50 || length > 300 {
				t.Errorf("a burst of %d s ends at second %d, want 1 to 5 minutes", length, i)
			}
			length = 0
		}
	}
	if bursts < 9 || bursts > 18 {
		t.Errorf("%d bursts in 6 hours, want one every 20 to 40 minutes", bursts)
	}
}

func TestSawtoothCollects(t *testing.T) {
	used := within(sawtooth(), 0, sawtooth().Seconds)
	wantRange(t, "the heap", used, 123.5, 273)
	drops := 0
	for i := 1; i < len(used); i++ {
		if used[i] < used[i-1] {
			drops++
		}
	}
	if drops < 4*hour/105 || drops > 4*hour/75 {
		t.Errorf("%d collections in 4 hours, want one every 75 to 105 s", drops)
	}
}

func TestPlateauEnds(t *testing.T) {
	p := plateau()
	wantRange(t, "the plateau", within(p, 8*minute, p.Seconds), 475.2, 484.8)
	wantRange(t, "the start", within(p, 0, 1), 40, 40)
	if late := p.At(2*hour, 0).Anonymous; late > 41*MiB {
		t.Errorf("a process that starts late begins with %d bytes, want 40 MiB", late)
	}
}

func TestDailyFollowsTheSun(t *testing.T) {
	d := daily()
	for i := range 3 {
		wantRange(t, "midnight", within(d, i*day, i*day+10*minute), 117.6, 122.4)
		wantRange(t, "noon", within(d, i*day+12*hour-5*minute, i*day+12*hour+5*minute), 392, 408)
	}
	if d.At(hour, 0) != d.At(hour, hour) {
		t.Error("the load comes from outside, and does not care when the process started")
	}
}

func TestReaderNeedsLittle(t *testing.T) {
	r := reader()
	if got, want := r.At(0, 0), (Use{Anonymous: 90 * MiB}); got != want {
		t.Errorf("begins with %+v, want %+v", got, want)
	}
	if got, want := r.At(hour, hour), (Use{Anonymous: 90 * MiB, Reclaimable: 1024 * MiB}); got != want {
		t.Errorf("ends with %+v, want %+v", got, want)
	}
}

func TestNightlyRestartsAtMidnight(t *testing.T) {
	n := nightly()
	for i := range 3 {
		wantRange(t, "a day", within(n, i*day, (i+1)*day), 80, 656)
	}
	if n.Restarts(0) || !n.Restarts(day) || n.Restarts(day+1) {
		t.Error("want a restart at midnight, but for the first")
	}
	if got := n.Peak() / MiB; got != 655 {
		t.Errorf("peak of %d whole MiB, want 655: 80 and 24 times 23 hours 59 minutes 59 seconds", got)
	}
}
