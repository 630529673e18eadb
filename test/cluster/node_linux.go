package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// A node's processes are this same executable under another name: whatever
// program uses the library (a test binary, a demo) can so hold a cluster, with
// no second program to build or to find. The names are not inherited by
// children, as an environment variable would be.
const (
	initStage       = "memhog-cluster-init"
	supervisorStage = "memhog-cluster-supervisor"
)

// Files that Up hands to the first process, in the order of exec.Cmd.ExtraFiles.
const (
	lifelineFD = 3 // a pipe whose other end is held by the process that called Up
	lockFD     = 4 // the lock that says that this cluster runs
)

// What Up writes into the lifeline. Its end means that Up's process is gone.
const (
	linkMoved = 'l' // the node's network device has arrived
	detached  = 'd' // live on without the process that called Up
)

// init takes over where the process is a node's, before main or a test starts:
// no program that uses the library can forget to call it, and none can start
// its own main in a node's stead.
func init() {
	if len(os.Args) != 2 {
		return
	}
	var run func(nodeSpec) error
	switch os.Args[0] {
	case initStage:
		run = runInit
	case supervisorStage:
		run = supervise
	default:
		return
	}
	spec, err := readSpec(os.Args[1])
	if err == nil {
		err = run(spec)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// nodeSpec is what the node's processes need to know.
type nodeSpec struct {
	layout
	Path     string    `json:"path"` // where programs look for other programs
	Programs []program `json:"programs"`
}

func (l layout) specFile() string { return l.path("node.json") }

func readSpec(dir string) (nodeSpec, error) {
	var spec nodeSpec
	b, err := os.ReadFile(layout{Dir: dir}.specFile())
	if err != nil {
		return spec, err
	}
	if err := json.Unmarshal(b, &spec); err != nil {
		return spec, fmt.Errorf("%s: %w", layout{Dir: dir}.specFile(), err)
	}
	return spec, nil
}

// runInit is the first process of the node's namespaces. With it everything in
// them ends, so it does little: it prepares them, holds the supervisor, reaps
// the orphans that containers leave, and ends when it is told to, when the
// supervisor ends, or when the process that called Up is gone.
func runInit(spec nodeSpec) error {
	// Not for the supervisor, or the lock would outlive this process.
	unix.CloseOnExec(lifelineFD)
	unix.CloseOnExec(lockFD)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	lifeline := os.NewFile(lifelineFD, "lifeline")

	if err := prepareMounts(spec.layout); err != nil {
		return err
	}
	if err := expect(lifeline, linkMoved); err != nil {
		return err
	}
	if err := configureNode(spec.layout); err != nil {
		return err
	}
	if err := createCgroups(spec.cgroup()); err != nil {
		return err
	}
	supervisor, err := startSupervisor(spec)
	if err != nil {
		return errors.Join(err, removeCgroups(spec.cgroup()))
	}
	go func() {
		if expect(lifeline, detached) != nil {
			stop <- syscall.SIGTERM
		}
	}()
	go func() {
		<-stop
		_ = unix.Kill(-1, unix.SIGKILL) // everything but this process
	}()
	reapUntil(supervisor)
	_ = unix.Kill(-1, unix.SIGKILL)
	reapUntil(0)
	return removeCgroups(spec.cgroup())
}

// expect waits for a message; the end of the pipe is an error.
func expect(lifeline io.Reader, message byte) error {
	b := make([]byte, 1)
	if _, err := io.ReadFull(lifeline, b); err != nil {
		return fmt.Errorf("the process that started the cluster is gone: %w", err)
	}
	if b[0] != message {
		return fmt.Errorf("message %q from the process that started the cluster, want %q", b, message)
	}
	return nil
}

func startSupervisor(spec nodeSpec) (int, error) {
	p, err := os.StartProcess("/proc/self/exe", []string{supervisorStage, spec.Dir}, &os.ProcAttr{
		Env:   os.Environ(),
		Files: []*os.File{nil, os.Stdout, os.Stderr},
	})
	if err != nil {
		return 0, fmt.Errorf("start the supervisor: %w", err)
	}
	return p.Pid, nil
}

// reapUntil collects ended children until the one of this process id has ended,
// or until there are none.
func reapUntil(pid int) {
	for {
		ended, err := unix.Wait4(-1, nil, 0, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || ended == pid {
			return
		}
	}
}
