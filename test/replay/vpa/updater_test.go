package vpa

import (
	"math"
	"testing"
	"time"
)

func TestEvicts(t *testing.T) {
	recommended := Recommendation{Lower: 300, Target: 400, Upper: 800}
	for _, test := range []struct {
		reason string
		pod    Pod
		want   bool
	}{
		{"below the range", Pod{Request: 299}, true},
		{"at the lower bound", Pod{Request: 300}, false},
		{"at the upper bound", Pod{Request: 800}, false},
		{"above the range", Pod{Request: 801}, true},
		{"old enough, and off by more than a tenth", Pod{Request: 350, Age: 12 * time.Hour}, true},
		{"not old enough", Pod{Request: 350, Age: 12*time.Hour - 1}, false},
		{"old enough, and off by less than a tenth", Pod{Request: 370, Age: 12 * time.Hour}, false},
		{"killed soon", Pod{Request: 350, OOMKilled: true, OOMKilledAfter: 9 * time.Minute}, true},
		{"killed late", Pod{Request: 350, OOMKilled: true, OOMKilledAfter: 10 * time.Minute}, false},
		{"killed soon, with no other size to offer", Pod{Request: 400, OOMKilled: true}, false},
	} {
		if got := recommended.Evicts(test.pod); got != test.want {
			t.Errorf("%s: %v, want %v", test.reason, got, test.want)
		}
	}
}

func TestLimitKeepsItsProportion(t *testing.T) {
	for _, test := range []struct {
		reason                        string
		request, dRequest, dLimit, is int64
	}{
		{"256:384 is 2:3", 500 * mib, 256 * mib, 384 * mib, 750 * mib},
		{"equal stays equal", 500 * mib, 256 * mib, 256 * mib, 500 * mib},
		{"what is no whole byte is cut off", 100, 3, 4, 133},
		{"no more than there is", math.MaxInt64, 1, 2, math.MaxInt64},
	} {
		if got := Limit(test.request, test.dRequest, test.dLimit); got != test.is {
			t.Errorf("%s: %d, want %d", test.reason, got, test.is)
		}
	}
}
