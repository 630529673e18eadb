package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMemoryIsReadOfBothVersions(t *testing.T) {
	for _, tt := range []struct {
		reason string
		files  map[string]string
		limit  string
	}{
		{"version 1", map[string]string{
			"memory.limit_in_bytes": "1000\n", "memory.usage_in_bytes": "700\n",
			"memory.stat": "inactive_file 1\ntotal_inactive_file 200\n",
		}, "memory.limit_in_bytes"},
		{"version 2", map[string]string{
			"memory.max": "1000\n", "memory.current": "700\n", "memory.stat": "anon 3\ninactive_file 200\n",
		}, "memory.max"},
	} {
		dir := t.TempDir()
		for name, text := range tt.files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		m, err := openMemory(filepath.Join(dir, tt.limit))
		if err != nil {
			t.Fatalf("%s: %v", tt.reason, err)
		}
		t.Cleanup(func() { _ = m.Close() })
		for what, read := range map[string]func() (int64, error){"limit 1000": m.Limit, "usage 700": m.Usage, "inactive 200": m.Inactive} {
			got, err := read()
			if name, _, _ := strings.Cut(what, " "); err != nil || fmt.Sprint(name, " ", got) != what {
				t.Errorf("%s: %s %d, %v, want %s", tt.reason, name, got, err, what)
			}
		}
	}
}
