package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/kubedemo/memhog-operator/test/replay/scaler"
	"github.com/kubedemo/memhog-operator/test/replay/trace"
)

// replayed are the results of all traces under all policies, as the documentation has them.
var replayed = sync.OnceValues(func() ([]result, error) { return playAll(defaults()) })

func all(t *testing.T) []result {
	t.Helper()
	results, err := replayed()
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func TestTwoReplaysAreEqual(t *testing.T) {
	again, err := playAll(defaults())
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range all(t) {
		if !reflect.DeepEqual(r, again[i]) {
			t.Errorf("%s, %s: %v, and the next time %v", r.trace, r.policy, r.cells(), again[i].cells())
		}
	}
}

func TestOracleIsNeverKilled(t *testing.T) {
	for _, r := range all(t) {
		if r.policy == scaler.Oracle && (r.OOMKills > 0 || r.Changes > 0 || r.Restarts > 0) {
			t.Errorf("%s: %+v", r.trace, r.Counts)
		}
	}
}

func TestResultsAddUp(t *testing.T) {
	for _, r := range all(t) {
		if r.OOMKills != len(r.kills) {
			t.Errorf("%s, %s: %d kills counted, %d marked", r.trace, r.policy, r.OOMKills, len(r.kills))
		}
		if r.slack < 0 || r.slack > r.peakLimit || len(r.uses) != r.seconds {
			t.Errorf("%s, %s: slack %d of %d, %d of %d seconds", r.trace, r.policy, r.slack, r.peakLimit, len(r.uses), r.seconds)
		}
		for second, use := range r.uses {
			if use > r.peakLimit {
				t.Fatalf("%s, %s: %d used at second %d, above every limit", r.trace, r.policy, use, second)
			}
		}
	}
}

// TestSlackIsTheMean: 100 MiB of 384 for half of the time, 300 for the other half.
func TestSlackIsTheMean(t *testing.T) {
	o := defaults()
	half := trace.Trace{Name: "half", Seconds: 200, At: func(second, _ int) trace.Use {
		return trace.Use{Anonymous: int64(100+200*(second/100)) * trace.MiB}
	}}
	r, err := play(half, scaler.None, o.source, o.scaler)
	if err != nil {
		t.Fatal(err)
	}
	if got := whole(r.slack); got != 184 {
		t.Errorf("slack of %d MiB, want 184", got)
	}
}

func TestRunTellsTheStoryOfOne(t *testing.T) {
	var out, failed bytes.Buffer
	if err := run([]string{"--trace", "burst", "--policy", "ours"}, &out, &failed); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"  OOM-killed at 384 MiB\n", "Raise, OOMKilled at ", "limit 384 MiB → 768 MiB\n", "  limit is 768 MiB\n",
		"Hold, RolloutInProgress\n", "TRACE  POLICY  OOM KILLS",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
}

func TestRunReadsRecordings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine.csv")
	if err := os.WriteFile(path, []byte("seconds,bytes\n0,1e8\n600,5e8\n1200,5e8\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, failed bytes.Buffer
	if err := run([]string{"--policy", "none,ours", "--chart", t.TempDir(), path}, &out, &failed); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[1], "mine   none") || !strings.HasPrefix(lines[2], "       ours") {
		t.Errorf("want a table of one trace and two policies:\n%s", out.String())
	}
}
