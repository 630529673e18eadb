package cluster

import (
	"os"
	"path/filepath"
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
		m := memoryBeside(filepath.Join(dir, tt.limit))
		limit, err := m.Limit()
		if err != nil || limit != 1000 {
			t.Errorf("%s: the limit is %d, %v", tt.reason, limit, err)
		}
		used, err := m.WorkingSet()
		if err != nil || used != 500 {
			t.Errorf("%s: the working set is %d, %v, want 500", tt.reason, used, err)
		}
	}
}
