package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Find returns the running cluster that the options name.
func Find(o Options) (*Cluster, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	l := layout{Name: o.Name, Dir: o.Dir}
	running, err := isRunning(l)
	if err != nil {
		return nil, err
	}
	if !running {
		return nil, fmt.Errorf("%q in %s: %w", o.Name, o.Dir, ErrNotRunning)
	}
	spec, err := readSpec(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("cluster %q is being started or stopped: %w", o.Name, err)
	}
	return &Cluster{layout: spec.layout}, nil
}

// Down ends the cluster and removes everything of it, logs included. It leaves
// the user's own cluster alone. When ctx ends, it no longer asks but kills.
func (c *Cluster) Down(ctx context.Context) error {
	if c.Own() {
		return nil
	}
	if err := c.stop(ctx); err != nil {
		return fmt.Errorf("stop cluster %q: %w", c.Name, err)
	}
	if err := clearRemains(c.layout); err != nil {
		return fmt.Errorf("remove cluster %q: %w", c.Name, err)
	}
	return os.RemoveAll(c.Dir)
}

// Remove ends the cluster that the options name if it runs, and removes what an
// earlier one left, if anything.
func Remove(ctx context.Context, o Options) error {
	o, err := o.complete()
	if err != nil {
		return err
	}
	if _, err := os.Stat(o.Dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return (&Cluster{layout: layout{Name: o.Name, Dir: o.Dir}}).Down(ctx)
}

// clearRemains removes all that is left of a cluster that is not running any
// more, except its folder, the lock in it, and what is to be kept.
func clearRemains(l layout, keep ...string) error {
	// First, for to delete a folder's files is not to delete what a mount shows there.
	if err := unmountBelow(l.Dir); err != nil {
		return err
	}
	if err := errors.Join(removeCgroups(l.cgroup()), removeLink(l.Name)); err != nil {
		return err
	}
	entries, err := os.ReadDir(l.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		file := l.path(e.Name())
		if file == l.lockFile() || slices.Contains(keep, file) {
			continue
		}
		if err := os.RemoveAll(file); err != nil {
			return err
		}
	}
	return nil
}

func unmountBelow(dir string) error {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	defer f.Close()
	var points []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			points = append(points, fields[4])
		}
	}
	for _, point := range slices.Backward(points) {
		if err := unix.Unmount(point, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", point, err)
		}
	}
	return nil
}
