package trace

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "recorded.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestARecordingIsConnectedByLines(t *testing.T) {
	path := write(t, "seconds,bytes,reclaimable\n100, 1000, 0\n102,3000,500\n104.5,3000,500\n")
	for _, sinceStart := range []bool{false, true} {
		trace, err := ReadFile(path, sinceStart)
		if err != nil {
			t.Fatal(err)
		}
		var got []Use
		for i := range trace.Seconds {
			if sinceStart {
				got = append(got, trace.At(7, i))
			} else {
				got = append(got, trace.At(i, 7))
			}
		}
		want := []Use{{1000, 0}, {1750, 250}, {2500, 500}, {2500, 500}, {2500, 500}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("since start %v (-want +got):\n%s", sinceStart, diff)
		}
		if trace.Name != "recorded" {
			t.Errorf("name %q, want that of the file", trace.Name)
		}
	}
}

func TestABadRecordingIsNamed(t *testing.T) {
	for _, test := range []struct{ reason, text, want string }{
		{"empty", "", `line 1: nothing in it, want the header "seconds,bytes" or "seconds,bytes,reclaimable"`},
		{"other columns", "time,bytes\n1,2\n", `line 1: the header is "time,bytes", want "seconds,bytes" or`},
		{"one row", "seconds,bytes\n1,2\n", "1 lines after the header, want at least 2"},
		{"a column too many", "seconds,bytes\n1,2\n2,3,4\n", "record on line 3: wrong number of fields"},
		{"no number", "seconds,bytes\n1,2\n2,many\n",
			`line 3, column 2 (bytes): "many", want a number from 0 to 1125899906842624`},
		{"not a number", "seconds,bytes\n1,NaN\n", `line 2, column 2 (bytes): "NaN", want a number from 0 to`},
		{"negative time", "seconds,bytes\n-1,2\n", `line 2, column 1 (seconds): "-1", want a number from 0 to 2678400`},
		{"a month and more", "seconds,bytes\n1,2\n3e6,2\n", `line 3, column 1 (seconds): "3e6", want a number above 1 to 2678400`},
		{"back in time", "seconds,bytes\n5,2\n4,2\n", `line 3, column 1 (seconds): "4", want a number above 5 to 2678400`},
		{"twice the same time", "seconds,bytes\n5,2\n5,2\n", `line 3, column 1 (seconds): "5", want a number above 5 to 2678400`},
		{"more cache than there is", "seconds,bytes,reclaimable\n1,100,101\n",
			`line 2, column 3 (reclaimable): "101", want a number from 0 to 100`},
	} {
		path := write(t, test.text)
		_, err := ReadFile(path, false)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want one with the file and %q", test.reason, err, test.want)
		}
	}
	if _, err := ReadFile(filepath.Join(t.TempDir(), "missing.csv"), false); err == nil {
		t.Error("want an error of a file that is not there")
	}
}
