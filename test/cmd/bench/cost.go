package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubedemo/memhog-operator/test/cluster"
	"github.com/kubedemo/memhog-operator/test/install"
)

const (
	// settle is how long an agent has to come to rest, and span over how long it is measured: both are the measurement, not
	// something that is waited for.
	settle = 15 * time.Second
	span   = 40 * time.Second
	// A calm container holds a quarter of its limit, in MiB.
	calmLimit, calmUse = 256, 64
)

// How many containers there are, and which rates are guaranteed for them, in MiB a second.
var (
	calmCounts = []int32{10, 50, 110}
	calmRates  = []int{64, 256, 1024}
)

// cost is what an agent took of its node, with so many calm containers at a guaranteed rate.
type cost struct {
	Containers   int32   `json:"containers"`
	MiBPerSecond int     `json:"guaranteedMiBPerSecond"`
	CPUPercent   float64 `json:"cpuPercentOfACore"`
	RSSMiB       float64 `json:"rssMiB"`
}

// benchAgent measures what an agent takes of its node while nothing happens.
func benchAgent(ctx context.Context, folder string) (err error) {
	s, err := setUp(ctx, cluster.Options{MaxPods: 150}, "--agent=on")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.takeDown(ctx)) }()
	calm, err := s.calm(ctx)
	if err != nil {
		return err
	}
	left := len(calmCounts) * len(calmRates)
	var costs []cost
	for _, count := range calmCounts {
		say("starting %d containers", count)
		if err := s.scale(ctx, calm, count); err != nil {
			return err
		}
		for _, rate := range calmRates {
			if err := s.install(ctx, "--agent=on", fmt.Sprintf("--guaranteed-fill-rate=%dMi", rate)); err != nil {
				return err
			}
			say("measuring %d containers at %d MiB/s: %s left or so", count, rate, time.Duration(left)*(settle+span+15*time.Second))
			c, err := s.measure(ctx, count, rate)
			if err != nil {
				return err
			}
			say("%d containers at %d MiB/s: %.2f %% of a core, %.1f MiB", count, rate, c.CPUPercent, c.RSSMiB)
			costs = append(costs, c)
			left--
		}
	}
	return reportCosts(costs, folder)
}

// calm creates a Deployment of containers that hold what they have.
func (s *stage) calm(ctx context.Context) (*appsv1.Deployment, error) {
	d, err := s.grower("calm")
	if err != nil {
		return nil, err
	}
	none := int32(0)
	d.Spec.Replicas = &none
	c := &d.Spec.Template.Spec.Containers[0]
	c.Env = nil
	for name, value := range map[string]int{"MEMHOG_START_MIB": calmUse, "MEMHOG_CEILING_MIB": calmUse, "MEMHOG_RATE_MIB_PER_SECOND": 0} {
		c.Env = append(c.Env, corev1.EnvVar{Name: name, Value: strconv.Itoa(value)})
	}
	c.Resources = corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceMemory: *resource.NewQuantity(calmUse*mib/4, resource.BinarySI)},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: *resource.NewQuantity(calmLimit*mib, resource.BinarySI)},
	}
	for _, o := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, fillMonitor(), d,
	} {
		if err := s.client.Create(ctx, o); err != nil {
			return nil, fmt.Errorf("create %q: %w", o.GetName(), err)
		}
	}
	return d, nil
}

func (s *stage) scale(ctx context.Context, d *appsv1.Deployment, replicas int32) error {
	before := d.DeepCopy()
	d.Spec.Replicas = &replicas
	if err := s.client.Patch(ctx, d, client.MergeFrom(before)); err != nil {
		return err
	}
	return install.WaitAvailable(ctx, s.client, client.ObjectKeyFromObject(d), 4*patience)
}

// measure takes the agent's processor time and memory over a span of time in which nothing happens.
func (s *stage) measure(ctx context.Context, count int32, rate int) (cost, error) {
	if err := s.awaitAgent(ctx, "--guaranteed-fill-rate="+resource.NewQuantity(int64(rate)*mib, resource.BinarySI).String()); err != nil {
		return cost{}, err
	}
	agent, err := s.agent(ctx)
	if err != nil {
		return cost{}, err
	}
	if err := pause(ctx, settle); err != nil {
		return cost{}, err
	}
	pid, err := agentProcess(s.cluster.Cgroup(), agent)
	if err != nil {
		return cost{}, err
	}
	begin := time.Now()
	before, err := processorTime(pid)
	if err != nil {
		return cost{}, err
	}
	if err := pause(ctx, span); err != nil {
		return cost{}, err
	}
	after, err := processorTime(pid)
	if err != nil {
		return cost{}, err
	}
	rss, err := residentMiB(pid)
	return cost{
		Containers: count, MiBPerSecond: rate, RSSMiB: rss,
		CPUPercent: 100 * (after - before).Seconds() / time.Since(begin).Seconds(),
	}, err
}

func pause(ctx context.Context, d time.Duration) error {
	over := time.NewTimer(d)
	defer over.Stop()
	select {
	case <-over.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
