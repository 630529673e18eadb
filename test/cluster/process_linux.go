package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// node is the first process of a cluster, as the process that started it sees it.
type node struct {
	pid      int
	lifeline *os.File
	ended    chan struct{}
	err      error // how it ended; valid once ended is closed
}

// startNode starts the first process in namespaces of its own and gives it the
// network device.
func startNode(l layout, held *os.File) (*node, error) {
	log, err := os.OpenFile(l.logFile("node"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{initStage, l.Dir}
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{theirs, held}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET,
		// A ^C in the terminal is for the caller, who decides what it means here.
		Setsid: true,
	}
	if err := cmd.Start(); err != nil {
		ours.Close()
		return nil, fmt.Errorf("start the node: %w", err)
	}
	n := &node{pid: cmd.Process.Pid, lifeline: ours, ended: make(chan struct{})}
	go func() {
		n.err = cmd.Wait()
		close(n.ended)
	}()
	if err := n.connect(l); err != nil {
		n.stop()
		return nil, err
	}
	return n, nil
}

// connect tells the world of the process, and the process of its device.
func (n *node) connect(l layout) error {
	if err := os.WriteFile(l.pidFile(), []byte(strconv.Itoa(n.pid)), 0o600); err != nil {
		return err
	}
	if err := moveLink(l.Name, n.pid); err != nil {
		return err
	}
	_, err := n.lifeline.Write([]byte{linkMoved})
	return err
}

// detach lets the node live on without this process.
func (n *node) detach() error {
	_, err := n.lifeline.Write([]byte{detached})
	return err
}

// stop ends the node: its first process kills all others, removes their cgroups
// and ends. Only a first process that doesn't is killed.
func (n *node) stop() {
	n.lifeline.Close()
	_ = unix.Kill(n.pid, unix.SIGTERM)
	select {
	case <-n.ended:
	case <-time.After(stopPatience):
		_ = unix.Kill(n.pid, unix.SIGKILL)
		<-n.ended
	}
}

// stopPatience is more than the first process needs to remove cgroups.
const stopPatience = 15 * time.Second

// stopForeign does the same to a node that another process started. held tells
// when it is gone: the node keeps the lock as long as it lives.
func stopForeign(l layout, pid int) error {
	_ = unix.Kill(pid, unix.SIGTERM)
	for begin := time.Now(); ; time.Sleep(pollDelay) {
		running, err := isRunning(l)
		if err != nil || !running {
			return err
		}
		if time.Since(begin) > stopPatience {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		if time.Since(begin) > 2*stopPatience {
			return fmt.Errorf("process %d does not end", pid)
		}
	}
}

// isRunning asks for the lock that the first process holds while it lives.
func isRunning(l layout) (bool, error) {
	if _, err := os.Stat(l.lockFile()); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	held, err := lock(l.lockFile(), unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, held.Close()
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

// innermostPID reads a process's id in its own namespace: the last of "NSpid:
// 4711 23".
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
