package olm_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// monitor creates the AppMonitor of the operator's documentation.
func (s *story) monitor(namespace string) *v1.AppMonitor {
	s.t.Helper()
	return s.monitorBy(namespace, v1.StrategyAuto)
}

// monitorBy creates the same with a strategy.
func (s *story) monitorBy(namespace string, strategy v1.Strategy) *v1.AppMonitor {
	s.t.Helper()
	m := &v1.AppMonitor{
		ObjectMeta: metav1.ObjectMeta{Name: "johnny-cache", Namespace: namespace},
		Spec:       v1.AppMonitorSpec{MemThresholdPercent: 75, MemMultiplier: 2, Strategy: strategy},
	}
	s.create(m)
	return m
}

// isReady waits until the operator watches the AppMonitor.
func (s *story) isReady(m *v1.AppMonitor) {
	s.t.Helper()
	s.awaits("the AppMonitor of "+m.Namespace+" is Ready", func(ctx context.Context) error {
		if err := env.client.Get(ctx, keyOf(m), m); err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(m.Status.Conditions, v1.ConditionReady) {
			return fmt.Errorf("its conditions are %+v", m.Status.Conditions)
		}
		return nil
	})
}

// hog applies the workload of config/samples, growing by so many MiB a second from so many MiB to 448.
func (s *story) hog(namespace string, from, rate int) *appsv1.Deployment {
	s.t.Helper()
	return s.hogTo(namespace, from, rate, 448)
}

// hogTo is the same with an end of one's own.
func (s *story) hogTo(namespace string, from, rate, to int) *appsv1.Deployment {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(env.root, "config", "samples", "memhog_deployment.yaml"))
	must(s.t, err)
	d := &appsv1.Deployment{}
	must(s.t, yaml.UnmarshalStrict(text, d))
	d.Namespace = namespace
	for i := range d.Spec.Template.Spec.Containers[0].Env {
		switch e := &d.Spec.Template.Spec.Containers[0].Env[i]; e.Name {
		case "MEMHOG_START_MIB":
			e.Value = strconv.Itoa(from)
		case "MEMHOG_RATE_MIB_PER_SECOND":
			e.Value = strconv.Itoa(rate)
		case "MEMHOG_CEILING_MIB":
			e.Value = strconv.Itoa(to)
		}
	}
	s.create(d)
	return d
}

func limitOf(d *appsv1.Deployment) string {
	return d.Spec.Template.Spec.Containers[0].Resources.Limits.Memory().String()
}

// isGiven waits until the Deployment's template has this memory limit.
func (s *story) isGiven(d *appsv1.Deployment, limit string) {
	s.t.Helper()
	s.awaits(d.Namespace+"/"+d.Name+" is given "+limit, func(ctx context.Context) error {
		if err := env.client.Get(ctx, keyOf(d), d); err != nil {
			return err
		}
		if got := limitOf(d); got != limit {
			return fmt.Errorf("its limit is %s", got)
		}
		return nil
	})
}

// rolledOutOnce checks that the Deployment had one rollout after its first, to this limit, with no OOM kill.
func (s *story) rolledOutOnce(d *appsv1.Deployment, limit string) {
	s.t.Helper()
	s.awaits(d.Namespace+"/"+d.Name+" runs with "+limit, func(ctx context.Context) error {
		if err := env.client.Get(ctx, keyOf(d), d); err != nil {
			return err
		}
		st := d.Status
		if st.ObservedGeneration < d.Generation || st.UpdatedReplicas != 1 || st.Replicas != 1 || st.AvailableReplicas != 1 {
			return fmt.Errorf("its status is %+v", st)
		}
		return nil
	})
	if got, revision := limitOf(d), d.Annotations["deployment.kubernetes.io/revision"]; got != limit || revision != "2" {
		s.t.Errorf("%s has the limit %s at revision %s, want %s at revision 2: one raise", d.Name, got, revision, limit)
	}
	var pods corev1.PodList
	must(s.t, env.client.List(s.t.Context(), &pods))
	for i := range pods.Items {
		for _, c := range pods.Items[i].Status.ContainerStatuses {
			if pods.Items[i].Namespace == d.Namespace && c.RestartCount > 0 {
				s.t.Errorf("container %s of Pod %s was restarted %d times", c.Name, pods.Items[i].Name, c.RestartCount)
			}
		}
	}
}

// pod is the only one of a Deployment that is not about to go.
func (s *story) pod(ctx context.Context, d *appsv1.Deployment) (*corev1.Pod, error) {
	var pods corev1.PodList
	if err := env.client.List(ctx, &pods, client.InNamespace(d.Namespace), client.MatchingLabels(d.Spec.Selector.MatchLabels)); err != nil {
		return nil, err
	}
	var there []*corev1.Pod
	for i := range pods.Items {
		if pods.Items[i].DeletionTimestamp == nil {
			there = append(there, &pods.Items[i])
		}
	}
	if len(there) != 1 {
		return nil, fmt.Errorf("%s has %d Pods", d.Name, len(there))
	}
	return there[0], nil
}

// hasInPlace waits until the kubelet has given the Deployment's Pod a limit, and checks that this was done in place: nothing
// was restarted, and the Deployment is still as it was created. It returns the Pod.
func (s *story) hasInPlace(d *appsv1.Deployment, limit string) *corev1.Pod {
	s.t.Helper()
	var pod *corev1.Pod
	s.awaits(d.Namespace+"/"+d.Name+" has "+limit+" in place", func(ctx context.Context) error {
		var err error
		if pod, err = s.pod(ctx, d); err != nil {
			return err
		}
		for _, c := range pod.Status.ContainerStatuses {
			if c.Resources != nil && c.Resources.Limits.Memory().String() == limit && pod.Status.Phase == corev1.PodRunning {
				return nil
			}
		}
		return fmt.Errorf("Pod %s asks for %s, and its status is %+v", pod.Name,
			pod.Spec.Containers[0].Resources.Limits.Memory(), pod.Status.ContainerStatuses)
	})
	if restarts := pod.Status.ContainerStatuses[0].RestartCount; restarts > 0 {
		s.t.Errorf("Pod %s was restarted %d times", pod.Name, restarts)
	}
	now := d.DeepCopy()
	s.get(now)
	if now.Generation != d.Generation || limitOf(now) != limitOf(d) {
		s.t.Errorf("%s is of generation %d with %s, want %d with %s: untouched",
			d.Name, now.Generation, limitOf(now), d.Generation, limitOf(d))
	}
	return pod
}

// hasLearned waits until the Deployment's durable size is this.
func (s *story) hasLearned(d *appsv1.Deployment, want string) {
	s.t.Helper()
	s.awaits(d.Name+" has learned "+want, func(ctx context.Context) error {
		now := d.DeepCopy()
		if err := env.client.Get(ctx, keyOf(d), now); err != nil {
			return err
		}
		if got := now.Annotations[v1.DurableSizeAnnotation]; got != want {
			return fmt.Errorf("it is %q", got)
		}
		return nil
	})
}

// isReborn deletes the Deployment's Pod and returns the next one, as it was when it was created.
func (s *story) isReborn(d *appsv1.Deployment) *corev1.Pod {
	s.t.Helper()
	old, err := s.pod(s.t.Context(), d)
	must(s.t, err)
	watch, err := env.client.Watch(s.t.Context(), &corev1.PodList{}, client.InNamespace(d.Namespace))
	must(s.t, err)
	defer watch.Stop()
	must(s.t, env.client.Delete(s.t.Context(), old))
	for event := range watch.ResultChan() {
		if pod, is := event.Object.(*corev1.Pod); is && pod.UID != old.UID {
			say("%s has a new Pod", d.Name)
			return pod
		}
	}
	s.t.Fatalf("%s got no new Pod", d.Name)
	return nil
}
