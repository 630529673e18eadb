package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// mebi is the unit of these tests.
const mebi = 1 << 20

func TestKernelFindsContainersInEveryLayout(t *testing.T) {
	for _, tc := range layouts {
		t.Run(tc.reason, func(t *testing.T) {
			h := kernel(t)
			pod := filepath.Join(h.root, tc.pod)
			container := filepath.Join(pod, tc.container)
			group(t, h, filepath.Join(pod, strings.Replace(tc.container, id, pause, 1)))
			group(t, h, container)
			inside := container
			if tc.scheme == "cri-o" {
				inside = filepath.Join(container, "container")
				group(t, h, inside)
			}
			set(t, filepath.Join(container, h.files.limit), fmt.Sprint(64*mebi))
			startIn(t, h, inside).do(t, "touch %d", 16*mebi)

			wantFound(t, h, uid, "", pod)
			wantFound(t, h, uid, tc.scheme+"://"+id, container)
			got := readAll(t, openGroup(t, h, container))
			if got.Limit != 64*mebi || got.Usage < 16*mebi || got.Usage > 64*mebi {
				t.Errorf("read %+v, want a limit of 64Mi of which at least 16Mi are used", got)
			}
		})
	}
}

func TestKernelUsageFollowsAProcess(t *testing.T) {
	h := kernel(t)
	g := openGroup(t, h, group(t, h, filepath.Join(h.root, "g")))
	p := startIn(t, h, filepath.Join(h.root, "g"))
	p.do(t, "touch %d", mebi)
	before := readAll(t, g)
	for step := int64(1); step <= 4; step++ {
		p.do(t, "touch %d", 16*mebi)
		grown := readAll(t, g).Usage - before.Usage
		// What the kernel and the Go runtime need beside is little.
		if grown < 16*mebi*step-mebi || grown > 16*mebi*step+4*mebi {
			t.Errorf("after %d steps of 16Mi the usage has grown by %d bytes", step, grown)
		}
	}
	if got := readAll(t, g).Memory.WorkingSet() - before.Memory.WorkingSet(); got < 63*mebi || got > 68*mebi {
		t.Errorf("after 64Mi the working set has grown by %d bytes", got)
	}
}

func TestKernelLimitIsReadAsItIsSet(t *testing.T) {
	h := kernel(t)
	folder := group(t, h, filepath.Join(h.root, "g"))
	g := openGroup(t, h, folder)
	file := filepath.Join(folder, h.files.limit)
	for _, tc := range []struct {
		set  string
		want int64
	}{
		{"", math.MaxInt64},
		{"67108864", 64 * mebi},
		{"1099511627776", 1 << 40},
		{"33554432", 32 * mebi},
		{map[int]string{1: "-1", 2: "max"}[h.files.version], math.MaxInt64},
	} {
		if tc.set != "" {
			set(t, file, tc.set)
		}
		if got, err := g.Limit(); err != nil || got != tc.want {
			t.Errorf("the limit is %d, %v after %q was set; want %d", got, err, tc.set, tc.want)
		}
	}
}

func TestKernelWorkingSetLeavesTheCacheOfFilesOut(t *testing.T) {
	h := kernel(t)
	folder := group(t, h, filepath.Join(h.root, "g"))
	g := openGroup(t, h, folder)
	p := startIn(t, h, folder)
	p.do(t, "touch %d", mebi)
	before := readAll(t, g).Memory
	file := disk
	if !inGuest() {
		file = filepath.Join(t.TempDir(), "file")
	}
	p.do(t, "write %s %d", file, 32*mebi)
	// Pages pass through queues of each processor on their way to the figures.
	await(t, "32Mi of cache", func() string {
		now := readAll(t, g).Memory
		if now.Usage-before.Usage >= 31*mebi && now.WorkingSet()-before.WorkingSet() <= 8*mebi {
			return ""
		}
		return fmt.Sprintf("it was %+v and is %+v", before, now)
	})
}

func TestKernelGroupsThatAreGoneAreToldApart(t *testing.T) {
	h := kernel(t)
	pod := filepath.Join(h.root, "kubepods/burstable/pod"+uid)
	folder := filepath.Join(pod, id)
	tests := []struct {
		reason string
		before func(*Group)
	}{
		{reason: "with only two files open", before: func(*Group) {}},
		{reason: "with all files open", before: func(g *Group) { readAll(t, g) }},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			group(t, h, folder)
			g := openGroup(t, h, folder)
			wantFound(t, h, uid, "containerd://"+id, folder)
			tc.before(g)
			remove(t, folder)
			got := map[string]bool{}
			for name, err := range readErrors(g) {
				got[name] = errors.Is(err, fs.ErrNotExist)
			}
			if diff := cmp.Diff(map[string]bool{"Usage": true, "Limit": true, "Memory": true}, got); diff != "" {
				t.Errorf("errors that are fs.ErrNotExist (-want +got):\n%s", diff)
			}
			if _, err := h.Open(folder); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Open: %v, want fs.ErrNotExist", err)
			}
			wantNone(t, h, uid, "containerd://"+id)
		})
	}
}

func TestKernelReadingAllocatesNothing(t *testing.T) {
	h := kernel(t)
	wantNoAllocations(t, openGroup(t, h, group(t, h, filepath.Join(h.root, "g"))))
}

// kernel gives a hierarchy of the machine's kernel, with a folder of the test's own for a root. Without one the test is
// skipped: `make e2e` runs it on a kernel of either version.
func kernel(t testing.TB) *Hierarchy {
	t.Helper()
	whole, err := Mounted("/sys/fs/cgroup")
	if err != nil {
		skip(t, err)
	}
	if inGuest() && os.Getenv(versionVariable) != fmt.Sprint(whole.files.version) {
		t.Fatalf("found version %d, want %s", whole.files.version, os.Getenv(versionVariable))
	}
	h := &Hierarchy{root: filepath.Join(whole.root, fmt.Sprintf("memhog-test-%d", os.Getpid())), files: whole.files, now: time.Now}
	if err := os.Mkdir(h.root, 0o755); err != nil {
		skip(t, err)
	}
	t.Cleanup(func() { remove(t, h.root) })
	if err := share(h, h.root); err != nil {
		skip(t, err)
	}
	return h
}

func skip(t testing.TB, err error) {
	t.Helper()
	if inGuest() {
		t.Fatal(err)
	}
	t.Skipf("SKIPPED: this machine's control groups cannot be used: %v", err)
}

// share lets the groups below a folder have the memory controller, which they have anyway with version 1.
func share(h *Hierarchy, folder string) error {
	if h.files.version == 1 {
		return nil
	}
	return os.WriteFile(filepath.Join(folder, "cgroup.subtree_control"), []byte("+memory"), 0o644)
}

// group makes a group, with those that it is in.
func group(t testing.TB, h *Hierarchy, folder string) string {
	t.Helper()
	if parent := filepath.Dir(folder); parent != h.root {
		group(t, h, parent)
	}
	if err := share(h, filepath.Dir(folder)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(folder, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	return folder
}

func set(t testing.TB, file, value string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(value), 0o644); err != nil {
		t.Fatal(err)
	}
}

// remove removes a group and those below it, innermost first. A killed process leaves its group only when the kernel has
// taken it apart.
func remove(t testing.TB, folder string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Error(err)
		return
	}
	for _, e := range entries {
		if e.IsDir() {
			remove(t, filepath.Join(folder, e.Name()))
		}
	}
	await(t, "the end of a group", func() string {
		if err := syscall.Rmdir(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err.Error()
		}
		return ""
	})
}

// await tries again until nothing is lacking any more.
func await(t testing.TB, what string, lacks func() string) {
	t.Helper()
	lacking := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if lacking = lacks(); lacking == "" {
			return
		}
	}
	t.Fatalf("waited in vain for %s: %s", what, lacking)
}
