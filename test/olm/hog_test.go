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
	"sigs.k8s.io/yaml"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// monitor creates the AppMonitor of the operator's documentation.
func (s *story) monitor(namespace string) *v1.AppMonitor {
	s.t.Helper()
	m := &v1.AppMonitor{
		ObjectMeta: metav1.ObjectMeta{Name: "johnny-cache", Namespace: namespace},
		Spec:       v1.AppMonitorSpec{MemThresholdPercent: 75, MemMultiplier: 2},
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

// hog applies the workload of config/samples, growing by so many MiB a second from so many MiB.
func (s *story) hog(namespace string, from, rate int) *appsv1.Deployment {
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
