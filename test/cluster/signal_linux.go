package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

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
	all, err := c.statuses()
	if err != nil {
		return err
	}
	s, known := all[program]
	if !known || s.PID == 0 {
		return fmt.Errorf("%s does not run; programs are %v", program, sortedKeys(all))
	}
	outer, err := c.initPID()
	if err != nil {
		return err
	}
	pid, err := hostPID(outer, s.PID)
	if err != nil {
		return err
	}
	if err := unix.Kill(pid, number); err != nil {
		return fmt.Errorf("signal %s: %w", program, err)
	}
	return nil
}

// Stop kills one of the node's programs and keeps it down until Start.
func (c *Cluster) Stop(ctx context.Context, program string) error {
	if c.Own() {
		return fmt.Errorf("stop %s: %w", program, ErrOwnCluster)
	}
	if err := os.WriteFile(c.holdFile(program), nil, 0o600); err != nil {
		return err
	}
	if err := c.Signal(program, syscall.SIGKILL); err != nil {
		return err
	}
	return c.awaitStatus(ctx, program, func(s status) bool { return s.PID == 0 })
}

// Start ends what Stop began. The program is started, and not necessarily ready,
// when Start returns.
func (c *Cluster) Start(ctx context.Context, program string) error {
	if c.Own() {
		return fmt.Errorf("start %s: %w", program, ErrOwnCluster)
	}
	if err := os.Remove(c.holdFile(program)); err != nil {
		return err
	}
	return c.awaitStatus(ctx, program, func(s status) bool { return s.PID != 0 })
}

func (c *Cluster) awaitStatus(ctx context.Context, program string, reached func(status) bool) error {
	for {
		all, err := c.statuses()
		if err == nil && reached(all[program]) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", program, ctx.Err())
		case <-time.After(pollDelay):
		}
	}
}

// statuses reads what the supervisor tells about its programs.
func (l layout) statuses() (map[string]status, error) {
	entries, err := os.ReadDir(l.statusDir())
	if err != nil {
		return nil, err
	}
	all := map[string]status{}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok {
			continue
		}
		b, err := os.ReadFile(l.statusFile(name))
		if err != nil {
			return nil, err
		}
		var s status
		if err := json.Unmarshal(b, &s); err != nil {
			return nil, fmt.Errorf("%s: %w", l.statusFile(name), err)
		}
		all[name] = s
	}
	return all, nil
}

// hostPID translates a process id of the node's namespace to the machine's.
func hostPID(initPID, inner int) (int, error) {
	namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", initPID))
	if err != nil {
		return 0, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid)); err != nil || ns != namespace {
			continue
		}
		if innermostPID(pid) == inner {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("process %d of the node: %w", inner, os.ErrProcessDone)
}

// innermostPID reads a process's id in its own namespace: 23 from a line
// "NSpid: 4711 23".
func innermostPID(pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "NSpid:"); ok {
			fields := strings.Fields(rest)
			inner, _ := strconv.Atoi(fields[len(fields)-1])
			return inner
		}
	}
	return 0
}
