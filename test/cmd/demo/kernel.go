package main

import (
	"context"
	"errors"
	"time"
)

// kernelPeriod is how often the kernel's account is read: how exact the times of crossings and of new limits are.
const kernelPeriod = 10 * time.Millisecond

// readKernel reports what the kernel says of a container, until that is gone.
func (w *witness) readKernel(ctx context.Context, pod, containerID string) {
	memory, err := w.memory(containerID)
	if err != nil {
		return
	}
	defer memory.Close()
	ticks := time.NewTicker(kernelPeriod)
	defer ticks.Stop()
	for ctx.Err() == nil {
		usage, usageErr := memory.Usage()
		inactive, inactiveErr := memory.Inactive()
		limit, limitErr := memory.Limit()
		if errors.Join(usageErr, inactiveErr, limitErr) != nil {
			return
		}
		at, used := time.Now(), usage-inactive
		w.report(ctx, func(r *record) {
			r.sawKernel(pod, sample{at, float64(used) / mib}, sample{at, float64(limit) / mib})
		})
		select {
		case <-ticks.C:
		case <-ctx.Done():
		}
	}
}
