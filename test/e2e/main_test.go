package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// clusterName tells this suite's cluster apart from others on the machine.
const clusterName = "memhog-e2e"

// patience is how long the suite waits for what takes seconds on an idle machine, or two minutes of slow growth.
const patience = 5 * time.Minute

// env is what all stories share.
var env environment

func TestMain(m *testing.M) {
	flag.Parse()
	// What the clients' libraries say when a forwarded port is closed or a kubelet is down is no news here.
	klog.SetLogger(logr.Discard())
	log.SetLogger(logr.Discard())
	// Stories that run beside each other hold the operator's lock from before they wait for a turn to run in parallel
	// (see tell): with fewer turns than stories, those with a turn could wait for those without.
	if err := flag.Set("test.parallel", "1000"); err != nil {
		panic(err)
	}
	os.Exit(run(m))
}

// run brings everything up, runs the tests, and takes everything down again, also after a failure or ^C.
func run(m *testing.M) (code int) {
	if env.missing = missing(); env.missing != "" {
		fmt.Fprintf(os.Stderr, "\n*** EVERY END-TO-END TEST IS SKIPPED: %s ***\n\n", env.missing)
		return m.Run()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer func() {
		stop() // a second ^C ends the process
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := env.takeDown(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "take down:", err)
			code = max(code, 1)
		}
	}()
	if err := env.bringUp(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bring up:", err)
		if env.installed && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, describeWorld(ctx, readers))
		}
		return 1
	}
	ended := make(chan int, 1)
	go func() { ended <- m.Run() }()
	select {
	case code := <-ended:
		return code
	case <-ctx.Done():
		fmt.Fprintln(os.Stderr, "interrupted: taking everything down")
		return 130
	}
}

// missing says what this machine lacks to run a cluster, which only a user's own cluster can replace.
func missing() string {
	if os.Getenv("KUBECONFIG") == "" && os.Geteuid() != 0 {
		return "a cluster of its own needs root, and KUBECONFIG names no other"
	}
	return ""
}

// say prints a line of progress.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// ownOnly skips a story that needs what only a cluster of the suite's own gives.
func ownOnly(t *testing.T, why string) {
	t.Helper()
	if env.missing == "" && env.cluster.Own() {
		t.Skipf("SKIPPED on the cluster that KUBECONFIG names: %s", why)
	}
}
