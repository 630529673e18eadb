package scaling

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestGrow(t *testing.T) {
	tests := []struct {
		reason     string
		threshold  float64
		multiplier float64
		size       Memory
		used       int64
		want       Memory
	}{
		{
			reason:    "request and limit are doubled",
			threshold: 0.75, multiplier: 2, size: mi(256, 384), used: 290 * mebibyte,
			want: mi(512, 768),
		},
		{
			reason:    "a multiplier of 1.5 means 1.5",
			threshold: 0.75, multiplier: 1.5, size: mi(256, 384), used: 290 * mebibyte,
			want: mi(384, 576),
		},
		{
			reason:    "use that one step does not put below the threshold takes two",
			threshold: 0.75, multiplier: 2, size: mi(256, 384), used: 700 * mebibyte,
			want: mi(1024, 1536),
		},
		{
			reason:    "use exactly at the threshold of one step takes two",
			threshold: 0.75, multiplier: 2, size: mi(256, 384), used: 576 * mebibyte,
			want: mi(1024, 1536),
		},
		{
			reason:    "use one byte below the threshold of one step takes one",
			threshold: 0.75, multiplier: 2, size: mi(256, 384), used: 576*mebibyte - 1,
			want: mi(512, 768),
		},
		{
			reason:    "sizes are rounded up to whole Mi: 150.5 and 225.75",
			threshold: 0.75, multiplier: 1.505, size: mi(100, 150), used: 120 * mebibyte,
			want: mi(151, 226),
		},
		{
			reason:    "sizes in bytes become whole Mi: 200 MB doubled is 381.5Mi",
			threshold: 0.75, multiplier: 2, size: Memory{Request: 100e6, Limit: 200e6}, used: 190e6,
			want: mi(191, 382),
		},
		{
			reason:    "a factor that no float holds exactly is not rounded up past what it means",
			threshold: 0.75, multiplier: 1.1, size: mi(50, 100), used: 80 * mebibyte,
			want: mi(55, 110),
		},
		{
			reason:    "nor are its powers: 100 × 1.1² is 121",
			threshold: 0.75, multiplier: 1.1, size: mi(100, 100), used: 85 * mebibyte,
			want: mi(121, 121),
		},
		{
			reason:    "a request that equals the limit still does, so the Pod stays Guaranteed",
			threshold: 0.75, multiplier: 1.3, size: mi(333, 333), used: 300 * mebibyte,
			want: mi(433, 433),
		},
		{
			reason:    "a request just below the limit stays below, so the Pod stays Burstable",
			threshold: 0.75, multiplier: 1.5, size: Memory{Request: 3*mebibyte - 1, Limit: 3 * mebibyte}, used: 3 * mebibyte,
			want: mi(4, 5),
		},
		{
			reason:    "a request that rounding would lift to the limit is not lowered either",
			threshold: 0.75, multiplier: 2, size: Memory{Request: 100, Limit: 200}, used: 200,
			want: Memory{Request: 100, Limit: mebibyte},
		},
		{
			reason:    "no request stays no request",
			threshold: 0.75, multiplier: 2, size: mi(0, 384), used: 290 * mebibyte,
			want: mi(0, 768),
		},
		{
			reason:    "a tiny request is rounded up to a whole Mi",
			threshold: 0.75, multiplier: 2, size: Memory{Request: 1, Limit: 384 * mebibyte}, used: 290 * mebibyte,
			want: mi(1, 768),
		},
		{
			reason:    "a multiplier barely above 1 gains one Mi",
			threshold: 0.75, multiplier: 1.0000001, size: mi(256, 384), used: 288 * mebibyte,
			want: mi(257, 385),
		},
		{
			reason:    "a multiplier barely above 1 goes as far as it must, and no further",
			threshold: 0.75, multiplier: 1.0000001, size: mi(384, 384), used: 750 * mebibyte,
			want: mi(1001, 1001),
		},
		{
			reason:    "the smallest multiplier that a float can hold",
			threshold: 1, multiplier: math.Nextafter(1, 2), size: Memory{Limit: 1}, used: gibibyte,
			want: mi(0, 1025),
		},
		{
			reason:    "a limit near 2^63 is raised to the largest whole Mi",
			threshold: 0.75, multiplier: 2, size: Memory{Request: 1 << 61, Limit: 1 << 62}, used: 1 << 62,
			want: Memory{Request: 1 << 62, Limit: largest},
		},
		{
			reason:    "at the largest size, too, a Burstable Pod stays Burstable",
			threshold: 0.75, multiplier: 10, size: Memory{Request: 1 << 61, Limit: 1 << 62}, used: 1 << 62,
			want: Memory{Request: largest - mebibyte, Limit: largest},
		},
		{
			reason:    "a threshold that no limit puts the use below goes to the largest",
			threshold: math.SmallestNonzeroFloat64, multiplier: 10, size: mi(384, 384), used: 384 * mebibyte,
			want: Memory{Request: largest, Limit: largest},
		},
		{
			reason:    "a multiplier beyond everything goes to the largest",
			threshold: 0.75, multiplier: math.MaxFloat64, size: mi(384, 384), used: 384 * mebibyte,
			want: Memory{Request: largest, Limit: largest},
		},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			p := Policy{Threshold: tt.threshold, Multiplier: tt.multiplier, MaxSampleAge: time.Minute}
			want := Decision{Action: Raise, Reason: ReasonAboveThreshold, Target: tt.want}
			if diff := cmp.Diff(want, Decide(p, use(tt.used, tt.size), noon)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
			}
		})
	}
}

// Divisions and logarithms of floats end on the wrong side of a whole number now and then. These are cases of it, found
// by trying many.
func TestRoundingIsPutRight(t *testing.T) {
	for _, tt := range []struct {
		threshold  float64
		used, want int64
	}{
		{threshold: 0.552, used: 2242904064, want: 4062183424 + mebibyte}, // the division gives one Mi too little
		{threshold: 0.279, used: 1133641728, want: 4062183424 + mebibyte},
		{threshold: 0.34, used: 2032140288, want: 5976883200 - mebibyte}, // and here one too much
		{threshold: 0.138, used: 3038773248, want: 22020096000 - mebibyte},
	} {
		p := Policy{Threshold: tt.threshold, Multiplier: 2}
		if got := p.outgrown(tt.used); got != tt.want {
			t.Errorf("%d bytes outgrow %d at %v, want %d", tt.used, got, tt.threshold, tt.want)
		}
	}
	for _, tt := range []struct {
		multiplier      float64
		limit, outgrown int64
		want            float64
	}{
		{multiplier: 2.2, limit: 262144000, outgrown: 1268776960, want: 3}, // the logarithm gives one step too few
		{multiplier: 1.25, limit: 134217728, outgrown: 262144000, want: 4},
		{multiplier: 1.2708725612537268, limit: 480247808, outgrown: 7646482561204486144, want: 98}, // and here one too many
		{multiplier: 1.9925098481822738, limit: 299892736, outgrown: 4535050749758930944, want: 34},
	} {
		p := Policy{Threshold: 0.75, Multiplier: tt.multiplier}
		if got := p.steps(tt.limit, tt.outgrown); got != tt.want {
			t.Errorf("from %d it takes %v steps of %v to be above %d, want %v", tt.limit, got, tt.multiplier, tt.outgrown, tt.want)
		}
	}
}
