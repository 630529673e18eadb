package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"time"
)

const (
	// tick is how often the size is brought up to date: at 4096 MiB/s that is a step of 41 MiB.
	tick = 10 * time.Millisecond
	// burst is how much is touched between two looks at the clock and the context, so that neither the log nor a stop
	// waits for a machine that can't touch memory as fast as it is asked to.
	burst = 16 * mib
	// hugePage is the size of a huge page on the machines that Kubernetes usually runs on.
	hugePage = 2 * mib
	// madvHugePage and madvNoHugePage are madvise's MADV_HUGEPAGE and MADV_NOHUGEPAGE. Package syscall has no names
	// for them on every architecture.
	madvHugePage, madvNoHugePage = 14, 15
)

// hog holds memory in an anonymous mapping, which neither Go's garbage collector nor GOMEMLIMIT knows of.
type hog struct {
	reserved []byte
	page     int64
	held     int64 // bytes at the beginning of reserved that have been written
}

// newHog reserves address space for the most that g will ever hold. None of it is memory before it is written.
func newHog(g growth) (*hog, error) {
	most := max(g.ceiling, g.signal)
	reserved, err := syscall.Mmap(-1, 0, int(most), syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("reserve %v MiB of address space: %w", inMiB(most), err)
	}
	// A first write to a huge page holds all of it. That is coarser than a second of slow growth, but when it is less
	// than one tick of fast growth it only makes touching faster, by up to ten times. A kernel without huge pages
	// refuses the advice, and doesn't need it.
	advice := madvNoHugePage
	if g.rate*tick.Seconds() >= hugePage {
		advice = madvHugePage
	}
	_ = syscall.Madvise(reserved, advice)
	return &hog{reserved: reserved, page: int64(os.Getpagesize())}, nil
}

// grow takes a step towards holding size bytes, to the page: it writes to new pages, a burst at most. Each page gets
// its own number, so that no two pages are alike and the kernel can neither merge them nor drop them as zero. It
// reports whether size is reached.
func (h *hog) grow(size int64) bool {
	for end := min(size, h.held+burst); h.held+h.page <= end; h.held += h.page {
		binary.NativeEndian.PutUint64(h.reserved[h.held:], uint64(h.held/h.page)+1)
	}
	return h.held+h.page > size
}

// follow makes h follow g, until a signal asks for more, and returns when ctx ends or g does.
func follow(ctx context.Context, g growth, h *hog, signals <-chan os.Signal, log *slog.Logger) {
	report(log, "starting", h)
	if g.signal > 0 {
		until, stop := context.WithCancel(ctx)
		defer stop()
		go func() {
			select {
			case <-signals:
				stop()
			case <-until.Done():
			}
		}()
		grow(until, g, h, log)
		g = g.signalled()
	}
	grow(ctx, g, h, log)
	report(log, "stopping", h)
}

// grow makes h follow g until ctx ends, or until the ceiling was held for as long as it is to be.
func grow(ctx context.Context, g growth, h *hog, log *slog.Logger) {
	for reached := false; !reached && ctx.Err() == nil; {
		reached = h.grow(g.start)
	}
	if g.pause > 0 {
		report(log, "waiting", h)
		await(ctx, g.pause)
	}
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	var logged time.Time
	for begin := time.Now(); ctx.Err() == nil; {
		now := time.Now()
		size := g.at(now.Sub(begin))
		reached := h.grow(size)
		if reached && (size == g.ceiling || g.rate == 0) {
			report(log, "holding", h)
			if g.hold == 0 {
				<-ctx.Done()
			}
			await(ctx, g.hold)
			break
		}
		if now.Sub(logged) >= g.logged() {
			logged = now
			report(log, "growing", h)
		}
		if reached {
			<-ticks.C
		}
	}
}

// await waits so long, or until ctx ends.
func await(ctx context.Context, d time.Duration) {
	over := time.NewTimer(d)
	defer over.Stop()
	select {
	case <-over.C:
	case <-ctx.Done():
	}
}

func report(log *slog.Logger, what string, h *hog) {
	log.Info(what, "heldMiB", inMiB(h.held), "residentMiB", inMiB(residentBytes()))
}

// inMiB rounds to a tenth, which is what a reader of the log wants to see.
func inMiB(bytes int64) float64 {
	return float64(bytes*10/mib) / 10
}

// residentBytes is the process's resident set: what it holds plus Go's own few MiB. It is 0 where /proc has no answer.
func residentBytes() int64 {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var total, resident int64
	if _, err := fmt.Sscan(string(statm), &total, &resident); err != nil {
		return 0
	}
	return resident * int64(os.Getpagesize())
}
