package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLatenciesAreThoseOfTheDecisions(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	decisions := []asked{{at(100), "a", 480}, {at(110), "b", 480}, {at(900), "a", 600}}
	took, err := latencies(decisions, []limited{{at(150), "a", 480}, {at(130), "b", 480}, {at(930), "a", 600}})
	if err != nil || len(took) != 3 || took[0] != 20*time.Millisecond || took[2] != 50*time.Millisecond {
		t.Errorf("latencies %v, %v", took, err)
	}
	if _, err := latencies(decisions, []limited{{at(150), "b", 600}}); err == nil {
		t.Error("a limit that nobody decided on was taken for a result")
	}
}

func TestQuantiles(t *testing.T) {
	var values []time.Duration
	for i := range 100 {
		values = append(values, time.Duration(i+1))
	}
	for part, want := range map[float64]time.Duration{0: 1, 0.5: 50, 0.99: 99, 1: 100} {
		if got := quantile(values, part); got != want {
			t.Errorf("quantile %v is %d, want %d", part, got, want)
		}
	}
}

func TestTheLogIsUnderstood(t *testing.T) {
	line := `{"level":"debug","ts":"2026-01-02T03:04:06Z","msg":"resizing in place","pod":"a","container":"c",` +
		`"limit":"768Mi","decided":"2026-01-02T03:04:05.123456789Z"}`
	d, is := parseAsked([]byte(line))
	if !is || d.pod != "a" || d.limit != 768<<20 || d.at.Nanosecond() != 123456789 {
		t.Errorf("%+v, %v", d, is)
	}
	for _, line := range []string{`no JSON`, `{"msg":"something else","limit":"1Mi"}`} {
		if d, is := parseAsked([]byte(line)); is {
			t.Errorf("%s was taken for %+v", line, d)
		}
	}
}

func TestTheDocumentationIsWritten(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, page)
	took := []time.Duration{20 * time.Millisecond, 30 * time.Millisecond}
	if err := report(took, folder); err == nil {
		t.Error("a page that is not there was written")
	}
	if err := os.WriteFile(path, []byte("a\n<!-- measured -->\nold\n<!-- end of measured -->\nb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := report(took, folder); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := "| 2 | 20 ms | 30 ms | 30 ms | 30 ms |"; !strings.Contains(string(text), want) || strings.Contains(string(text), "old") {
		t.Errorf("the page is\n%s\nwant it to have %s", text, want)
	}
	if drawn, err := os.ReadFile(filepath.Join(folder, picture)); err != nil || !strings.Contains(string(drawn), "<svg") {
		t.Errorf("the picture: %v", err)
	}
}
