// Command demo tells a story on a real Kubernetes: memhog, an annotated container, outgrows its memory and is rescued
// before the kernel kills it. It starts a cluster on this machine, or uses the one that KUBECONFIG names.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

func main() {
	o, err := parseOptions(flag.CommandLine, os.Args[1:], os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(2)
	}
	// What libraries log would spoil the view. What goes wrong comes back as an error.
	klog.SetLogger(logr.Discard())
	log.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second ^C ends the program at once.
	context.AfterFunc(ctx, stop)
	line, err := newStage(o, os.Stdout).play(ctx)
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
	fmt.Println(line)
}
