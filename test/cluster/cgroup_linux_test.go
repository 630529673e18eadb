package cluster

import (
	"os"
	"path/filepath"
	"testing"
)

func TestParseHierarchy(t *testing.T) {
	for _, tt := range []struct {
		reason, line string
		want         hierarchy
		ok           bool
	}{
		{"version 2", "25 20 0:23 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate",
			hierarchy{dir: "/sys/fs/cgroup", unified: true}, true},
		{"version 1 with a joint mount", "31 20 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct",
			hierarchy{dir: "/sys/fs/cgroup/cpu,cpuacct"}, true},
		{"cpuset needs care", "32 20 0:28 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset",
			hierarchy{dir: "/sys/fs/cgroup/cpuset", cpuset: true}, true},
		{"the folder that holds them is none", "20 1 0:20 / /sys/fs/cgroup rw - tmpfs tmpfs rw", hierarchy{}, false},
		{"elsewhere is not the machine's own", "40 1 0:23 / /mnt/cg rw - cgroup2 cgroup2 rw", hierarchy{}, false},
		{"not a line of mountinfo", "rubbish", hierarchy{}, false},
	} {
		got, ok := parseHierarchy(tt.line)
		if got != tt.want || ok != tt.ok {
			t.Errorf("%s: got %+v, %v, want %+v, %v", tt.reason, got, ok, tt.want, tt.ok)
		}
	}
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestCreateCopiesCpuset(t *testing.T) {
	h := hierarchy{dir: t.TempDir(), cpuset: true}
	write(t, h.dir+"/cpuset.cpus", "0-1\n")
	write(t, h.dir+"/cpuset.mems", "0\n")
	for range 2 { // a second time is no error
		if err := h.create("/x"); err != nil {
			t.Fatal(err)
		}
	}
	if got := string(readFile(t, h.dir+"/x/cpuset.cpus")) + string(readFile(t, h.dir+"/x/cpuset.mems")); got != "0-1\n0\n" {
		t.Errorf("copied %q", got)
	}
}

func TestEnableControllersWritesOnlyWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/cgroup.controllers", "cpu memory\n")
	write(t, dir+"/cgroup.subtree_control", "cpu\n")
	if err := enableControllers(dir); err != nil {
		t.Fatal(err)
	}
	if got := string(readFile(t, dir+"/cgroup.subtree_control")); got != "+memory" {
		t.Errorf("wrote %q, want +memory", got)
	}
	write(t, dir+"/cgroup.subtree_control", "cpu memory\n")
	if err := enableControllers(dir); err != nil {
		t.Fatal(err)
	}
	if got := string(readFile(t, dir+"/cgroup.subtree_control")); got != "cpu memory\n" {
		t.Errorf("wrote %q though nothing was missing", got)
	}
}

func TestRemoveTree(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "root")
	if err := os.MkdirAll(filepath.Join(dir, "a", "b"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 { // what is gone is no error
		if err := removeTree(dir); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("still there: %v", err)
	}
}
