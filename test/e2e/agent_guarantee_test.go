package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

const (
	// promised is the guaranteed fill rate in MiB a second: one at which this many containers may grow at the same time on
	// two processors, which also run everything else of a cluster.
	promised = 64
	// growers is how many containers there are at any time, for so long. It is what the story is about.
	growers = 50
	lasts   = 3 * time.Minute
	// slower is how much longer every resize takes, and restart when in all that the API server is restarted.
	slower  = 100 * time.Millisecond
	restart = lasts / 2
)

// grower is a Pod that grows once, at a random time and at a random rate, and ends.
type grower struct {
	pod  *corev1.Pod
	rate float64 // MiB a second
}

// death is an OOM kill of a grower.
type death struct {
	grower
	at time.Time
}

func TestAgentKeepsItsGuaranteeOrSaysThatItDoesNot(t *testing.T) {
	s := prepareWithAgents(t)
	s.alone()
	s.otherNamespacesAreGone()
	s.operatorRunsWith(fmt.Sprintf("--guaranteed-fill-rate=%dMi", promised))
	agent := s.theAgentKeepsItsGuarantee()
	s.inPlace("generous", func(spec *v1.AppMonitorSpec) { spec.Cooldown = noTime() })
	s.resizesTake(slower)
	begin := time.Now()
	gauge := watchGauge(t, agent)
	r := &randomGrowth{story: s, source: randomSource(t), alive: map[string]grower{}}

	var restarted time.Time
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	for time.Since(begin) < lasts {
		if restarted.IsZero() && time.Since(begin) > restart {
			gauge.identify(t)
			s.after(2 * scrapes)
			must(t, env.cluster.Signal("kube-apiserver", syscall.SIGKILL))
			restarted = time.Now()
			t.Log("the API server is restarted")
		}
		r.replaceEnded(t.Context())
		select {
		case <-ticks.C:
		case <-t.Context().Done():
			t.Fatal("interrupted")
		}
	}
	r.replaceEnded(t.Context())

	readings := gauge.all()
	before := slices.IndexFunc(readings, func(r reading) bool { return r.at.After(restarted) })
	kept := s.reportOf("until the API server was restarted", readings[:before])
	s.reportOf("from then on", readings[before:])
	made := r.resizes(begin)
	t.Logf("%d containers grew to their end, %d were OOM-killed, the agent made %d resizes", r.ended, len(r.deaths), made)
	for _, d := range r.deaths {
		said, heard := lowest(readings, d.at.Add(-warning), d.at.Add(2*time.Second)) // ends are told in whole seconds
		how := fmt.Sprintf("Pod %s, which grew by %.1f MiB/s, was OOM-killed %.0f s after the beginning",
			d.pod.Name, d.rate, d.at.Sub(begin).Seconds())
		if !heard || said >= d.rate*(1<<20) {
			t.Errorf("%s, and the agent had not announced it: the lowest rate that it said to keep was %.1f MiB/s (said: %t)",
				how, said/(1<<20), heard)
			continue
		}
		t.Logf("%s; the agent had announced to keep %.1f MiB/s only", how, said/(1<<20))
	}
	// A story in which nothing grew, or in which the agent promised nothing, would show nothing.
	if made < growers {
		t.Errorf("the agent made only %d resizes", made)
	}
	if r.ended < len(r.deaths) {
		t.Errorf("%d containers grew to their end, and %d were killed", r.ended, len(r.deaths))
	}
	if kept < 0.5 {
		t.Errorf("before the restart the agent kept a quarter of the rate that it was asked for in %.0f %% of the time only", 100*kept)
	}
}

// reportOf logs what the gauge said, and returns in which part of its readings that was a quarter of the rate or more: how much a
// machine keeps that fills 50 containers besides is its own affair.
func (s *story) reportOf(when string, readings []reading) float64 {
	s.t.Helper()
	whole, enough, failed, least := 0, 0, 0, float64(promised<<20)
	for _, r := range readings {
		switch {
		case r.err != nil:
			failed++
		case r.kept >= promised<<20:
			whole++
		}
		if r.err == nil {
			least = min(least, r.kept)
		}
		if r.err == nil && r.kept >= promised<<20/4 {
			enough++
		}
	}
	s.t.Logf("%s: of %d readings of the gauge %d said %d MiB/s, the lowest %.1f MiB/s; %d failed",
		when, len(readings), whole, promised, least/(1<<20), failed)
	return float64(enough) / float64(max(1, len(readings)))
}

// randomGrowth keeps so many Pods alive that grow at random times.
type randomGrowth struct {
	story  *story
	source *rand.Rand
	alive  map[string]grower
	ended  int
	deaths []death
	made   int
	// away is since when the API server does not answer.
	away time.Time
}

// randomSource is a source that can be had again: its seed is logged, and may be set.
func randomSource(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("MEMHOG_E2E_SEED"); text != "" {
		_, err := fmt.Sscan(text, &seed)
		must(t, err)
	}
	t.Logf("MEMHOG_E2E_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// replaceEnded takes note of Pods that have ended, and puts others in their place. While the API server is away, it does
// nothing.
func (r *randomGrowth) replaceEnded(ctx context.Context) {
	var pods corev1.PodList
	begin := time.Now()
	if err := env.client.List(ctx, &pods, client.InNamespace(r.story.namespace)); err != nil {
		if r.away.IsZero() {
			r.away = begin
		}
		return
	}
	if !r.away.IsZero() {
		r.story.t.Logf("the API server did not answer for %.1f s", time.Since(r.away).Seconds())
		r.away = time.Time{}
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		g, alive := r.alive[pod.Name]
		if !alive || pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			continue
		}
		delete(r.alive, pod.Name)
		r.note(g, pod)
		_ = env.client.Delete(ctx, pod, client.GracePeriodSeconds(0))
	}
	for len(r.alive) < growers {
		g := r.next()
		if err := env.client.Create(ctx, g.pod); err != nil {
			return
		}
		r.alive[g.pod.Name] = g
	}
}

// note takes note of how a Pod has ended.
func (r *randomGrowth) note(g grower, pod *corev1.Pod) {
	for _, status := range pod.Status.ContainerStatuses {
		end := status.State.Terminated
		switch {
		case end == nil:
			r.story.t.Errorf("Pod %s ended without its container: %s", pod.Name, pod.Status.Message)
		case end.Reason == "OOMKilled" || end.ExitCode == 137:
			r.deaths = append(r.deaths, death{g, end.FinishedAt.Time})
		case end.ExitCode != 0:
			r.story.t.Errorf("Pod %s ended with exit code %d, %s", pod.Name, end.ExitCode, end.Reason)
		default:
			r.ended++
		}
	}
}

// next makes a Pod that waits for 10 s to two minutes and then grows from a third of its limit to two or three times of it, at
// up to the promised rate. It requests little, so that the node is never too full for it.
func (r *randomGrowth) next() grower {
	limit := []int{128, 192, 256, 384}[r.source.IntN(4)]
	g := grower{rate: promised * (0.1 + 0.9*r.source.Float64())}
	to := float64(limit) * (2 + r.source.Float64())
	hog := memhog(r.story).Sized(fmt.Sprintf("16Mi/%dMi", limit)).From(limit / 3).To(int(to)).Grows(g.rate).
		Waits(sight + time.Duration(r.source.Int64N(int64(110*time.Second)))).Ends(3 * time.Second)
	r.made++
	template := hog.deployment.Spec.Template
	g.pod = &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	g.pod.Name, g.pod.Namespace = fmt.Sprintf("grower-%d", r.made), r.story.namespace
	g.pod.Spec.RestartPolicy = corev1.RestartPolicyNever
	return g
}

// resizes counts those that were made since a time.
func (r *randomGrowth) resizes(since time.Time) int {
	total := 0
	for _, n := range r.story.resizesBy(agentAccount, since).made {
		total += n
	}
	return total
}
