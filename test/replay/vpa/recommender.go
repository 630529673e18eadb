// Package vpa restates how the Vertical Pod Autoscaler decides on memory: the recommender, the updater that evicts, and
// the limit that the admission controller gives to the new Pod, at their defaults. Comments name the files of
// vertical-pod-autoscaler/pkg that a rule is from, and its constants, as they are in version 1.8.
package vpa

import (
	"math"
	"time"
)

// The recommender's defaults (recommender/config/config.go: DefaultRecommenderConfig; recommender/model/
// aggregations_config.go).
const (
	// Interval of the recommender's loop (MetricsFetcherInterval).
	Interval = time.Minute

	aggregationInterval = 24 * time.Hour // DefaultMemoryAggregationInterval

	lowerPercentile  = 0.5  // LowerBoundMemoryPercentile
	targetPercentile = 0.9  // TargetMemoryPercentile
	upperPercentile  = 0.95 // UpperBoundMemoryPercentile
	safetyMargin     = 0.15 // SafetyMarginFraction

	confidenceInterval = 24 * time.Hour    // ConfidenceIntervalMemory
	leastMemory        = 250 * 1024 * 1024 // PodMinMemoryMb

	oomBumpRatio = 1.2               // DefaultOOMBumpUpRatio
	oomLeastBump = 100 * 1024 * 1024 // DefaultOOMMinBumpUp
)

// Recommendation is a memory request in bytes, and the range within which another one is left alone.
type Recommendation struct {
	Lower, Target, Upper int64
}

// Recommender remembers the memory peaks of one workload's container: one for each Pod and each interval. They fade by
// their half-life; that after 8 intervals without a sample all is forgotten (DefaultMemoryAggregationIntervalCount) is
// left out, as no trace has such a gap.
type Recommender struct {
	peaks *histogram
	// first and last sample, and how many there were, tell how much confidence they deserve.
	first, last time.Time
	samples     int
	pod         window
}

// window is what is known of the present Pod in the present interval (recommender/model/container.go: ContainerState).
type window struct {
	end           time.Time
	peak, oomPeak int64
	lastSample    time.Time
}

// NewRecommender returns one that knows nothing.
func NewRecommender() *Recommender { return &Recommender{peaks: newHistogram()} }

// NewPod says that another Pod took the place of the one before. What is remembered of that one stays.
func (r *Recommender) NewPod() { r.pod = window{} }

// AddSample remembers a measurement; one that is known already does no harm.
func (r *Recommender) AddSample(bytes int64, at time.Time) {
	if !at.After(r.last) {
		return
	}
	// The recommender counts samples of the CPU, which come together with those of the memory
	// (recommender/model/aggregate_container_state.go: addCPUSample).
	if r.samples == 0 {
		r.first = at
	}
	r.last, r.samples = at, r.samples+1
	r.add(bytes, at, false)
}

// AddOOM remembers an OOM kill of a container with that request, as use of more than there was: by a fifth, and at least
// by 100 MiB (recommender/model/container.go: RecordOOM).
func (r *Recommender) AddOOM(request int64, at time.Time) {
	if !r.pod.lastSample.IsZero() && at.Before(r.pod.lastSample.Add(-aggregationInterval)) {
		return
	}
	used := max(request, r.pod.peak) // not the peak of an earlier kill, lest it goes up without end
	r.add(bump(used), at, true)
}

func bump(used int64) int64 { return max(used+oomLeastBump, int64(float64(used)*oomBumpRatio)) }

// add puts the interval's peak into the histogram, in the place of the lower one that was there
// (recommender/model/container.go: addMemorySample).
func (r *Recommender) add(bytes int64, at time.Time, oom bool) {
	p := &r.pod
	if !oom && at.Before(p.lastSample) {
		return
	}
	p.lastSample = at
	if p.end.IsZero() {
		p.end = at
	}
	if at.Before(p.end) {
		old := max(p.peak, p.oomPeak)
		if old == 0 || bytes <= old {
			return
		}
		r.peaks.subtract(float64(old), p.end)
	} else {
		p.end = p.end.Add(at.Sub(p.end).Truncate(aggregationInterval) + aggregationInterval)
		p.peak, p.oomPeak = 0, 0
	}
	r.peaks.add(float64(bytes), p.end)
	if oom {
		p.oomPeak = bytes
	} else {
		p.peak = bytes
	}
}

// Recommend returns what the recommender recommends; false before the first sample (recommender/logic/recommender.go:
// CreatePodResourceRecommender). With a history of N days the bounds are multiplied by (1 + 0.001/N)^-2 and 1 + 1/N: at
// first the range is so wide that it takes an OOM kill to evict a Pod.
func (r *Recommender) Recommend() (Recommendation, bool) {
	if r.samples == 0 {
		return Recommendation{}, false
	}
	days := r.confidence()
	return Recommendation{
		Lower:  r.estimate(lowerPercentile, math.Pow(1+0.001/days, -2)),
		Target: r.estimate(targetPercentile, 1),
		Upper:  r.estimate(upperPercentile, 1+1/days),
	}, true
}

// confidence is how many days of one sample a minute are remembered (recommender/logic/estimator.go: getConfidence).
func (r *Recommender) confidence() float64 {
	span := float64(r.last.Sub(r.first)) / float64(confidenceInterval)
	return min(span, float64(r.samples)/confidenceInterval.Minutes())
}

func (r *Recommender) estimate(percentile, factor float64) int64 {
	base := int64(r.peaks.percentile(percentile))
	base += int64(float64(base) * safetyMargin)
	scaled := float64(base) * factor
	if scaled >= math.MaxInt64 {
		return math.MaxInt64
	}
	return max(int64(scaled), leastMemory)
}
