package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

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
		return nil, fmt.Errorf("cluster %q is starting or stopping: %w", o.Name, err)
	}
	return &Cluster{layout: spec.layout}, nil
}

// Down ends the cluster and removes everything of it, logs included. It leaves
// the user's own cluster alone.
func (c *Cluster) Down(ctx context.Context) error {
	if c.Own() {
		return nil
	}
	if err := c.stop(); err != nil {
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

func (c *Cluster) stop() error {
	if c.node != nil {
		c.node.stop()
		return nil
	}
	running, err := isRunning(c.layout)
	if err != nil || !running {
		return err
	}
	pid, err := c.initPID()
	if err != nil {
		return err
	}
	return stopForeign(c.layout, pid)
}

// failed ends a cluster that could not be started, keeps its logs, and adds to
// the error what they say.
func (c *Cluster) failed(cause error) error {
	report := c.report()
	err := c.stop()
	if err == nil {
		err = removeOutside(c.layout)
	}
	for _, dir := range []string{"data", "pki", "config"} {
		err = errors.Join(err, os.RemoveAll(c.path(dir)))
	}
	return errors.Join(fmt.Errorf("cluster %q did not start: %w%s\nlogs are in %s", c.Name, cause, report, c.logDir()), err)
}

// report shows the ends of the logs of what failed: the programs that ended, or
// the node itself where none was started.
func (c *Cluster) report() string {
	const size = 2000
	statuses, _ := c.statuses()
	var b strings.Builder
	for _, name := range sortedKeys(statuses) {
		if statuses[name].Exit != "" {
			fmt.Fprintf(&b, "\n--- %s (%s)\n%s", name, statuses[name].Exit, tail(c.logFile(name), size))
		}
	}
	if text := tail(c.logFile("node"), size); text != "" {
		fmt.Fprintf(&b, "\n--- node\n%s", text)
	}
	return b.String()
}

// clearRemains removes all that a cluster leaves which is not running any more,
// but for its folder and the lock in it.
func clearRemains(l layout) error {
	if err := removeOutside(l); err != nil {
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
		if file := l.path(e.Name()); file != l.lockFile() {
			if err := os.RemoveAll(file); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeOutside removes what is not in the state folder, and first unmounts what
// is mounted in it: to delete a folder of files is not to delete what some mount
// shows there.
func removeOutside(l layout) error {
	if err := unmountBelow(l.Dir); err != nil {
		return err
	}
	return errors.Join(removeCgroups(l.cgroup()), removeLink(l.Name))
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

func (l layout) pidFile() string { return l.path("pid") }

func (l layout) initPID() (int, error) {
	b, err := os.ReadFile(l.pidFile())
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("%s: %q is no process id", l.pidFile(), b)
	}
	return pid, nil
}

// Signal sends a signal to one of the node's programs, such as "kubelet". A
// program that ends by it is started again after a second.
func (c *Cluster) Signal(program string, sig os.Signal) error {
	number, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("signal %v is none of this system", sig)
	}
	if c.Own() {
		return fmt.Errorf("signal %s: %w", program, ErrOwnCluster)
	}
	statuses, err := c.statuses()
	if err != nil {
		return err
	}
	s, known := statuses[program]
	if !known || s.PID == 0 {
		return fmt.Errorf("%s is not running; known are %v", program, sortedKeys(statuses))
	}
	outer, err := c.initPID()
	if err != nil {
		return err
	}
	pid, err := hostPID(outer, s.PID)
	if err != nil {
		return err
	}
	return unix.Kill(pid, number)
}

func (l layout) containerdSocket() string {
	pid, err := l.initPID()
	if err != nil {
		return ""
	}
	return filepath.Join("/proc", strconv.Itoa(pid), "root", containerdSocket)
}
