package vpa

import (
	"math"
	"testing"
	"time"
)

func TestBump(t *testing.T) {
	for _, test := range []struct {
		reason     string
		used, want int64
	}{
		{"100 MiB are more than a fifth of 200 MiB", 200 * mib, 300 * mib},
		{"a fifth of 500 MiB is 100 MiB", 500 * mib, 600 * mib},
		{"a fifth of 1 GiB is more", 1 << 30, 1288490188}, // 1.2 GiB
	} {
		if got := bump(test.used); got != test.want {
			t.Errorf("%s: %d, want %d", test.reason, got, test.want)
		}
	}
}

// watched returns a recommender that was given a sample of so many MiB every minute.
func watched(minutes int, mebibytes int64) *Recommender {
	r := NewRecommender()
	for i := range minutes {
		r.AddSample(mebibytes*mib, noon.Add(time.Duration(i)*time.Minute))
	}
	return r
}

func recommend(t *testing.T, r *Recommender) Recommendation {
	t.Helper()
	got, known := r.Recommend()
	if !known {
		t.Fatal("nothing is recommended")
	}
	return got
}

func TestNothingIsRecommendedOfNothing(t *testing.T) {
	if got, known := NewRecommender().Recommend(); known {
		t.Errorf("recommends %+v before the first sample", got)
	}
}

func TestTargetIsTheEndOfTheBucketAndAMargin(t *testing.T) {
	// 400 MiB are 419430400 bytes: above 2e8 × (1.05^23 - 1) = 414.3 MB, the bucket ends at 2e8 × (1.05^24 - 1) = 445.0 MB.
	end := 2e8 * (math.Pow(1.05, 24) - 1)
	want := int64(end) + int64(math.Floor(end)*0.15)
	if got := recommend(t, watched(10, 400)).Target; got != want || got/mib != 488 {
		t.Errorf("target %d, want %d, which is 488 MiB", got, want)
	}
	if got := recommend(t, watched(10, 100)).Target; got != 250*mib {
		t.Errorf("target %d, want the least there is, 250 MiB", got)
	}
}

func TestBoundsNarrowWithTime(t *testing.T) {
	first := recommend(t, watched(1, 400))
	if first.Lower != 250*mib || first.Upper != math.MaxInt64 {
		t.Errorf("of one sample: %+v, want no bounds but the least recommendation", first)
	}
	for _, test := range []struct {
		reason       string
		minutes      int
		lower, upper float64
	}{
		{"an hour", 61, math.Pow(1+0.024, -2), 25},
		{"half a day", 721, math.Pow(1+0.002, -2), 3},
		{"a day", 1441, math.Pow(1.001, -2), 2},
	} {
		got := recommend(t, watched(test.minutes, 400))
		lower, upper := float64(got.Lower)/float64(got.Target), float64(got.Upper)/float64(got.Target)
		if math.Abs(lower/test.lower-1) > 1e-6 || math.Abs(upper/test.upper-1) > 1e-6 {
			t.Errorf("%s: the range is %.4f to %.4f of the target, want %.4f to %.4f", test.reason, lower, upper, test.lower, test.upper)
		}
	}
}

func TestAnIntervalHasOnePeak(t *testing.T) {
	r := watched(1, 300)
	total := r.peaks.total
	for i, mebibytes := range []int64{600, 500, 700, 100} {
		r.AddSample(mebibytes*mib, noon.Add(time.Duration(i+1)*time.Minute))
	}
	if got := r.peaks.total; math.Abs(got/total-1) > 1e-9 {
		t.Errorf("weight %v, want that of one peak, %v", got, total)
	}
	if got := r.peaks.bucketOf(700 * mib); r.peaks.weights[got] == 0 {
		t.Error("the peak of 700 MiB is not there")
	}
	r.AddSample(300*mib, noon.Add(24*time.Hour))
	if got := r.peaks.total; got < 1.5*total {
		t.Errorf("weight %v after the next interval began, want two peaks", got)
	}
}

func TestAnOOMKillCountsAsMoreThanThereWas(t *testing.T) {
	for _, test := range []struct {
		reason              string
		peak, request, want int64
	}{
		{"the peak is larger", 300, 256, 400},
		{"the request is larger", 100, 256, 356},
		{"a fifth", 1000, 256, 1200},
	} {
		r := watched(5, test.peak)
		r.AddOOM(test.request*mib, noon.Add(5*time.Minute))
		if got := r.pod.oomPeak; got != test.want*mib {
			t.Errorf("%s: %d MiB, want %d", test.reason, got/mib, test.want)
		}
		first := recommend(t, r)
		for i := range 3 {
			r.AddOOM(test.request*mib, noon.Add(time.Duration(6+i)*time.Minute))
		}
		if again := recommend(t, r); again.Target != first.Target {
			t.Errorf("%s: target %d after more kills, %d after the first", test.reason, again.Target, first.Target)
		}
	}
}

func TestPodsAddUp(t *testing.T) {
	r := watched(5, 300)
	r.NewPod()
	r.AddSample(900*mib, noon.Add(10*time.Minute))
	// They weigh almost the same: ten minutes are little of a half-life of a day.
	low, high := r.peaks.percentile(0.49), r.peaks.percentile(0.51)
	if low < 300*mib || low > 330*mib || high < 900*mib || high > 950*mib {
		t.Errorf("p49 %.0f and p51 %.0f MiB, want those of one Pod of 300 MiB and one of 900", low/mib, high/mib)
	}
}

func TestSamplesAreCountedOnce(t *testing.T) {
	r := watched(5, 300)
	r.AddSample(900*mib, noon) // older than the newest
	if r.samples != 5 || r.pod.peak != 300*mib {
		t.Errorf("%d samples, peak of %d MiB, want 5 and 300", r.samples, r.pod.peak/mib)
	}
}
