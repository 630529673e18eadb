package vpa

import (
	"math"
	"testing"
	"time"
)

var noon = time.Date(2026, time.January, 1, 12, 0, 0, 0, time.UTC)

const mib = 1 << 20

func TestBuckets(t *testing.T) {
	h := newHistogram()
	// 1e12 × 0.05 / 1e7 + 1 = 5001, and log(5001) / log(1.05) = 174.6; rounded up, and one more.
	if got := len(h.weights); got != 176 {
		t.Errorf("%d buckets, want 176", got)
	}
	for bucket, want := range []float64{0, 1e7, 2.05e7, 3.1525e7} {
		if got := startOf(bucket); math.Abs(got-want) > 1 {
			t.Errorf("bucket %d begins at %.0f, want %.0f", bucket, got, want)
		}
	}
	for _, test := range []struct {
		value float64
		want  int
	}{
		{0, 0}, {9.9e6, 0}, {1.01e7, 1}, {2.04e7, 1}, {2.06e7, 2},
		{200 * mib, 14}, // 2e8 × (1.05^14 - 1) = 196.0 MB, and 215.8 MB for 15: 209.7 MB lies between
		{5e12, 175},
	} {
		if got := h.bucketOf(test.value); got != test.want {
			t.Errorf("%.0f is in bucket %d, want %d", test.value, got, test.want)
		}
	}
}

func TestPercentileIsTheEndOfABucket(t *testing.T) {
	h := newHistogram()
	if got := h.percentile(0.9); got != 0 {
		t.Errorf("percentile of nothing: %v, want 0", got)
	}
	for range 8 {
		h.add(15e6, noon) // from 10 to 20.5 MB
	}
	h.add(50e6, noon) // from 43.1 to 55.3 MB
	h.add(50e6, noon)
	for _, test := range []struct{ part, want float64 }{
		{0.5, 20.5e6}, {0.79, 20.5e6}, {0.9, 55256312.5}, {1, 55256312.5},
	} {
		if got := h.percentile(test.part); math.Abs(got-test.want) > 1 {
			t.Errorf("p%.0f is %.1f, want %.1f", 100*test.part, got, test.want)
		}
	}
	h.subtract(50e6, noon)
	h.subtract(50e6, noon)
	if got := h.percentile(0.99); math.Abs(got-20.5e6) > 1 {
		t.Errorf("without the large ones p99 is %.1f, want 20500000", got)
	}
}

func TestWeightsHalveInADay(t *testing.T) {
	h := newHistogram()
	h.add(15e6, noon)
	h.add(50e6, noon.Add(24*time.Hour)) // weighs 2 of 3
	if got := h.percentile(0.33); math.Abs(got-20.5e6) > 1 {
		t.Errorf("p33 is %.0f, want the older one's 20500000", got)
	}
	if got := h.percentile(0.34); math.Abs(got-55256312.5) > 1 {
		t.Errorf("p34 is %.0f, want the newer one's 55256312", got)
	}
}

func TestWeightsStayFinite(t *testing.T) {
	h := newHistogram()
	for day := range 1500 {
		h.add(50e6, noon.AddDate(0, 0, day))
	}
	if math.IsInf(h.total, 0) || math.Abs(h.percentile(0.9)-55256312.5) > 1 {
		t.Errorf("after years the weight is %v, p90 %.1f", h.total, h.percentile(0.9))
	}
}
