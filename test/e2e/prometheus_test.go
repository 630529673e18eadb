package e2e

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubedemo/memhog-operator/test/prometheus"
)

func TestPrometheusAsTheSource(t *testing.T) {
	s := prepare(t)
	early := memhog(s).Named("early").Holds(300).Deploy().Runs()
	address := s.installPrometheus()
	s.alone()
	s.operatorRunsWith("--prometheus-addr=" + address)
	monitor := s.monitor("johnny-cache", 75, 2)

	early.BecomesSized("512Mi/768Mi")
	monitor.IsWatching(1)
	s.readsFrom("prometheus")

	s.scalePrometheus(0)
	monitor.Says("MetricsAvailable=False/SourceUnavailable", "prometheus")
	monitor.Says("Ready=False/SourceUnavailable", "prometheus")
	late := memhog(s).Named("late").Grows(20).From(200).To(330).Deploy()
	late.Reaches(330)
	s.IsDecided("StaleSample", 2)
	late.IsUntouched()

	s.scalePrometheus(1)
	monitor.IsWatching(2)
	late.BecomesSized("512Mi/768Mi")
	late.RolledOutOnce()
	early.RolledOutOnce()
	s.NobodyDied()
}

// installPrometheus makes Prometheus scrape the nodes' cAdvisor, and returns its address. It is gone with the story.
func (s *story) installPrometheus() string {
	s.t.Helper()
	ctx := s.t.Context()
	if !env.cluster.Own() {
		image, err := prometheus.Image(ctx, os.Stderr)
		must(s.t, err)
		must(s.t, env.cluster.LoadImage(ctx, image))
	}
	s.undo("remove Prometheus", removePrometheus)
	address, err := prometheus.Install(ctx, env.client, prometheusImage(), patience)
	must(s.t, err)
	s.t.Logf("Prometheus is at %s", address)
	return address
}

func removePrometheus(ctx context.Context) error {
	objects, err := prometheus.Objects("")
	if err != nil {
		return err
	}
	for _, o := range objects {
		err = errors.Join(err, client.IgnoreNotFound(env.client.Delete(ctx, o)))
	}
	return err
}

func (s *story) scalePrometheus(replicas int32) {
	s.t.Helper()
	var d appsv1.Deployment
	must(s.t, env.client.Get(s.t.Context(), prometheus.Key, &d))
	before := d.DeepCopy()
	d.Spec.Replicas = &replicas
	must(s.t, env.client.Patch(s.t.Context(), &d, client.MergeFrom(before)))
	s.t.Logf("Prometheus is scaled to %d", replicas)
}

// operatorRunsWith gives the operator more flags until the story ends.
func (s *story) operatorRunsWith(flags ...string) {
	s.t.Helper()
	s.undo("take the flags from the operator", func(ctx context.Context) error { return env.install(ctx) })
	begin := time.Now()
	must(s.t, env.install(s.t.Context(), flags...))
	s.theOperatorLeads()
	s.t.Logf("%5.1f s until the operator runs with %v", time.Since(begin).Seconds(), flags)
}

// readsFrom checks which source the operator reads.
func (s *story) readsFrom(source string) {
	s.t.Helper()
	all, err := families(s.t.Context(), s.theOperatorLeads())
	must(s.t, err)
	if sum(all["memhog_source_reads_total"], map[string]string{"source": source, "result": "success"}) == 0 {
		s.t.Errorf("the operator has not read %s", source)
	}
}
