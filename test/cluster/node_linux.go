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
	prepared = 'p' // the node's files and its network device are there
	detached = 'd' // live on without the process that called Up
)

// init takes over where the process is a node's, before main or a test starts:
// no program that uses the library can forget to call it, and none can start
// its own main in a node's stead.
func init() {
	if len(os.Args) != 2 {
		return
	}
	var run func(dir string) error
	switch os.Args[0] {
	case initStage:
		run = runInit
	case supervisorStage:
		run = supervise
	default:
		return
	}
	if err := run(os.Args[1]); err != nil {
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
func runInit(dir string) error {
	// Not for the supervisor, or the lock would outlive this process.
	unix.CloseOnExec(lifelineFD)
	unix.CloseOnExec(lockFD)
	lifeline := os.NewFile(lifelineFD, "lifeline")
	if err := expect(lifeline, prepared); err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	spec, err := readSpec(dir)
	if err != nil {
		return err
	}
	if err := spec.enter(); err != nil {
		return err
	}
	go func() {
		if expect(lifeline, detached) != nil {
			stop <- syscall.SIGTERM
		}
	}()
	supervisor, err := startSupervisor(spec)
	if err != nil {
		return errors.Join(err, removeCgroups(spec.cgroup()))
	}
	go func() {
		<-stop
		killOthers()
	}()
	reapUntil(supervisor)
	killOthers()
	reapUntil(none)
	return removeCgroups(spec.cgroup())
}

// enter prepares the namespaces that this process is the first of.
func (s nodeSpec) enter() error {
	// Some programs make a label of it, for which not every machine's name is fit.
	if err := unix.Sethostname([]byte(s.nodeName())); err != nil {
		return fmt.Errorf("set the node's host name: %w", err)
	}
	if err := prepareMounts(s.layout); err != nil {
		return err
	}
	if err := configureNode(s.layout); err != nil {
		return err
	}
	return createCgroups(s.cgroup())
}

// killOthers kills every process of the node's namespace but this one.
func killOthers() { _ = unix.Kill(-1, unix.SIGKILL) }

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

// none is the process id of no child.
const none = 0

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
