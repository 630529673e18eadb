package cluster

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
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

// TestCgroupsOfThisMachine makes and removes a cluster's folders in the real
// hierarchies, with a process in them that nobody ended.
func TestCgroupsOfThisMachine(t *testing.T) {
	requireMachine(t)
	before := observe(t)
	cgroup := "/" + resourceName(testName())
	t.Cleanup(func() { _ = removeCgroups(cgroup) })
	fatal(t, createCgroups(cgroup))
	all, err := hierarchies()
	fatal(t, err)
	sleeper := exec.Command("/proc/self/exe", "-test.run=^TestSleeper$")
	sleeper.Env = append(os.Environ(), sleeperName+"=1")
	fatal(t, sleeper.Start())
	for _, h := range all {
		inner := filepath.Join(h.dir, cgroup, "inner")
		fatal(t, os.Mkdir(inner, 0o755))
		if h.cpuset {
			fatal(t, (hierarchy{dir: filepath.Join(h.dir, cgroup), cpuset: true}).create("/inner"))
		}
		fatal(t, os.WriteFile(filepath.Join(inner, "cgroup.procs"), []byte(strconv.Itoa(sleeper.Process.Pid)), 0o644))
		if h.unified && h.dir == "/sys/fs/cgroup" {
			if _, err := os.Stat(filepath.Join(inner, "memory.max")); err != nil {
				t.Errorf("Pods would have no memory limit: %v", err)
			}
		}
	}
	// It must be collected while the groups are removed, or it stays in them.
	go func() { _ = sleeper.Wait() }()
	fatal(t, removeCgroups(cgroup))
	expectUnchanged(t, before)
}

const sleeperName = "MEMHOG_CLUSTER_TEST_SLEEPER"

// TestSleeper is no test: it is the process in the cgroups above.
func TestSleeper(t *testing.T) {
	if os.Getenv(sleeperName) == "" {
		t.Skip("not a test, but a part of another")
	}
	time.Sleep(time.Hour)
}
