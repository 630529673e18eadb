// Command bench measures, on a real cluster on this machine, how fast the operator gives memory.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const usage = `Usage: go -C test run ./cmd/bench [flags] COMMAND

Commands:
  fill       the fastest growth that a container survives, by who looks after it: agents, the kubelet's stats, Prometheus
  agent      what an agent takes of its node
  resize     from the operator's decision to the limit that the kernel has, over many resizes in place

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second ^C ends the program at once.
	context.AfterFunc(ctx, stop)
	klog.SetLogger(logr.Discard())
	log.SetLogger(logr.Discard())
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	resizes := flags.Int("resizes", 50, "how many resizes to measure, at least")
	folder := flags.String("docs", "", "folder of the documentation, to write the result into; empty only prints it")
	only := flags.String("only", "", "for fill: only those rows whose name begins so; the others stay as they are")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch command := flags.Arg(0); command {
	case "fill":
		return benchFill(ctx, *only, *folder)
	case "agent":
		return benchAgent(ctx, *folder)
	case "resize":
		return benchResize(ctx, *resizes, *folder)
	default:
		flags.Usage()
		return fmt.Errorf("unknown command %q", command)
	}
}
