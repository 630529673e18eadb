package scaling

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestARaiseIsCutToTheTightestBound(t *testing.T) {
	limit := func(m int64) Memory { return Memory{Limit: m * mebibyte} }
	request := func(m int64) Memory { return Memory{Request: m * mebibyte} }
	for _, tt := range []struct {
		reason   string
		size     Memory
		maxLimit int64 // MiB
		bounds   Bounds
		want     Memory
		by       Reason
	}{
		{"nothing binds", mi(256, 384), 0, Bounds{}, mi(512, 768), ""},
		{"a ceiling above", mi(256, 384), 769, Bounds{}, mi(512, 768), ""},
		{"a ceiling just met", mi(256, 384), 768, Bounds{}, mi(512, 768), ""},
		{"a ceiling below", mi(256, 384), 600, Bounds{}, mi(400, 600), ReasonAtMaximum},
		{"a LimitRange", mi(256, 384), 0, Bounds{LimitRange: limit(600)}, mi(400, 600), ReasonAtLimitRange},
		{"a quota of limits", mi(256, 384), 0, Bounds{Quota: limit(600)}, mi(400, 600), ReasonQuotaExceeded},
		{"a quota of requests", mi(256, 384), 0, Bounds{Quota: request(300)}, mi(300, 450), ReasonQuotaExceeded},
		{"a node with little room", mi(256, 384), 0, Bounds{Node: request(300)}, mi(300, 450), ReasonNodeFull},
		{"a bound just met by both", mi(256, 384), 0, Bounds{Node: mi(512, 768)}, mi(512, 768), ""},
		{"of two bounds the tighter one", mi(256, 384), 700, Bounds{Quota: limit(600)}, mi(400, 600), ReasonQuotaExceeded},
		{"whichever comes first", mi(256, 384), 600, Bounds{Quota: limit(700)}, mi(400, 600), ReasonAtMaximum},
		{"of equal ones the first", mi(256, 384), 600, Bounds{LimitRange: limit(600)}, mi(400, 600), ReasonAtMaximum},
		{"a request that is none needs no room", mi(0, 384), 0, Bounds{Node: request(1)}, mi(0, 768), ""},
		{"the request is rounded up to Mi: 133.33", mi(100, 150), 200, Bounds{}, mi(134, 200), ReasonAtMaximum},
		{"and down where the bound wants it", mi(100, 150), 200, Bounds{Quota: Memory{Request: 134*mebibyte - 1}},
			mi(133, 200), ReasonAtMaximum},
		{"a Guaranteed Pod stays so by a request bound", mi(300, 300), 0, Bounds{Node: request(450)}, mi(450, 450), ReasonNodeFull},
		{"and by a limit bound", mi(300, 300), 450, Bounds{}, mi(450, 450), ReasonAtMaximum},
		{"a Burstable Pod stays so", mi(299, 300), 450, Bounds{}, mi(449, 450), ReasonAtMaximum},
		{"even where the ratio is nearly 1", Memory{Request: 300*mebibyte - 1, Limit: 300 * mebibyte}, 450, Bounds{},
			mi(449, 450), ReasonAtMaximum},
		{"bounds that are no whole Mi", mi(256, 384), 0, Bounds{Quota: Memory{Limit: 600*mebibyte + 5}}, mi(400, 600), ReasonQuotaExceeded},
		{"the smallest useful step, a twentieth", mi(256, 400), 420, Bounds{}, mi(269, 420), ReasonAtMaximum},
		{"a step that is smaller", mi(256, 400), 419, Bounds{}, mi(256, 400), ReasonAtMaximum},
		{"no step", mi(256, 384), 384, Bounds{}, mi(256, 384), ReasonAtMaximum},
		{"a ceiling below the size takes nothing away", mi(256, 384), 100, Bounds{}, mi(256, 384), ReasonAtMaximum},
		{"a request bound below the request neither", mi(256, 384), 0, Bounds{Node: request(10)}, mi(256, 384), ReasonNodeFull},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			p, o := usual, use(tt.size.Limit*3/4, tt.size)
			p.MaxLimit, o.Bounds = tt.maxLimit*mebibyte, tt.bounds
			want := Decision{Action: Raise, Reason: ReasonAboveThreshold, Target: tt.want, LimitedBy: tt.by}
			if tt.want == tt.size {
				want = Decision{Action: Hold, Reason: tt.by, Target: tt.size}
			}
			if diff := cmp.Diff(want, Decide(p, o, noon)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
			}
		})
	}
}

func TestMulDivNeitherOverflowsNorRoundsUp(t *testing.T) {
	for _, tt := range []struct{ a, b, c, want int64 }{
		{7, 3, 2, 10},
		{0, 5, 1, 0},
		{math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64},
		{math.MaxInt64, math.MaxInt64, 1, math.MaxInt64},
		{math.MaxInt64, 4, 4, math.MaxInt64},
		{math.MaxInt64, 3, 2, math.MaxInt64},
		{1 << 62, 2, 1, math.MaxInt64},
		{1 << 62, 3, 4, 3 << 60},
		{1 << 32, 1 << 32, 2, math.MaxInt64},
	} {
		if got := mulDiv(tt.a, tt.b, tt.c); got != tt.want {
			t.Errorf("%d × %d / %d = %d, want %d", tt.a, tt.b, tt.c, got, tt.want)
		}
	}
}
