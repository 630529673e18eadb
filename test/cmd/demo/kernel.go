package main

import (
	"context"
	"time"
)

// kernelPeriod is how often the kernel's account is read: how exact the times of crossings and of new limits are.
const kernelPeriod = 5 * time.Millisecond

// readKernel reports what the kernel says of a container, until that is gone.
func (w *witness) readKernel(ctx context.Context, pod, containerID string) {
	memory, err := w.memory(containerID)
	if err != nil {
		return
	}
	ticks := time.NewTicker(kernelPeriod)
	defer ticks.Stop()
	for ctx.Err() == nil {
		used, usedErr := memory.WorkingSet()
		limit, limitErr := memory.Limit()
		if usedErr != nil || limitErr != nil {
			return
		}
		at := time.Now()
		w.report(ctx, func(r *record) {
			r.sawKernel(pod, sample{at, float64(used) / mib}, sample{at, float64(limit) / mib})
		})
		select {
		case <-ticks.C:
		case <-ctx.Done():
		}
	}
}
