// Package cgroup reads the memory of a node's containers where the kernel keeps account of it: in the files of their
// control groups. It knows version 1 and version 2, and where kubelets and container runtimes put the groups.
package cgroup

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// ErrNotFound says that a container, or a Pod, has no control group.
var ErrNotFound = fmt.Errorf("no control group: %w", fs.ErrNotExist)

// Hierarchy is the node's control groups for memory: those of version 1's memory controller, or the unified ones of version 2.
type Hierarchy struct {
	root  string
	files files
	now   func() time.Time

	mu sync.Mutex
	// kubepods are the folders that hold a kubelet's Pods, as they were found at the time walked.
	kubepods []string
	walked   time.Time
}

// files are the names of a version's files, and of what stands in them.
type files struct {
	version            int
	usage, limit, stat string
	inactiveFile       string
}

var (
	// A group's memory.stat has each figure twice: for the group alone, and with the groups below it. The latter is what
	// version 2 and the usage mean.
	version1 = files{
		version: 1,
		usage:   "memory.usage_in_bytes", limit: "memory.limit_in_bytes", stat: "memory.stat",
		inactiveFile: "total_inactive_file",
	}
	version2 = files{
		version: 2,
		usage:   "memory.current", limit: "memory.max", stat: "memory.stat",
		inactiveFile: "inactive_file",
	}
)

// Mounted finds out what is mounted at root, which is the node's /sys/fs/cgroup:
//   - version 2, if root itself is a group that has the memory controller;
//   - version 1, if root holds the hierarchy of the memory controller; also where version 2 is mounted beside it and has
//     other controllers (systemd's hybrid layout).
func Mounted(root string) (*Hierarchy, error) {
	controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err == nil {
		if !slices.Contains(strings.Fields(string(controllers)), "memory") {
			return nil, fmt.Errorf("the control groups at %q (version 2) lack the memory controller", root)
		}
		return &Hierarchy{root: root, files: version2, now: time.Now}, nil
	}
	memory := filepath.Join(root, "memory")
	if _, err := os.Stat(filepath.Join(memory, version1.usage)); err != nil {
		return nil, fmt.Errorf("there are no control groups with the memory controller at %q: %w", root, err)
	}
	return &Hierarchy{root: memory, files: version1, now: time.Now}, nil
}
