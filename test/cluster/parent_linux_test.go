package cluster

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
)

// helperName in the environment makes TestHelper start a cluster of that name.
const helperName = "MEMHOG_CLUSTER_TEST_HELPER"

// TestHelper is no test: it is the process that the tests below kill.
func TestHelper(t *testing.T) {
	name := os.Getenv(helperName)
	if name == "" {
		t.Skip("not a test, but a part of others")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if _, err := Up(ctx, Options{Name: name}); err != nil {
		t.Fatal(err)
	}
	fmt.Println("up")
	select {}
}

// TestEndOfParent expects that a cluster ends with the process that started it,
// in whatever state that one ends, and however.
func TestEndOfParent(t *testing.T) {
	requireMachine(t)
	for _, tt := range []struct {
		reason  string
		signal  syscall.Signal
		reached func(c *Cluster) bool // when to send the signal
	}{
		{"killed when the node has only begun", syscall.SIGKILL, hasNode},
		{"killed during the boot", syscall.SIGKILL, hasContainerd},
		{"interrupted during the boot", syscall.SIGINT, hasContainerd},
		{"killed when the cluster is up", syscall.SIGKILL, nil},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			before := observe(t)
			o, err := Options{Name: testName()}.complete()
			fatal(t, err)
			t.Cleanup(func() { fatal(t, Remove(context.Background(), o)) })
			c := &Cluster{layout: layout{Name: o.Name, Dir: o.Dir}}
			helper := exec.Command("/proc/self/exe", "-test.run=^TestHelper$", "-test.v")
			helper.Env = append(os.Environ(), helperName+"="+o.Name)
			namespace := startHelper(t, helper, c, tt.reached)
			fatal(t, helper.Process.Signal(tt.signal))
			_ = helper.Wait()
			eventually(t, "no process is left", func() bool { return len(processesIn(namespace)) == 0 })
			eventually(t, "the cluster is not found", func() bool {
				running, err := isRunning(c.layout)
				return err == nil && !running
			})
			// The kernel takes network namespaces apart in its own time.
			eventually(t, "the network device is gone", func() bool {
				_, err := os.Stat("/sys/class/net/" + deviceName(o.Name))
				return os.IsNotExist(err)
			})
			expectUnchanged(t, before)
			if tt.signal == syscall.SIGINT {
				if _, err := os.Stat(o.Dir); !os.IsNotExist(err) {
					t.Errorf("an interrupted start left its folder: %v", err)
				}
			}
		})
	}
}

func hasNode(c *Cluster) bool {
	_, err := c.initPID()
	return err == nil
}

func hasContainerd(c *Cluster) bool {
	_, err := os.Stat(c.containerdSocket())
	return err == nil
}

// startHelper starts the helper, waits until its cluster is as far as asked for,
// nil for up, and returns the process namespace of the cluster.
func startHelper(t *testing.T, helper *exec.Cmd, c *Cluster, reached func(*Cluster) bool) string {
	t.Helper()
	out, err := helper.StdoutPipe()
	fatal(t, err)
	helper.Stderr = os.Stderr
	fatal(t, helper.Start())
	t.Cleanup(func() { _ = helper.Process.Kill() })
	lines := make(chan string, 100)
	go forwardLines(out, lines)
	if reached == nil {
		eventually(t, "the helper's cluster is up", func() bool {
			for {
				select {
				case line := <-lines:
					if line == "up" {
						return true
					}
				default:
					return false
				}
			}
		})
	} else {
		eventually(t, "the helper's cluster is as far", func() bool { return reached(c) })
	}
	return processNamespace(t, c)
}

func forwardLines(r io.Reader, lines chan<- string) {
	for s := bufio.NewScanner(r); s.Scan(); {
		lines <- s.Text()
	}
}
