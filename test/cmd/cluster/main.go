// Command cluster runs a real single-node Kubernetes on this machine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/kubedemo/memhog-operator/test/cluster"
)

const usage = `Usage: go -C test run ./cmd/cluster [flags] COMMAND

Commands:
  up              start the cluster and leave it running in the background
  down            stop it and remove everything of it
  status          say whether it runs, and how its programs are
  load TAR...     make the images in these archives available to Pods
  kubeconfig      print the path of an administrator's kubeconfig

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	options := cluster.Options{Out: os.Stderr, Detach: true}
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	flags.StringVar(&options.Name, "name", cluster.DefaultName, "tells clusters on one machine apart")
	flags.StringVar(&options.Dir, "dir", "", "state folder (default: one in the temporary folder)")
	flags.StringVar(&options.NodeMemory, "node-memory", "", "what the node offers to Pods, such as 4Gi (default: all)")
	flags.Func("stats", "the kubelet's usage numbers: cAdvisor (default) or CRI", func(s string) error {
		options.Stats = cluster.Stats(s)
		return nil
	})
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	switch command := flags.Arg(0); command {
	case "up":
		return up(ctx, options)
	case "down":
		return cluster.Remove(ctx, options)
	case "status":
		return status(options)
	case "load":
		return load(ctx, options, flags.Args()[1:])
	case "kubeconfig":
		return kubeconfig(options)
	default:
		flags.Usage()
		return fmt.Errorf("unknown command %q", command)
	}
}

func up(ctx context.Context, o cluster.Options) error {
	c, err := cluster.Up(ctx, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "to use it: export KUBECONFIG=%s\n", c.Kubeconfig())
	return nil
}

func status(o cluster.Options) error {
	c, err := cluster.Find(o)
	if err != nil {
		return err
	}
	return c.Describe(os.Stdout)
}

func load(ctx context.Context, o cluster.Options, files []string) error {
	if len(files) == 0 {
		return errors.New("load: name at least one archive")
	}
	c, err := cluster.Find(o)
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := c.LoadTar(ctx, file); err != nil {
			return err
		}
	}
	return nil
}

func kubeconfig(o cluster.Options) error {
	c, err := cluster.Find(o)
	if err != nil {
		return err
	}
	fmt.Println(c.Kubeconfig())
	return nil
}
