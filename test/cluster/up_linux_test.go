package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// testName keeps the test apart from other clusters on the machine.
func testName() string { return fmt.Sprintf("test-%d", os.Getpid()) }

// logWriter shows progress in the test's log.
type logWriter struct{ t *testing.T }

func (w logWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

func requireMachine(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: a real cluster is not short")
	}
	if err := checkMachine(); err != nil {
		t.Skipf("SKIPPED, nothing was tested: %v", err)
	}
}

// TestUp boots a cluster, lets Pods live on it as on any other, and expects that
// nothing of it is left.
func TestUp(t *testing.T) {
	requireMachine(t)
	before := observe(t)
	o := Options{Name: testName(), Out: logWriter{t}, NodeMemory: "1Gi"}
	c, err := Up(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Down(context.Background()) })
	namespace := processNamespace(t, c)
	config, err := c.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	client := kubernetes.NewForConfigOrDie(config)

	t.Run("a second of the same name is refused", func(t *testing.T) {
		if _, err := Up(t.Context(), o); err == nil || !strings.Contains(err.Error(), ErrRunning.Error()) {
			t.Errorf("got %v, want %v", err, ErrRunning)
		}
	})
	t.Run("the node offers what was asked for", func(t *testing.T) {
		node, err := client.CoreV1().Nodes().Get(t.Context(), c.NodeName(), metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := node.Status.Allocatable.Memory().Value(); got != 1<<30 {
			t.Errorf("allocatable memory %d, want 1Gi", got)
		}
	})
	t.Run("restricted Pods reach what they may", func(t *testing.T) { testPods(t, c, client) })
	t.Run("writes are in the audit log", func(t *testing.T) { testAudit(t, c) })
	t.Run("programs are signalled, stopped and started", func(t *testing.T) { testPrograms(t, c) })
	t.Run("found by name", func(t *testing.T) {
		found, err := Find(o)
		if err != nil {
			t.Fatal(err)
		}
		if found.Kubeconfig() != c.Kubeconfig() {
			t.Errorf("found %s, want %s", found.Kubeconfig(), c.Kubeconfig())
		}
	})

	if err := c.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	expectUnchanged(t, before)
	if left := processesIn(namespace); len(left) > 0 {
		t.Errorf("processes left: %v", left)
	}
	if _, err := os.Stat(c.Dir); !os.IsNotExist(err) {
		t.Errorf("state folder is left: %v", err)
	}
}

// TestUpReportsWhatFails expects the cause in the error, the logs where the error
// says, and nothing else left.
func TestUpReportsWhatFails(t *testing.T) {
	requireMachine(t)
	before := observe(t)
	o := Options{Name: testName(), Out: logWriter{t}, FeatureGates: map[string]bool{"Nonesuch": true}}
	t.Cleanup(func() { fatal(t, Remove(context.Background(), o)) })
	_, err := Up(t.Context(), o)
	if err == nil {
		t.Fatal("a cluster with an unknown feature gate was started")
	}
	complete, _ := o.complete()
	l := layout{Dir: complete.Dir}
	for _, want := range []string{apiServer, "unrecognized feature gate: Nonesuch", l.logDir()} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not tell %q:\n%v", want, err)
		}
	}
	if _, err := os.Stat(l.logFile(apiServer)); err != nil {
		t.Errorf("the logs are not kept: %v", err)
	}
	if _, err := Find(o); !errors.Is(err, ErrNotRunning) {
		t.Errorf("finding it gives %v, want %v", err, ErrNotRunning)
	}
	expectUnchanged(t, before)
}

func processNamespace(t *testing.T, c *Cluster) string {
	t.Helper()
	pid, err := c.initPID()
	if err != nil {
		t.Fatal(err)
	}
	namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if err != nil {
		t.Fatal(err)
	}
	return namespace
}

func testAudit(t *testing.T, c *Cluster) {
	f, err := os.Open(c.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	verbs := map[string]int{}
	for lines := json.NewDecoder(f); ; {
		var event struct {
			Verb string
			User struct{ Username string }
		}
		if err := lines.Decode(&event); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		verbs[event.Verb]++
		if event.User.Username == "kubernetes-admin" {
			verbs["admin "+event.Verb]++
		}
	}
	if verbs["admin create"] == 0 || verbs["get"]+verbs["list"]+verbs["watch"] > 0 {
		t.Errorf("logged %v, want creations by the administrator and no reads", verbs)
	}
}

func testPrograms(t *testing.T, c *Cluster) {
	fatal(t, c.Signal(kubelet, syscall.SIGKILL))
	eventually(t, "the kubelet is started again", func() bool {
		all, err := c.statuses()
		return err == nil && all[kubelet].Starts == 2 && all[kubelet].PID != 0
	})
	fatal(t, c.Stop(t.Context(), scheduler))
	if err := c.Signal(scheduler, syscall.SIGCONT); err == nil {
		t.Error("a stopped program was signalled")
	}
	fatal(t, c.Start(t.Context(), scheduler))
	fatal(t, c.Signal(scheduler, syscall.SIGCONT))
	if err := c.Signal("nonesuch", syscall.SIGCONT); err == nil || !strings.Contains(err.Error(), kubelet) {
		t.Errorf("signalling no program gave %v, want the names of those there are", err)
	}
}

// eventually waits for a condition; the time it may take is no part of the test.
func eventually(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !reached(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came to be that %s", what)
		}
	}
}
