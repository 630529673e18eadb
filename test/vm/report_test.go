package vm

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadTakesTheConsoleApart(t *testing.T) {
	tests := []struct {
		reason  string
		console string
		want    report
	}{
		{
			reason: "all is well",
			console: "=== RUN   TestA\r\n=== RUN   TestA/of_this\r\n--- PASS: TestA (0.10s)\r\n" +
				"    --- PASS: TestA/of_this (0.10s)\r\nPASS\r\n\r\nmemhog guest: exit code 0\r\n",
			want: report{passed: true, results: []result{{"TestA", "PASS"}, {"TestA/of_this", "PASS"}}},
		},
		{
			reason: "one failed, one was left out",
			console: "--- FAIL: TestA (0.10s)\r\n    a_test.go:7: it broke\r\n--- SKIP: TestB (0.00s)\r\nFAIL\r\n\r\n" +
				"memhog guest: exit code 1\r\n",
			want: report{results: []result{{"TestA", "FAIL"}, {"TestB", "SKIP"}}},
		},
		{
			reason:  "the guest stopped midway",
			console: "--- PASS: TestA (0.10s)\r\n=== RUN   TestB\r\nKernel panic - not syncing\r\n",
			want:    report{results: []result{{"TestA", "PASS"}}},
		},
		{reason: "the guest did not start"},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, read(tc.console), cmp.AllowUnexported(report{}, result{})); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
		})
	}
}
