package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestFrame(t *testing.T) {
	r := rescued()
	for name, test := range map[string]struct {
		now           time.Time
		columns, rows int
	}{
		"before-any-pod.txt":  {begin, 80, 40},
		"rescued.txt":         {after(60), 100, 40},
		"small-terminal.txt":  {after(60), 60, 18},
		"above-threshold.txt": {after(50), 80, 30},
		"resized.txt":         {after(60), 100, 40},
	} {
		t.Run(name, func(t *testing.T) {
			shown := r
			switch name {
			case "before-any-pod.txt":
				shown = newRecord(begin, false, 0.75, before, goal)
			case "resized.txt":
				shown = resized()
			}
			text := frame(shown, test.now, test.columns, test.rows, false)
			for line := range strings.Lines(text) {
				if n := len([]rune(strings.TrimRight(withoutEscapes(line), "\n"))); n > test.columns {
					t.Errorf("a line is %d columns wide, the terminal %d:\n%s", n, test.columns, line)
				}
			}
			if n := strings.Count(text, "\n"); n > test.rows {
				t.Errorf("the frame has %d lines, the terminal %d", n, test.rows)
			}
			golden(t, name, withoutEscapes(text))
		})
	}
}

// withoutEscapes leaves out the colors that the chart library puts into its legend even when none are asked for.
func withoutEscapes(line string) string {
	return strings.ReplaceAll(line, "\x1b[0m", "")
}

func TestPlainLines(t *testing.T) {
	r := rescued()
	var out bytes.Buffer
	p := &plain{out: &out, every: 20 * time.Second}
	told := r.news
	for second := range 61 {
		now := after(float64(second))
		r.news = told[:slices.IndexFunc(append(told, news{at: after(1e6)}), func(n news) bool { return n.at.After(now) })]
		p.show(r, now)
	}
	p.close(r, after(60.1))
	golden(t, "plain.txt", out.String())
	if strings.Contains(out.String(), "\x1b") {
		t.Error("plain lines hold escape codes")
	}
}

func TestScreenDrawsInPlace(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out, size: func() (int, int) { return 80, 30 }}
	r := rescued()
	s.show(r, after(40))
	lines := strings.Count(out.String(), "\n")
	if strings.Contains(out.String(), "\x1b[J") {
		t.Error("the first frame clears what was there before")
	}
	out.Reset()
	s.close(r, after(41))
	if want := fmt.Sprintf("\x1b[%dA\x1b[J", lines); !strings.HasPrefix(out.String(), want) {
		t.Errorf("the second frame begins with %q, want %q", out.String()[:10], want)
	}
}

func TestWrap(t *testing.T) {
	tests := []struct {
		reason, line string
		columns      int
		want         []string
	}{
		{"a short line stays", "00:01  a b", 20, []string{"00:01  a b"}},
		{"a long one breaks at spaces", "00:01  one two three four", 16,
			[]string{"00:01  one two", "       three", "       four"}},
		{"a word that is too long is cut", "00:01  incomprehensible", 12, []string{"00:01  incom"}},
		{"runes count, not bytes", "00:01  → → → →", 14, []string{"00:01  → → → →"}},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			if diff := cmp.Diff(test.want, wrap(test.line, test.columns)); diff != "" {
				t.Errorf("wrap (-want +got):\n%s", diff)
			}
		})
	}
}
