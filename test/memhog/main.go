// Memhog is a workload whose memory follows its environment: it starts with so many MiB, may pause, grows by so many
// MiB per second up to a ceiling, and then holds what it has until it is told to stop, or for so long. Once a second
// while it grows, or more often when it grows fast, it logs what it holds and how much of its memory is resident.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// Nothing needs the signals back before the end.
	ctx, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "memhog:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	g, err := growthFromEnv(os.LookupEnv)
	if err != nil {
		return err
	}
	h, err := newHog(g)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 1)
	if g.signal > 0 {
		signal.Notify(signals, syscall.SIGUSR1)
	}
	follow(ctx, g, h, signals, slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	return nil
}
