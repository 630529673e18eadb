package scaling

import (
	"math"
	"testing"
	"time"
)

// every is the pause between samples.
type every time.Duration

// history remembers these MiB, the last of them measured at noon, with a peak over an hour.
func history(pause every, mebibytes ...int64) *History {
	h := &History{}
	for i, m := range mebibytes {
		h.Add(Sample{Bytes: m * mebibyte, Time: noon.Add(-time.Duration(pause) * time.Duration(len(mebibytes)-1-i))}, time.Hour)
	}
	return h
}

// mibPerSecond is the slope of samples that are ten seconds apart.
func mibPerSecond(mebibytes ...int64) float64 {
	return history(every(10*time.Second), mebibytes...).Slope() / mebibyte
}

func TestTheSlopeIsRobust(t *testing.T) {
	for _, tt := range []struct {
		reason string
		used   []int64
		want   float64 // MiB/s
	}{
		{"nothing is known of nothing", nil, 0},
		{"three samples are too few", []int64{100, 110, 120}, 0},
		{"steady growth", []int64{100, 110, 120, 130}, 1},
		{"steady growth for long", []int64{100, 110, 120, 130, 140, 150, 160, 170, 180, 190, 200, 210, 220, 230}, 1},
		{"no growth", []int64{100, 100, 100, 100}, 0},
		{"what shrinks does not grow", []int64{130, 120, 110, 100}, 0},
		{"a step that has just come", []int64{100, 100, 100, 200}, 0},
		{"a step that came before", []int64{100, 100, 200, 200}, 0},
		{"a step that came long before", []int64{100, 200, 200, 200}, 0},
		{"a step among many", []int64{100, 100, 100, 100, 100, 100, 300, 300, 300, 300, 300, 300}, 0},
		{"a step among many, just come", []int64{100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 300, 300}, 0},
		{"one outlier above", []int64{100, 100, 100, 300, 100, 100, 100, 101}, 0},
		{"one outlier above growth", []int64{100, 110, 400, 130, 140, 150, 160, 170}, 0}, // less than what was survived
		{"use that has begun to fall", []int64{100, 110, 120, 130, 140, 150, 200, 190}, 0},
		{"one outlier below growth", []int64{100, 110, 120, 130, 10, 150, 160, 170}, 1},
		{"growth that has ended", []int64{100, 110, 120, 130, 140, 150, 150, 150, 150, 150, 150, 150}, 0},
		{"growth that slows down counts as it is now", []int64{100, 120, 140, 160, 170, 175, 180, 185}, 0.5},
		{"growth that begins after a rest", []int64{100, 100, 100, 100, 120, 140, 160, 180}, 2},
		{"and has not been seen for long enough", []int64{100, 100, 100, 100, 100, 100, 120, 140}, 0},
		{"a second tooth of a saw, as high as the first", []int64{100, 150, 200, 250, 100, 120, 140, 160, 180, 200, 220, 255}, 0},
		{"a tooth that is still lower than the one before", []int64{100, 150, 200, 250, 150, 160, 170, 180, 190, 200, 210, 249}, 0},
		{"the same with the first tooth out of sight", []int64{300, 100, 120, 140, 160, 180, 200, 220, 240, 260, 280, 290, 305}, 0},
		{"a tooth that grows beyond the first", []int64{300, 100, 120, 140, 160, 180, 200, 220, 240, 260, 280, 300, 320}, 2},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			if got := mibPerSecond(tt.used...); math.Abs(got-tt.want) > 0.001 {
				t.Errorf("%s: %v grows by %v MiB/s, want %v", tt.reason, tt.used, got, tt.want)
			}
		})
	}
}

func TestTheSlopeLooksAtRecentSamplesOnly(t *testing.T) {
	if got := history(every(4*time.Minute), 100, 110, 120, 130).Slope(); got != 0 {
		t.Errorf("of four samples three are recent, which are too few, but the slope is %v", got)
	}
	want := 10.0 * mebibyte / (200 * time.Second).Seconds()
	if got := history(every(200*time.Second), 100, 110, 120, 130).Slope(); math.Abs(got-want) > 1 {
		t.Errorf("four samples of exactly ten minutes: slope %v, want %v", got, want)
	}
}

func TestTheHistoryStartsAnew(t *testing.T) {
	grown := func() *History { return history(every(10*time.Second), 100, 110, 120, 130) }
	for _, tt := range []struct {
		reason string
		next   Sample
		count  int
	}{
		{"a sample that is known is not remembered twice", Sample{Bytes: 1, Time: noon}, 4},
		{"no sample", Sample{}, 4},
		{"a negative use is none", Sample{Bytes: -1, Time: noon.Add(time.Second)}, 4},
		{"no use is one", Sample{Bytes: 0, Time: noon.Add(time.Second)}, 5},
		{"the next sample", Sample{Bytes: 1, Time: noon.Add(time.Second)}, 5},
		{"a gap that may be", Sample{Bytes: 1, Time: noon.Add(10 * time.Minute)}, 5},
		{"a gap that is too long", Sample{Bytes: 1, Time: noon.Add(10*time.Minute + 1)}, 1},
		{"a clock that was set back", Sample{Bytes: 1, Time: noon.Add(-1)}, 1},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			h := grown()
			h.Add(tt.next, time.Hour)
			if h.count != tt.count {
				t.Errorf("%s: %d samples are remembered, want %d", tt.reason, h.count, tt.count)
			}
		})
	}
}

func TestThePeriodIsTheLongestPause(t *testing.T) {
	var none *History
	if none.Period() != 0 || (&History{}).Period() != 0 {
		t.Error("nothing has a period")
	}
	h := history(every(10*time.Second), 1, 2)
	h.Add(Sample{Bytes: 3, Time: noon.Add(25 * time.Second)}, time.Hour)
	h.Add(Sample{Bytes: 4, Time: noon.Add(30 * time.Second)}, time.Hour)
	if got := h.Period(); got != 25*time.Second {
		t.Errorf("pauses of 10 s, 25 s and 5 s: period %s", got)
	}
}

func TestThePeakIsThatOfASpanSeenFromEndToEnd(t *testing.T) {
	var none *History
	if _, known := none.Peak(); known {
		t.Error("nothing has a peak")
	}
	for _, tt := range []struct {
		reason string
		used   []int64 // every ten minutes
		want   int64   // MiB; 0: not known
	}{
		{"less than an hour", []int64{9, 1, 1, 1, 1, 1}, 0},
		{"an hour to the minute", []int64{9, 1, 1, 1, 1, 1, 1}, 9},
		{"two hours less a moment still know the beginning", []int64{9, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 9},
		{"after two hours it is forgotten", []int64{9, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 1},
		{"what comes later counts at once", []int64{1, 1, 1, 1, 1, 1, 1, 5}, 5},
		{"the sample at the end of the span counts", []int64{1, 1, 1, 1, 1, 1, 7}, 7},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			got, known := history(every(10*time.Minute), tt.used...).Peak()
			if got != tt.want*mebibyte || known != (tt.want > 0) {
				t.Errorf("%s: peak %d, known: %t, want %dMi", tt.reason, got, known, tt.want)
			}
		})
	}
}

func TestThePeakOfAnotherSpanIsNotKnownYet(t *testing.T) {
	h := &History{}
	add := func(minute int, span time.Duration) {
		h.Add(Sample{Bytes: int64(500-minute) * mebibyte, Time: noon.Add(time.Duration(minute) * time.Minute)}, span)
	}
	for minute := range 30 {
		add(minute, 0)
	}
	if _, known := h.Peak(); known {
		t.Error("the peak of no time is known")
	}
	for minute := 30; minute < 40; minute++ {
		add(minute, 10*time.Minute)
		if _, known := h.Peak(); known {
			t.Fatalf("the peak of ten minutes is known after %d", minute-30)
		}
	}
	add(40, 10*time.Minute)
	if got, known := h.Peak(); !known || got != 470*mebibyte {
		t.Errorf("the peak is %d, known: %t; want 470Mi", got, known)
	}
	add(41, 20*time.Minute)
	if _, known := h.Peak(); known {
		t.Error("the peak of twenty minutes is known after eleven")
	}
}

func TestUseHasLevelledOffAfterHalfAnHourWithoutGrowth(t *testing.T) {
	var none *History
	if none.Levelled(noon, 0) || (&History{}).Levelled(noon, 0) {
		t.Error("nothing has levelled off")
	}
	for _, tt := range []struct {
		reason string
		used   []int64 // every five minutes
		later  time.Duration
		want   bool
	}{
		{"half an hour of the same", []int64{100, 100, 100, 100, 100, 100, 100}, 0, true},
		{"a little less", []int64{100, 100, 100, 100, 100, 100}, 5*time.Minute - 1, false},
		{"the last minutes unseen", []int64{100, 100, 100, 100, 100, 100}, 5 * time.Minute, true},
		{"unseen for as long as may be", []int64{100, 100, 100, 100, 100, 100, 100}, 10 * time.Minute, true},
		{"unseen for too long", []int64{100, 100, 100, 100, 100, 100, 100}, 10*time.Minute + 1, false},
		{"growth by a twentieth is none", []int64{100, 101, 102, 103, 104, 105, 105}, 0, true},
		{"growth by more is", []int64{100, 101, 102, 103, 104, 105, 106}, 0, false},
		{"growth long ago", []int64{50, 100, 100, 100, 100, 100, 100, 100}, 0, true},
		{"use that comes and goes below its peak", []int64{100, 10, 90, 10, 90, 10, 99}, 0, true},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			h := history(every(5*time.Minute), tt.used...)
			if got := h.Levelled(noon.Add(tt.later), 30*time.Minute); got != tt.want {
				t.Errorf("%s: levelled off: %t, want %t", tt.reason, got, tt.want)
			}
		})
	}
}
