package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
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
	// growers are so many containers that grow, each by so many MiB a second, from and to so many MiB: with a multiplier of
	// 1.25, from a limit of 384Mi on, five or six raises each.
	growers    = 12
	growth     = 3
	startMiB   = 200
	ceilingMiB = 900
	multiplier = 1.25
	threshold  = 75
	// sweep is how often the limits are looked at: how exact the figures are.
	sweep = time.Millisecond
	// slowest is how long the growth may take in all.
	slowest = 8 * time.Minute
)

// asked is a decision of the operator's, as its log tells it.
type asked struct {
	at    time.Time
	pod   string
	limit int64
}

// limited is a new limit that the kernel was seen to have.
type limited struct {
	at    time.Time
	pod   string
	limit int64
}

// benchResize lets containers grow, and measures how long each of the operator's decisions takes to be a limit in the
// container's cgroup.
func benchResize(ctx context.Context, resizes int, folder string) (err error) {
	s, err := setUp(ctx, cluster.Options{}, "--agent=off", "--zap-log-level=debug", "--zap-time-encoding=rfc3339nano")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.takeDown(ctx)) }()
	files, err := s.grow(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, slowest)
	defer cancel()
	log := s.followLog(ctx)
	limits := watchLimits(ctx, files)
	say("measuring %d resizes of %d containers that grow by %d MiB/s: four minutes or so", resizes, growers, growth)
	var decisions []asked
	var seen []limited
	// A decision whose limit does not come is not left out: it would be the slowest.
	for len(seen) < resizes || len(seen) < len(decisions) {
		select {
		case d := <-log:
			decisions = append(decisions, d)
		case l := <-limits:
			seen = append(seen, l)
		case <-ctx.Done():
			return fmt.Errorf("%d resizes were seen of %d decisions, wanted were %d: %w", len(seen), len(decisions), resizes, ctx.Err())
		}
	}
	drain(log, &decisions)
	took, err := latencies(decisions, seen)
	if err != nil {
		return err
	}
	return report(took, folder)
}

// drain takes what is left in the channel, which the operator may have logged a moment ago.
func drain(log <-chan asked, decisions *[]asked) {
	for {
		select {
		case d := <-log:
			*decisions = append(*decisions, d)
		case <-time.After(2 * time.Second):
			return
		}
	}
}

// latencies finds the decision of each limit. It is an error when there is none: then something else was measured.
func latencies(decisions []asked, seen []limited) ([]time.Duration, error) {
	var took []time.Duration
	for _, l := range seen {
		i := slices.IndexFunc(decisions, func(d asked) bool { return d.pod == l.pod && d.limit == l.limit })
		if i < 0 {
			return nil, fmt.Errorf("pod %s got a limit of %d bytes that the operator did not decide on", l.pod, l.limit)
		}
		took = append(took, l.at.Sub(decisions[i].at))
	}
	slices.Sort(took)
	return took, nil
}

// grow creates the containers, and returns the files with their limits, by Pod.
func (s *stage) grow(ctx context.Context) (map[string]string, error) {
	monitor := &v1.AppMonitor{ObjectMeta: metav1.ObjectMeta{Name: "bench", Namespace: namespace}, Spec: v1.AppMonitorSpec{
		MemThresholdPercent: threshold, MemMultiplier: multiplier, Cooldown: &metav1.Duration{},
	}}
	objects := []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, monitor}
	for i := range growers {
		d, err := s.grower(fmt.Sprintf("grower-%d", i))
		if err != nil {
			return nil, err
		}
		objects = append(objects, d)
	}
	for _, o := range objects {
		if err := s.client.Create(ctx, o); err != nil {
			return nil, fmt.Errorf("create %q: %w", o.GetName(), err)
		}
	}
	files := map[string]string{}
	err := wait.PollUntilContextTimeout(ctx, time.Second, patience, true, func(ctx context.Context) (bool, error) {
		pods := &corev1.PodList{}
		if err := s.client.List(ctx, pods, client.InNamespace(namespace)); err != nil {
			return false, err
		}
		for _, p := range pods.Items {
			for _, status := range p.Status.ContainerStatuses {
				if file, err := s.cluster.LimitFile(status.ContainerID); err == nil {
					files[p.Name] = file
				}
			}
		}
		return len(files) == growers, nil
	})
	if err != nil {
		return nil, fmt.Errorf("%d of %d containers run: %w", len(files), growers, err)
	}
	return files, nil
}

func (s *stage) grower(name string) (*appsv1.Deployment, error) {
	text, err := os.ReadFile(filepath.Join(s.root, "config", "samples", "memhog_deployment.yaml"))
	if err != nil {
		return nil, err
	}
	d := &appsv1.Deployment{}
	if err := yaml.UnmarshalStrict(text, d); err != nil {
		return nil, fmt.Errorf("memhog's manifest: %w", err)
	}
	d.Name, d.Namespace = name, namespace
	labels := map[string]string{"app.kubernetes.io/name": name}
	d.Spec.Selector.MatchLabels, d.Spec.Template.Labels = labels, labels
	c := &d.Spec.Template.Spec.Containers[0]
	c.Image = install.MemhogRef
	c.Env = nil
	for name, value := range map[string]int{
		"MEMHOG_START_MIB": startMiB, "MEMHOG_RATE_MIB_PER_SECOND": growth, "MEMHOG_CEILING_MIB": ceilingMiB,
	} {
		c.Env = append(c.Env, corev1.EnvVar{Name: name, Value: strconv.Itoa(value)})
	}
	return d, nil
}

// followLog reads decisions from the operator's log.
func (s *stage) followLog(ctx context.Context) <-chan asked {
	decisions := make(chan asked, 1024)
	go func() {
		pods, err := s.clients.CoreV1().Pods(install.OperatorKey.Namespace).List(ctx, metav1.ListOptions{})
		if err != nil || len(pods.Items) != 1 {
			say("the operator's log cannot be read: %d Pods, %v", len(pods.Items), err)
			return
		}
		stream, err := s.clients.CoreV1().Pods(install.OperatorKey.Namespace).
			GetLogs(pods.Items[0].Name, &corev1.PodLogOptions{Follow: true}).Stream(ctx)
		if err != nil {
			say("the operator's log cannot be read: %v", err)
			return
		}
		defer stream.Close()
		lines := bufio.NewScanner(stream)
		for lines.Scan() {
			if d, is := parseAsked(lines.Bytes()); is {
				decisions <- d
			}
		}
	}()
	return decisions
}

// parseAsked reads a line of the operator's log.
func parseAsked(line []byte) (asked, bool) {
	var l struct {
		At  time.Time `json:"decided"`
		Msg string    `json:"msg"`
		Pod string    `json:"pod"`
		To  string    `json:"limit"`
	}
	if err := json.Unmarshal(line, &l); err != nil || l.Msg != "resizing in place" {
		return asked{}, false
	}
	limit, err := resource.ParseQuantity(l.To)
	return asked{at: l.At, pod: l.Pod, limit: limit.Value()}, err == nil
}

// watchLimits reports every new limit. All files are looked at in turn, again and again.
func watchLimits(ctx context.Context, files map[string]string) <-chan limited {
	limits := make(chan limited, 1024)
	last := map[string]int64{}
	var once sync.Once
	go func() {
		for ctx.Err() == nil {
			for pod, file := range files {
				limit, err := cluster.ReadLimit(file)
				if err != nil {
					once.Do(func() { say("a limit cannot be read any more: %v", err) })
					continue
				}
				if before := last[pod]; before != 0 && before != limit {
					limits <- limited{at: time.Now(), pod: pod, limit: limit}
				}
				last[pod] = limit
			}
			time.Sleep(sweep)
		}
	}()
	return limits
}
