package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestTheRightToReadTheKubeletIsTakenAndGivenBack(t *testing.T) {
	s := prepare(t)
	monitor := s.monitor("johnny-cache", 75, 2)
	bystander := memhog(s).Named("bystander").Holds(50).Deploy().Runs()
	s.alone()
	monitor.IsWatching(1)

	if env.cluster.Own() {
		s.patience += verdictsLast
	}
	giveBack := s.takeRight("nodes/metrics")
	monitor.Says("MetricsAvailable=False/SourceUnavailable", "kubelet", "403", "nodes/metrics")
	monitor.Says("Ready=False/SourceUnavailable", "403", "nodes/metrics")
	hog := memhog(s).Grows(20).From(200).To(330).Deploy()
	hog.Reaches(330)
	s.IsDecided("StaleSample", 2)
	hog.IsUntouched()

	giveBack()
	monitor.IsWatching(2)
	hog.BecomesSized("512Mi/768Mi")
	hog.RolledOutOnce()
	bystander.IsUntouched()
	s.NobodyDied()
}

func TestAKubeletThatIsDownForAWhileLosesNothing(t *testing.T) {
	ownOnly(t, "the kubelet's process is out of reach")
	s := prepare(t)
	monitor := s.monitor("johnny-cache", 75, 2)
	bystander := memhog(s).Named("bystander").Holds(50).Deploy().Runs()
	s.alone()
	monitor.IsWatching(1)

	// It crosses the threshold, 288 MiB, 22 s after it started; by then the kubelet is down.
	hog := memhog(s).Grows(4).From(200).To(330).Deploy().Runs()
	started := hog.startTime()
	start := s.stopKubelet()
	monitor.Says("MetricsAvailable=False/SourceUnavailable", "kubelet", "connection refused")
	monitor.Says("Ready=False/SourceUnavailable", "connection refused")
	// Nobody can ask the Pod while the kubelet is down, but its growth is known.
	s.awaits("memhog must be above the threshold", func(context.Context) error {
		if held := 200 + 4*time.Since(started).Seconds(); held < 300 {
			return fmt.Errorf("it holds about %.0f MiB", held)
		}
		return nil
	})
	hog.IsUntouched()

	start()
	hog.BecomesSized("512Mi/768Mi")
	monitor.IsWatching(2)
	hog.RolledOutOnce()
	bystander.IsUntouched()
	s.NobodyDied()
}

// takeRight removes a resource from the operator's ClusterRole, until the returned function is called or the story
// ends.
func (s *story) takeRight(to string) (giveBack func()) {
	s.t.Helper()
	var whole rbacv1.ClusterRole
	key := client.ObjectKey{Name: "memhog-operator-manager"}
	must(s.t, env.client.Get(s.t.Context(), key, &whole))
	write := func(ctx context.Context, rules []rbacv1.PolicyRule) error {
		return retry.RetryOnConflict(retry.DefaultRetry, func() error {
			var role rbacv1.ClusterRole
			if err := env.client.Get(ctx, key, &role); err != nil {
				return err
			}
			role.Rules = rules
			return env.client.Update(ctx, &role)
		})
	}
	less := slices.DeleteFunc(slices.Clone(whole.Rules), func(r rbacv1.PolicyRule) bool { return slices.Contains(r.Resources, to) })
	if len(less) == len(whole.Rules) {
		s.t.Fatalf("ClusterRole %s gives no right to %s", key.Name, to)
	}
	giveBack = s.undo("give back the right to "+to, func(ctx context.Context) error {
		return errors.Join(write(ctx, whole.Rules), forgetVerdicts())
	})
	must(s.t, write(s.t.Context(), less))
	must(s.t, forgetVerdicts())
	return giveBack
}

// verdictsLast is how long a kubelet goes by what it knows of anyone's rights.
const verdictsLast = 5 * time.Minute

// forgetVerdicts restarts the kubelet, so that it asks again for anyone's rights. On a cluster of one's own there is
// nothing but to wait.
func forgetVerdicts() error {
	if env.cluster.Own() {
		return nil
	}
	return env.cluster.Signal("kubelet", syscall.SIGTERM)
}

// stopKubelet keeps the kubelet down until the returned function is called or the story ends. It must not take longer
// than 40 s, or the node counts as lost.
func (s *story) stopKubelet() (start func()) {
	s.t.Helper()
	begin := time.Now()
	must(s.t, env.cluster.Stop(s.t.Context(), "kubelet"))
	return s.undo("start the kubelet", func(ctx context.Context) error {
		s.t.Logf("the kubelet was down for %.1f s", time.Since(begin).Seconds())
		return env.cluster.Start(ctx, "kubelet")
	})
}

// startTime is when the only Pod's container started.
func (d *deployment) startTime() time.Time {
	d.story.t.Helper()
	pods, err := d.pods(d.story.t.Context())
	must(d.story.t, err)
	for i := range pods {
		for _, c := range pods[i].Status.ContainerStatuses {
			if c.State.Running != nil {
				return c.State.Running.StartedAt.Time
			}
		}
	}
	must(d.story.t, errors.New("no container runs"))
	return time.Time{}
}
