package main

import (
	"strings"
	"testing"
	"time"
)

func TestGrowthAt(t *testing.T) {
	slow := growth{start: 32 * mib, rate: 0.1 * mib, ceiling: 448 * mib}
	fast := growth{start: 0, rate: 4096 * mib, ceiling: 1 << 40}
	tests := []struct {
		reason  string
		growth  growth
		elapsed time.Duration
		want    int64
	}{
		{"nothing has grown at once", slow, 0, 32 * mib},
		{"6 MiB in a minute at 0.1 MiB/s", slow, time.Minute, 38 * mib},
		{"360 MiB in an hour at 0.1 MiB/s", slow, time.Hour, 392 * mib},
		{"the ceiling is kept", slow, 24 * time.Hour, 448 * mib},
		{"a millisecond at 4096 MiB/s", fast, time.Millisecond, 4096 * mib / 1000},
		{"a minute at 4096 MiB/s", fast, time.Minute, 60 * 4096 * mib},
		{"rate 0 never grows", growth{start: 64 * mib, ceiling: 448 * mib}, time.Hour, 64 * mib},
		{"a start at the ceiling stays", growth{start: 64 * mib, rate: mib, ceiling: 64 * mib}, time.Hour, 64 * mib},
		{"no overflow after years", fast, 200 * 365 * 24 * time.Hour, 1 << 40},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			got := test.growth.at(test.elapsed)
			// A float64 holds these sizes to far less than a page.
			if diff := got - test.want; diff < -1 || diff > 1 {
				t.Errorf("at(%v) = %d bytes, want %d", test.elapsed, got, test.want)
			}
		})
	}
}

func TestGrowthFromEnv(t *testing.T) {
	tests := []struct {
		reason string
		env    map[string]string
		want   growth
		errs   []string
	}{
		{
			reason: "defaults",
			want:   growth{start: 32 * mib, rate: 2 * mib, ceiling: 448 * mib},
		},
		{
			reason: "real numbers and spaces are fine",
			env: map[string]string{"MEMHOG_START_MIB": "0.5", "MEMHOG_RATE_MIB_PER_SECOND": " 0.25 ",
				"MEMHOG_CEILING_MIB": "1024"},
			want: growth{start: mib / 2, rate: 0.25 * mib, ceiling: 1024 * mib},
		},
		{
			reason: "it can wait before it grows, and end after",
			env:    map[string]string{"MEMHOG_PAUSE_SECONDS": "5", "MEMHOG_HOLD_SECONDS": "0.5"},
			want: growth{start: 32 * mib, rate: 2 * mib, ceiling: 448 * mib,
				pause: 5 * time.Second, hold: time.Second / 2},
		},
		{
			reason: "an empty value means the default",
			env:    map[string]string{"MEMHOG_START_MIB": ""},
			want:   growth{start: 32 * mib, rate: 2 * mib, ceiling: 448 * mib},
		},
		{
			reason: "all that is wrong is said at once",
			env: map[string]string{"MEMHOG_START_MIB": "256Mi", "MEMHOG_RATE_MIB_PER_SECOND": "NaN",
				"MEMHOG_CEILING_MIB": "0"},
			errs: []string{
				`MEMHOG_START_MIB is "256Mi", but must be a number from 0 to 1048576 (MiB)`,
				`MEMHOG_RATE_MIB_PER_SECOND is "NaN", but must be a number from 0 to 4096 (MiB/s)`,
				`MEMHOG_CEILING_MIB is "0", but must be a number from 1 to 1048576 (MiB)`,
			},
		},
		{
			reason: "a rate above the range",
			env:    map[string]string{"MEMHOG_RATE_MIB_PER_SECOND": "4097"},
			errs:   []string{`MEMHOG_RATE_MIB_PER_SECOND is "4097"`},
		},
		{
			reason: "a negative start",
			env:    map[string]string{"MEMHOG_START_MIB": "-1"},
			errs:   []string{`MEMHOG_START_MIB is "-1"`},
		},
		{
			reason: "a start above the ceiling",
			env:    map[string]string{"MEMHOG_START_MIB": "500"},
			errs:   []string{"MEMHOG_START_MIB is 500 MiB, above MEMHOG_CEILING_MIB, which is 448 MiB"},
		},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			got, err := growthFromEnv(func(name string) (string, bool) {
				value, found := test.env[name]
				return value, found
			})
			if (err != nil) != (len(test.errs) > 0) {
				t.Fatalf("error %v, want one: %v", err, len(test.errs) > 0)
			}
			for _, want := range test.errs {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			if got != test.want {
				t.Errorf("growth %+v, want %+v", got, test.want)
			}
		})
	}
}
