package cgroup

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMountedTellsTheVersions(t *testing.T) {
	tests := []struct {
		reason  string
		tree    map[string]string
		want    int
		wantDir string
	}{
		{
			reason: "version 2 has the memory controller at its root",
			tree:   map[string]string{"cgroup.controllers": "cpuset cpu io memory pids\n"},
			want:   2, wantDir: ".",
		},
		{
			reason: "version 2 without the memory controller is of no use",
			tree:   map[string]string{"cgroup.controllers": "cpu pids\n"},
		},
		{
			reason: "version 1 has a folder for each controller",
			tree:   map[string]string{"memory/memory.usage_in_bytes": "4096\n", "cpu/cpu.shares": "1024\n"},
			want:   1, wantDir: "memory",
		},
		{
			reason: "hybrid: version 2 is mounted beside, and memory is version 1's",
			tree: map[string]string{
				"memory/memory.usage_in_bytes": "4096\n",
				"unified/cgroup.controllers":   "\n",
			},
			want: 1, wantDir: "memory",
		},
		{
			reason: "version 1 without the memory controller is of no use",
			tree:   map[string]string{"cpu/cpu.shares": "1024\n"},
		},
		{reason: "nothing is mounted"},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			root := t.TempDir()
			write(t, root, tc.tree)
			h, err := Mounted(root)
			if tc.want == 0 {
				if err == nil {
					t.Fatalf("Mounted found version %d, want an error", h.files.version)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if h.files.version != tc.want || h.root != filepath.Join(root, tc.wantDir) {
				t.Errorf("Mounted found version %d at %s, want %d at %s", h.files.version, h.root, tc.want, tc.wantDir)
			}
		})
	}
}

// write makes files, with the folders that they are in.
func write(t *testing.T, root string, tree map[string]string) {
	t.Helper()
	for path, text := range tree {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
