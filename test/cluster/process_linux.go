package cluster

import (
	"context"
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
	ended    chan struct{} // closed when it has ended
}

// startNode starts the first process in namespaces of its own. It waits there
// until it is told that all is prepared, and ends when this process does.
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
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWUTS,
		// A ^C in the terminal is for the caller, who decides what it means here.
		Setsid: true,
	}
	if err := cmd.Start(); err != nil {
		ours.Close()
		return nil, fmt.Errorf("start the node: %w", err)
	}
	n := &node{pid: cmd.Process.Pid, lifeline: ours, ended: make(chan struct{})}
	go func() {
		// As long as this waits, it also keeps the lifeline from being collected as
		// garbage, which would close it, whoever has forgotten the cluster.
		_ = cmd.Wait()
		ours.Close()
		close(n.ended)
	}()
	if err := os.WriteFile(l.pidFile(), []byte(strconv.Itoa(n.pid)), 0o600); err != nil {
		return n, err
	}
	return n, nil
}

// tell sends one of the messages that the first process waits for.
func (n *node) tell(message byte) error {
	_, err := n.lifeline.Write([]byte{message})
	return err
}

// stopPatience is more than the first process needs to remove cgroups.
const stopPatience = 15 * time.Second

// stop asks the first process to end, which then kills all others and removes
// their cgroups. One that does not by then, or before ctx ends, is killed, and
// the kernel kills the others.
func (l layout) stop(ctx context.Context) error {
	running, err := isRunning(l)
	if err != nil || !running {
		return err
	}
	pid, err := l.initPID()
	if err != nil {
		return fmt.Errorf("it is being started or stopped: %w", err)
	}
	// A handle, and not the number, which could become another process's.
	handle, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("process %d: %w", pid, err)
	}
	defer unix.Close(handle)
	_ = unix.PidfdSendSignal(handle, unix.SIGTERM, nil, 0)
	if endsSoon(ctx, handle) {
		return nil
	}
	_ = unix.PidfdSendSignal(handle, unix.SIGKILL, nil, 0)
	if endsSoon(context.WithoutCancel(ctx), handle) {
		return nil
	}
	return fmt.Errorf("process %d does not end", pid)
}

// endsSoon waits until the process has ended, the context has, or patience.
func endsSoon(ctx context.Context, handle int) bool {
	ctx, cancel := context.WithTimeout(ctx, stopPatience)
	defer cancel()
	poll := []unix.PollFd{{Fd: int32(handle), Events: unix.POLLIN}}
	for {
		if n, err := unix.Poll(poll, int(pollDelay.Milliseconds())); n > 0 && err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
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
