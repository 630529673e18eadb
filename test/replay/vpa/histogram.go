package vpa

import (
	"math"
	"time"
)

// The histogram's buckets (recommender/model/aggregations_config.go: memoryHistogramOptions, and
// recommender/util/histogram_options.go: NewExponentialHistogramOptions): the first is 10 MB wide, each 5 % wider than the
// one before, the last begins at 1 TB or above. What weighs less than epsilon does not count.
const (
	firstBucket = 1e7
	lastBucket  = 1e12
	ratio       = 1.05
	epsilon     = 0.001 * 0.1
)

// halfLife of a sample's weight (DefaultMemoryHistogramDecayHalfLife), and the exponent at which all weights are scaled
// down, so that they stay finite (recommender/util/decaying_histogram.go: maxDecayExponent).
const (
	halfLife    = 24 * time.Hour
	mostDoubles = 100
)

// histogram of memory peaks, of which newer ones weigh more (recommender/util/decaying_histogram.go).
type histogram struct {
	weights   []float64
	total     float64
	reference time.Time
}

func newHistogram() *histogram {
	buckets := int(math.Ceil(logRatio(lastBucket*(ratio-1)/firstBucket+1))) + 1
	return &histogram{weights: make([]float64, buckets)}
}

func logRatio(x float64) float64 { return math.Log(x) / math.Log(ratio) }

// bucketOf returns the bucket that the value lies in.
func (h *histogram) bucketOf(value float64) int {
	if value < firstBucket {
		return 0
	}
	return min(int(logRatio(value*(ratio-1)/firstBucket+1)), len(h.weights)-1)
}

// startOf returns where a bucket begins: 0, 10 MB, 20.5 MB, 31.525 MB …
func startOf(bucket int) float64 {
	return firstBucket * (math.Pow(ratio, float64(bucket)) - 1) / (ratio - 1)
}

func (h *histogram) add(value float64, at time.Time) {
	weight := h.weightAt(at)
	h.weights[h.bucketOf(value)] += weight
	h.total += weight
}

func (h *histogram) subtract(value float64, at time.Time) {
	weight, bucket := h.weightAt(at), h.bucketOf(value)
	h.weights[bucket] = without(h.weights[bucket], weight)
	h.total = without(h.total, weight)
}

func without(value, part float64) float64 {
	if value-part < epsilon {
		return 0
	}
	return value - part
}

// weightAt is what a sample of that time weighs: twice as much as one of a half-life before.
func (h *histogram) weightAt(at time.Time) float64 {
	if at.After(h.reference.Add(halfLife * mostDoubles)) {
		reference := at.Round(halfLife)
		// The zero time is further back than a Duration reaches; then there is nothing to scale down yet.
		if h.total > 0 {
			factor := math.Exp2(-math.Round(float64(reference.Sub(h.reference)) / float64(halfLife)))
			for i := range h.weights {
				h.weights[i] *= factor
			}
			h.total *= factor
		}
		h.reference = reference
	}
	return math.Exp2(float64(at.Sub(h.reference)) / float64(halfLife))
}

// percentile returns the end of the bucket below which so large a part of the weight lies; 0 when there is none.
func (h *histogram) percentile(part float64) float64 {
	first, last := -1, -1
	for i, weight := range h.weights {
		if weight >= epsilon {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		return 0
	}
	sum, bucket := 0.0, first
	for ; bucket < last; bucket++ {
		if sum += h.weights[bucket]; sum >= part*h.total {
			break
		}
	}
	return startOf(min(bucket+1, len(h.weights)-1))
}
