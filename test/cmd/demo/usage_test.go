package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseOwn(t *testing.T) {
	line := `{"time":"2026-01-02T03:04:05.5Z","level":"INFO","msg":"growing","heldMiB":202,"residentMiB":204.9}`
	got, err := parseOwn([]byte(line))
	if want := (sample{time.Date(2026, 1, 2, 3, 4, 5, 5e8, time.UTC), 204.9}); err != nil || got != want {
		t.Errorf("parseOwn = %v, %v, want %v", got, err, want)
	}
	for _, bad := range []string{"", "memhog: MEMHOG_START_MIB is wrong", `{"msg":"growing"}`, `{"time":"2026-01-02T03:04:05Z"}`} {
		if _, err := parseOwn([]byte(bad)); err == nil {
			t.Errorf("parseOwn takes %q", bad)
		}
	}
}

func TestParseKubelet(t *testing.T) {
	text := `# HELP container_memory_working_set_bytes [STABLE] Current working set of the container in bytes
# TYPE container_memory_working_set_bytes gauge
container_memory_working_set_bytes{container="memhog",namespace="memhog-demo",pod="a"} 3.01989888e+08 1767323045123
container_memory_working_set_bytes{container="memhog",namespace="memhog-demo",pod="b"} 1.048576e+06 1767323046000
container_memory_working_set_bytes{container="sidecar",namespace="memhog-demo",pod="a"} 1 1767323045123
container_memory_working_set_bytes{container="memhog",namespace="other",pod="a"} 2 1767323045123
# HELP scrape_error [ALPHA] 1 if there was an error while getting container metrics, 0 otherwise
# TYPE scrape_error gauge
scrape_error 0
`
	got, err := parseKubelet([]byte(text), "memhog-demo")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]sample{
		"a": {time.UnixMilli(1767323045123), 288},
		"b": {time.UnixMilli(1767323046000), 1},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(sample{})); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
	if _, err := parseKubelet([]byte("<html>"), "memhog-demo"); err == nil {
		t.Error("parseKubelet takes a page of HTML")
	}
}
