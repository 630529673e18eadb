package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubedemo/memhog-operator/test/replay/scaler"
	"github.com/kubedemo/memhog-operator/test/replay/trace"
	"github.com/kubedemo/memhog-operator/test/replay/world"
)

const docs = "../../docs"

// TestTheDocumentationIsWhatIsReplayed fails when decisions have changed what becomes of a trace: then it is time for
// `make replay`, and for a look at what it changes.
func TestTheDocumentationIsWhatIsReplayed(t *testing.T) {
	written, err := os.ReadFile(filepath.Join(docs, "replay.md"))
	if err != nil {
		t.Fatal(err)
	}
	replayed, err := documented(string(written), all(t))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(written), replayed); diff != "" {
		t.Errorf("docs/replay.md is not up to date, run `make replay` (-written +replayed):\n%s", diff)
	}
}

func TestTheChartsAreWhatIsReplayed(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("elsewhere a last digit may differ: a processor that multiplies and adds at once rounds once")
	}
	folder := t.TempDir()
	if err := writeCharts(defaults(), folder); err != nil {
		t.Fatal(err)
	}
	for _, tr := range trace.Builtin() {
		drawn, err := os.ReadFile(filepath.Join(folder, chartFile(tr)))
		if err != nil {
			t.Fatal(err)
		}
		written, err := os.ReadFile(filepath.Join(docs, chartFile(tr)))
		if err != nil {
			t.Error(err)
		} else if string(drawn) != string(written) {
			t.Errorf("docs/%s is not up to date, run `make replay`", chartFile(tr))
		}
	}
}

// TestEveryShortfallIsExplained: what is generated names the trace, what is written by hand says why.
func TestEveryShortfallIsExplained(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(docs, "replay.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, why, _ := strings.Cut(string(text), "<!-- end of shortfalls -->")
	why, _, _ = strings.Cut(why, "\n## ")
	for _, s := range shortfalls(all(t)) {
		name, _, _ := strings.Cut(s, ":")
		what := "the slack"
		if strings.Contains(s, "OOM kills") {
			what = "the kills"
		}
		if !strings.Contains(why, "- "+name+", "+what) {
			t.Errorf("docs/replay.md does not explain %q", s)
		}
	}
}

func TestShortfalls(t *testing.T) {
	row := func(policy string, kills int, slack int64) result {
		return result{trace: "leak", policy: policy, Counts: world.Counts{OOMKills: kills}, slack: slack * trace.MiB}
	}
	got := shortfalls([]result{
		row(scaler.None, 5, 0), row(scaler.Ancestor, 1, 99), row(scaler.VPA, 2, 0), row(scaler.Ours, 2, 100), row(scaler.Oracle, 0, 1),
	})
	want := []string{"`leak`: 2 OOM kills, with `ancestor` 1.", "`leak`: slack of 100 MiB, with `ancestor` 99 MiB."}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("shortfalls (-want +got):\n%s", diff)
	}
}

func TestAFileWithoutThePartsIsLeftAlone(t *testing.T) {
	const text = "before\n<!-- part -->\nold\n<!-- end of part -->\nafter\n"
	path := filepath.Join(t.TempDir(), "other.md")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeDocument(path, nil); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want one that names the file", err)
	}
}
