package cluster

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// hierarchy is a mounted cgroup file system.
type hierarchy struct {
	dir     string
	unified bool // version 2
	cpuset  bool // version 1 with the cpuset controller
}

// hierarchies lists the cgroup file systems of the machine: one with version 2,
// several with version 1, both where version 2 is mounted beside.
func hierarchies() ([]hierarchy, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var found []hierarchy
	seen := map[string]bool{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		h, ok := parseHierarchy(lines.Text())
		if ok && !seen[h.dir] {
			seen[h.dir] = true
			found = append(found, h)
		}
	}
	if len(found) == 0 {
		return nil, errors.New("no cgroup file system is mounted below /sys/fs/cgroup")
	}
	return found, nil
}

// parseHierarchy reads a line of mountinfo: "36 35 98:0 / /sys/fs/cgroup/cpuset
// rw,relatime shared:1 - cgroup cgroup rw,cpuset".
func parseHierarchy(line string) (hierarchy, bool) {
	left, right, ok := strings.Cut(line, " - ")
	fields, super := strings.Fields(left), strings.Fields(right)
	if !ok || len(fields) < 5 || len(super) < 3 || !strings.HasPrefix(fields[4], "/sys/fs/cgroup") {
		return hierarchy{}, false
	}
	switch super[0] {
	case "cgroup2":
		return hierarchy{dir: fields[4], unified: true}, true
	case "cgroup":
		return hierarchy{dir: fields[4], cpuset: slices.Contains(strings.Split(super[2], ","), "cpuset")}, true
	}
	return hierarchy{}, false
}

// createCgroups makes the folder below which the kubelet puts its Pods, in every
// hierarchy.
func createCgroups(cgroup string) error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	for _, h := range all {
		if err := h.create(cgroup); err != nil {
			return fmt.Errorf("cgroup %s: %w", filepath.Join(h.dir, cgroup), err)
		}
	}
	return nil
}

func (h hierarchy) create(cgroup string) error {
	dir := filepath.Join(h.dir, cgroup)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	switch {
	case h.unified:
		if err := enableControllers(h.dir); err != nil {
			return err
		}
		return enableControllers(dir)
	case h.cpuset:
		// A new folder has none, and then takes no process.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if err := copyFile(filepath.Join(h.dir, file), filepath.Join(dir, file)); err != nil {
				return err
			}
		}
	}
	return nil
}

// enableControllers lets the folders below dir have every controller that dir
// itself has.
func enableControllers(dir string) error {
	has, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "cgroup.subtree_control")
	enabled, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for _, c := range strings.Fields(string(has)) {
		if slices.Contains(strings.Fields(string(enabled)), c) {
			continue
		}
		if err := os.WriteFile(file, []byte("+"+c), 0o644); err != nil {
			return fmt.Errorf("enable controller %s: %w", c, err)
		}
	}
	return nil
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}

// removeCgroups removes the cluster's folders from every hierarchy, and kills
// what is still in them.
func removeCgroups(cgroup string) error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	var errs []error
	for _, h := range all {
		if err := removeCgroup(filepath.Join(h.dir, cgroup)); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// removeCgroup tries for a while: a killed process leaves its group only when
// the kernel has taken it apart.
func removeCgroup(dir string) error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := removeTree(dir)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// removeTree removes the folders of a cgroup, innermost first; the files in them
// are the kernel's and go with them.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeTree(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	killMembers(dir)
	if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove cgroup %s: %w", dir, err)
	}
	return nil
}

func killMembers(dir string) {
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return
	}
	for _, field := range strings.Fields(string(b)) {
		// 0 is a process of another namespace, which kill would take for our own group.
		if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}
