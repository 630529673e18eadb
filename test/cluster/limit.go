package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// LimitFile finds the file in which the kernel's memory limit of a container stands, by the container's ID as its status has
// it. It works on a cluster of ours only, whose node is this machine.
func (c *Cluster) LimitFile(containerID string) (string, error) {
	if c.Own() {
		return "", ErrOwnCluster
	}
	_, id, _ := strings.Cut(containerID, "://")
	if id == "" {
		return "", errors.New("the container has no ID yet")
	}
	found := ""
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fs.SkipDir // a group that is gone by now
		}
		limit := entry.Name() == "memory.limit_in_bytes" || entry.Name() == "memory.max"
		if limit && strings.Contains(path, c.Cgroup()+"/") && strings.Contains(path, id) {
			found = path
			return fs.SkipAll
		}
		return nil
	})
	if err == nil && found == "" {
		err = fmt.Errorf("container %s has no cgroup below %s", id, c.Cgroup())
	}
	return found, err
}

// ReadLimit reads such a file, in bytes.
func ReadLimit(file string) (int64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	return limit, nil
}
