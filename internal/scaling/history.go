package scaling

import (
	"slices"
	"time"
)

const (
	// remembered is how many samples a forecast is made from, and enough how few it can be made from: of four, one that
	// is off does not yet decide (see Slope). More would see growth later that begins after a rest.
	remembered = 8
	enough     = 4

	// recent is how far back a sample still says something about the trend, and how long a gap between two may be.
	recent = 10 * time.Minute

	// levelGrowth is the factor up to which use may grow and still counts as level.
	levelGrowth = 1.05

	// newGround is how far above all earlier use the newest must be for a forecast. What was survived before needs none:
	// every tooth of a garbage collector's saw looks like a leak until it ends.
	newGround = 1.02
)

// History is what is remembered of one container's memory use since it started. The zero value remembers nothing.
type History struct {
	samples [remembered]Sample // the newest count of them, oldest first
	count   int
	// before is the highest use of all that is no longer among the samples.
	before int64
	// mark is the highest use, moved only by more than levelGrowth at once; markAt is when it moved last.
	mark   int64
	markAt time.Time
	// peak is the highest use since peakSince, and lastPeak that of the span before; full is true once that was seen
	// from its beginning to its end.
	span      time.Duration
	peak      int64
	peakSince time.Time
	lastPeak  int64
	full      bool
}

// Add remembers a sample unless it is known already; span is the time that Peak is to look back. A sample older than the
// newest, as it comes when a clock is set right, or after a long gap, starts the history anew.
func (h *History) Add(s Sample, span time.Duration) {
	if s.Time.IsZero() || s.Bytes < 0 {
		return
	}
	if h.count > 0 {
		switch gap := s.Time.Sub(h.newest().Time); {
		case gap == 0:
			return
		case gap.Abs() > recent, s.Time.Before(h.newest().Time):
			*h = History{}
		}
	}
	if h.count == 0 {
		h.markAt = s.Time
	}
	if h.count == 0 || span != h.span {
		h.span, h.peak, h.peakSince, h.full = span, 0, s.Time, false
	}
	h.push(s)
	if float64(s.Bytes) > float64(h.mark)*levelGrowth {
		h.mark, h.markAt = s.Bytes, s.Time
	}
	if span > 0 && s.Time.Sub(h.peakSince) >= span {
		h.lastPeak, h.full = h.peak, true
		h.peak, h.peakSince = 0, s.Time
	}
	h.peak = max(h.peak, s.Bytes)
}

func (h *History) push(s Sample) {
	if h.count == remembered {
		h.before = max(h.before, h.samples[0].Bytes)
		copy(h.samples[:], h.samples[1:])
		h.count--
	}
	h.samples[h.count] = s
	h.count++
}

func (h *History) newest() Sample { return h.samples[h.count-1] }

// Peak returns the highest use of a time that is at least the span given to Add, and less than twice as long; false
// when the history is not that long.
func (h *History) Peak() (int64, bool) {
	if h == nil || !h.full {
		return 0, false
	}
	return max(h.peak, h.lastPeak), true
}

// Levelled is true when use has not grown for so long.
func (h *History) Levelled(now time.Time, since time.Duration) bool {
	return h != nil && h.count > 0 && now.Sub(h.markAt) >= since && now.Sub(h.newest().Time) <= recent
}

// Period is the longest time between two recent samples, and so how old the newest may get; zero when it is not known.
func (h *History) Period() time.Duration {
	var longest time.Duration
	for i := 1; h != nil && i < h.count; i++ {
		longest = max(longest, h.samples[i].Time.Sub(h.samples[i-1].Time))
	}
	return longest
}

// Slope is the rate at which use grows into ground that it has not been on before, in bytes per second; zero when it
// does not grow, or too little is known.
//
// It is the median of the slopes between all pairs of samples (Theil-Sen) of the newer half of what is remembered, which
// is flat again soon after a step, provided that the median of all, which a single outlier does not move, shows growth,
// too. Use of 100Mi, 110Mi, 120Mi and 130Mi, ten seconds apart, grows by 1Mi in a second; 100Mi, 100Mi, 100Mi and 200Mi by
// nothing yet, as do 100Mi, 200Mi, 200Mi and 200Mi.
func (h *History) Slope() float64 {
	if h == nil || h.count < enough {
		return 0
	}
	samples := h.samples[:h.count]
	newest := samples[len(samples)-1]
	for newest.Time.Sub(samples[0].Time) > recent {
		samples = samples[1:]
	}
	if len(samples) < enough {
		return 0
	}
	older, newer := samples[:len(samples)/2], samples[len(samples)/2:]
	survived := max(h.before, highest(older))
	if newest.Bytes < highest(newer) || float64(newest.Bytes) <= float64(survived)*newGround {
		return 0
	}
	if theilSen(samples) <= 0 {
		return 0
	}
	return max(0, theilSen(newer))
}

func highest(samples []Sample) int64 {
	var bytes int64
	for _, s := range samples {
		bytes = max(bytes, s.Bytes)
	}
	return bytes
}

// theilSen returns the median of the slopes between all pairs, the lower one of two.
func theilSen(samples []Sample) float64 {
	var slopes [remembered * (remembered - 1) / 2]float64
	var seconds [remembered]float64
	for i := range samples {
		seconds[i] = samples[i].Time.Sub(samples[0].Time).Seconds()
	}
	n := 0
	for i := range samples {
		for j := i + 1; j < len(samples); j++ {
			slopes[n] = float64(samples[j].Bytes-samples[i].Bytes) / (seconds[j] - seconds[i])
			n++
		}
	}
	slices.Sort(slopes[:n])
	return slopes[(n-1)/2]
}

// Grows is true when the newest sample is the highest of those that are remembered, and more than the oldest of them: of a
// container that is calm this is seldom so for long.
func (h *History) Grows() bool {
	if h == nil || h.count < 2 {
		return true // nobody knows yet
	}
	newest := h.newest().Bytes
	return newest >= highest(h.samples[:h.count]) && float64(newest) > float64(h.samples[0].Bytes)*newGround
}
