package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/test/cluster"
	"github.com/kubedemo/memhog-operator/test/install"
)

const (
	mib = 1 << 20
	// A container of 256Mi/384Mi grows from and to so many MiB: three raises by the factor of 2, to the ceiling.
	fillFrom, fillTo = 200, 2700
	fillCeiling      = "3Gi"
	fillMultiplier   = 2
)

// reading is what the kernel said of a container at a time, in bytes.
type reading struct {
	at          time.Time
	used, limit int64
}

// growthRun is one container that grew, or tried to.
type growthRun struct {
	killed   bool
	readings []reading
}

// fillMonitor is the AppMonitor of all that grow.
func fillMonitor() *v1.AppMonitor {
	most := resource.MustParse(fillCeiling)
	return &v1.AppMonitor{ObjectMeta: metav1.ObjectMeta{Name: "bench", Namespace: namespace}, Spec: v1.AppMonitorSpec{
		MemThresholdPercent: threshold, MemMultiplier: fillMultiplier, MaxMemory: &most, Cooldown: &metav1.Duration{},
	}}
}

// hog is a Pod of memhog that holds what it starts with for a pause, grows, and ends.
func (s *stage) hog(name string, rate float64, pause time.Duration) (*corev1.Pod, error) {
	text, err := os.ReadFile(filepath.Join(s.root, "config", "samples", "memhog_deployment.yaml"))
	if err != nil {
		return nil, err
	}
	d := &appsv1.Deployment{}
	if err := yaml.UnmarshalStrict(text, d); err != nil {
		return nil, fmt.Errorf("memhog's manifest: %w", err)
	}
	pod := &corev1.Pod{ObjectMeta: d.Spec.Template.ObjectMeta, Spec: d.Spec.Template.Spec}
	pod.Name, pod.Namespace, pod.Spec.RestartPolicy = name, namespace, corev1.RestartPolicyNever
	c := &pod.Spec.Containers[0]
	c.Image, c.Env = install.MemhogRef, nil
	for name, value := range map[string]float64{
		"MEMHOG_START_MIB": fillFrom, "MEMHOG_CEILING_MIB": fillTo, "MEMHOG_RATE_MIB_PER_SECOND": rate,
		"MEMHOG_PAUSE_SECONDS": pause.Seconds(), "MEMHOG_HOLD_SECONDS": 1,
	} {
		c.Env = append(c.Env, corev1.EnvVar{Name: name, Value: strconv.FormatFloat(value, 'f', -1, 64)})
	}
	return pod, nil
}

// grows runs a Pod to its end, and reads what the kernel says of it so often. The Pod is gone afterwards.
func (s *stage) grows(ctx context.Context, pod *corev1.Pod, every time.Duration) (growthRun, error) {
	if err := s.client.Create(ctx, pod); err != nil {
		return growthRun{}, fmt.Errorf("create Pod %q: %w", pod.Name, err)
	}
	run, err := s.follow(ctx, pod, every)
	return run, errors.Join(err, s.removePod(context.WithoutCancel(ctx), pod))
}

func (s *stage) follow(ctx context.Context, pod *corev1.Pod, every time.Duration) (growthRun, error) {
	var memory *cluster.Memory
	err := s.awaitPod(ctx, pod, patience, func(c corev1.ContainerStatus) (bool, error) {
		if c.State.Running == nil {
			return false, nil
		}
		var err error
		memory, err = s.cluster.Memory(c.ContainerID)
		return err == nil, err
	})
	if err != nil {
		return growthRun{}, fmt.Errorf("wait until Pod %q runs: %w", pod.Name, err)
	}
	defer memory.Close()
	readings := make(chan []reading, 1)
	go func() { readings <- readUntilGone(ctx, memory, every) }()
	var run growthRun
	err = s.awaitPod(ctx, pod, time.Hour, func(c corev1.ContainerStatus) (bool, error) {
		end := c.State.Terminated
		if end == nil {
			return false, nil
		}
		run.killed = end.Reason == "OOMKilled" || end.ExitCode == 137
		if !run.killed && end.ExitCode != 0 {
			return false, fmt.Errorf("it ended with exit code %d, %s", end.ExitCode, end.Reason)
		}
		return true, nil
	})
	if err != nil {
		return growthRun{}, fmt.Errorf("wait until Pod %q ends: %w", pod.Name, err)
	}
	run.readings = <-readings
	return run, nil
}

// awaitPod asks for the state of a Pod's only container until done says so.
func (s *stage) awaitPod(ctx context.Context, pod *corev1.Pod, atMost time.Duration,
	done func(corev1.ContainerStatus) (bool, error),
) error {
	return wait.PollUntilContextTimeout(ctx, time.Second/4, atMost, true, func(ctx context.Context) (bool, error) {
		if err := s.client.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
			return false, err
		}
		for _, c := range pod.Status.ContainerStatuses {
			return done(c)
		}
		return false, nil
	})
}

func (s *stage) removePod(ctx context.Context, pod *corev1.Pod) error {
	if err := client.IgnoreNotFound(s.client.Delete(ctx, pod, client.GracePeriodSeconds(0))); err != nil {
		return fmt.Errorf("delete Pod %q: %w", pod.Name, err)
	}
	return wait.PollUntilContextTimeout(ctx, time.Second/4, patience, true, func(ctx context.Context) (bool, error) {
		err := s.client.Get(ctx, client.ObjectKeyFromObject(pod), pod.DeepCopy())
		return client.IgnoreNotFound(err) == nil && err != nil, client.IgnoreNotFound(err)
	})
}

// rest is how many readings go by before it is read again what of the usage is none. That costs the kernel much more.
const rest = 50

// readUntilGone reads until the container's control group is gone.
func readUntilGone(ctx context.Context, memory *cluster.Memory, every time.Duration) []reading {
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	var all []reading
	var inactive int64
	for {
		limit, err := memory.Limit()
		usage, usageErr := memory.Usage()
		var inactiveErr error
		if len(all)%rest == 0 {
			inactive, inactiveErr = memory.Inactive()
		}
		if errors.Join(err, usageErr, inactiveErr) != nil {
			return all
		}
		all = append(all, reading{time.Now(), max(0, usage-inactive), limit})
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return all
		}
	}
}

// reactions are the times from when a container's use crossed the threshold of its limit until the kernel had the next limit, one
// for each raise; 0 where that was foreseen.
func (r growthRun) reactions() []time.Duration {
	var took []time.Duration
	var crossed time.Time
	for i, now := range r.readings {
		if i > 0 && now.limit > r.readings[i-1].limit {
			if crossed.IsZero() {
				crossed = now.at
			}
			took = append(took, now.at.Sub(crossed))
			crossed = time.Time{}
		}
		if crossed.IsZero() && float64(now.used) >= threshold/100.0*float64(now.limit) {
			crossed = now.at
		}
	}
	return took
}

// rate is how fast it grew in fact, in MiB a second, between a little after the beginning and a little before the end; 0 when it
// did not come so far.
func (r growthRun) rate() float64 {
	const slack = 20 * mib
	var begin time.Time
	for _, now := range r.readings {
		switch {
		case begin.IsZero() && now.used >= fillFrom*mib+slack:
			begin = now.at
		case now.used >= fillTo*mib-slack && now.at.After(begin):
			return float64(fillTo-fillFrom-2*slack/mib) / now.at.Sub(begin).Seconds()
		}
	}
	return 0
}
