package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubedemo/memhog-operator/test/cluster"
	"github.com/kubedemo/memhog-operator/test/prometheus"
)

const (
	// promised is the fill rate that agents guarantee by default, in MiB a second.
	promised = 256
	// telling is how many raises tell what one in a hundred takes.
	telling = 100
)

// runs is how many containers must survive a rate, one after the other or all at the same time.
const runs = 5

// contender is somebody who looks after containers that grow.
type contender struct {
	name    string
	cluster cluster.Options
	args    []string
	// slowest is a rate that it surely survives, and fastest one above which there is nothing to find, in MiB a second; 0 for
	// what the machine can do.
	slowest, fastest float64
	// together lets all runs of a rate grow at the same time: slow growth takes long, and little of the machine.
	together bool
	// scraped lets the operator read a Prometheus.
	scraped bool
}

func contenders() []contender {
	return []contender{
		{name: "agent", args: []string{"--agent=on"}, slowest: 64},
		{name: "kubelet, the CRI's stats", cluster: cluster.Options{Stats: cluster.StatsFromCRI}, args: []string{"--agent=off"},
			slowest: 2, fastest: 64, together: true},
		{name: "kubelet, cAdvisor's stats", args: []string{"--agent=off"}, slowest: 1, fastest: 32, together: true},
		{name: "Prometheus every 15 s", args: []string{"--agent=off"}, slowest: 1, fastest: 32, together: true, scraped: true},
	}
}

// machineLimit is the row of what grows without a limit, as fast as the machine can.
const machineLimit = "no limit at all"

// benchFill finds the fastest growth that a container survives, by who looks after it. Rows whose name does not begin with only
// stay as they were measured before.
func benchFill(ctx context.Context, only, folder string) error {
	results, err := readFills(folder)
	if err != nil {
		return err
	}
	for _, c := range contenders() {
		if !strings.HasPrefix(c.name, only) {
			continue
		}
		begin := time.Now()
		measured, err := c.measure(ctx)
		for _, row := range measured {
			results = row.into(results)
		}
		// After each, and what there is also when it failed: what took an hour is not to be lost.
		if len(measured) > 0 {
			err = errors.Join(err, reportFills(results, folder))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		say("%s: done in %s", c.name, time.Since(begin).Round(time.Second))
	}
	return nil
}

// measure finds what a contender survives, on a cluster of its own.
func (c contender) measure(ctx context.Context) (rows []fill, err error) {
	s, err := setUp(ctx, c.cluster, c.args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.takeDown(ctx)) }()
	if err := s.readyFor(ctx, c); err != nil {
		return nil, err
	}
	row := fill{Name: c.name}
	if c.fastest == 0 {
		machine, err := s.machineRate(ctx)
		if err != nil {
			return nil, err
		}
		c.fastest = machine
		rows = append(rows, fill{Name: machineLimit, MiBPerSecond: machine})
	}
	say("%s: searching from %.0f to %.0f MiB/s", c.name, c.slowest, c.fastest)
	var took []time.Duration
	enough := closeEnough
	if c.together {
		enough = closeEnoughSlow
	}
	f, err := search(c.slowest, c.fastest, enough, func(rate float64) (bool, error) {
		alive, reactions, err := s.survives(ctx, c, rate)
		took = append(took, reactions...)
		return alive, err
	})
	if err != nil {
		return rows, err
	}
	row.MiBPerSecond, row.KilledAt = f.survived, f.killed
	row.setReactions(took)
	if c.together || f.survived == 0 {
		return append(rows, row), nil
	}
	// What they promise to survive is where it counts. As fast as the machine can, containers leave nobody else a processor.
	for took = nil; len(took) < telling; {
		rate := min(f.survived, promised)
		alive, reactions, err := s.survives(ctx, c, rate)
		if err != nil {
			return append(rows, row), err
		}
		if !alive {
			return rows, fmt.Errorf("a container that grew by %.1f MiB/s was killed, though %.1f MiB/s were survived", rate, f.survived)
		}
		took, row.At = append(took, reactions...), rate
	}
	row.setReactions(took)
	return append(rows, row), nil
}

// readyFor prepares what the contender needs besides the operator, and waits until it works.
func (s *stage) readyFor(ctx context.Context, c contender) error {
	if err := s.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		return err
	}
	if err := s.client.Create(ctx, fillMonitor()); err != nil {
		return fmt.Errorf("create the AppMonitor: %w", err)
	}
	if c.scraped {
		say("installing Prometheus")
		image, err := prometheus.Image(ctx, os.Stderr)
		if err != nil {
			return err
		}
		if err := s.cluster.LoadImage(ctx, image); err != nil {
			return err
		}
		address, err := prometheus.Install(ctx, s.client, image.Ref, patience)
		if err != nil {
			return err
		}
		return s.install(ctx, append(c.args, "--prometheus-addr="+address)...)
	}
	if slices.Contains(c.args, "--agent=on") {
		return s.awaitAgent(ctx)
	}
	return nil
}

// machineRate is how fast a container grows that nobody limits: the median of so many runs.
func (s *stage) machineRate(ctx context.Context) (float64, error) {
	var rates []float64
	for i := range runs {
		pod, err := s.hog(fmt.Sprintf("unlimited-%d", i), 4096, 3*time.Second)
		if err != nil {
			return 0, err
		}
		pod.Annotations, pod.Spec.Containers[0].Resources = nil, corev1.ResourceRequirements{}
		run, err := s.grows(ctx, pod, time.Millisecond)
		if err != nil {
			return 0, err
		}
		rates = append(rates, run.rate())
	}
	slices.Sort(rates)
	say("without a limit a container grows by up to %.0f MiB/s", rates[runs/2])
	return math.Floor(rates[runs/2]), nil
}

// survives lets containers grow by so many MiB a second, until one is killed or all have come through.
func (s *stage) survives(ctx context.Context, c contender, rate float64) (bool, []time.Duration, error) {
	begin := time.Now()
	together := 1
	if c.together {
		together = runs
	}
	var all []growthRun
	alive := true
	for len(all) < runs && alive {
		some, err := s.growTogether(ctx, c, rate, together)
		if err != nil {
			return false, nil, err
		}
		for _, run := range some {
			alive = alive && !run.killed
		}
		all = append(all, some...)
	}
	var took []time.Duration
	for _, run := range all {
		took = append(took, run.reactions()...)
	}
	verdict := "all came through"
	if !alive {
		verdict = "one was killed"
	}
	var slowest time.Duration
	if len(took) > 0 {
		slowest = slices.Max(took)
	}
	say("%s, %.1f MiB/s: %s (%d runs, %s; crossing → cgroup: at most %s)", c.name, rate, verdict, len(all),
		time.Since(begin).Round(time.Second), slowest.Round(time.Millisecond))
	return alive, took, nil
}

// growTogether lets so many containers grow at the same time. The first one that is killed ends the others.
func (s *stage) growTogether(ctx context.Context, c contender, rate float64, count int) ([]growthRun, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	every := time.Millisecond
	if count > 1 {
		every = 20 * time.Millisecond
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	var done []growthRun
	var failed error
	for i := range count {
		pod, err := s.hog(fmt.Sprintf("hog-%d", i), rate, c.pause())
		if err != nil {
			return nil, err
		}
		all.Go(func() {
			run, err := s.grows(ctx, pod, every)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(context.Cause(ctx), errKilled): // another one
			case err != nil:
				failed = errors.Join(failed, err)
			default:
				done = append(done, run)
			}
			if run.killed {
				cancel(errKilled)
			}
		})
	}
	all.Wait()
	return done, failed
}

// errKilled ends the others when one container was killed.
var errKilled = errors.New("a container was killed")

// pause is how long a container waits before it grows, so that it has been seen; by a random part of the period in which the
// contender looks more, so that no run begins in step with it.
func (c contender) pause() time.Duration {
	least, period := 5*time.Second, time.Second
	if c.together {
		least, period = 30*time.Second, 30*time.Second
	}
	return least + time.Duration(rand.Int64N(int64(period)))
}
