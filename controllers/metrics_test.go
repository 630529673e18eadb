package controllers

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/usage"
)

func TestAFailingSourceIsLoggedOncePerCause(t *testing.T) {
	var lines []string
	observer := &SourceObserver{Log: funcr.New(func(_, args string) { lines = append(lines, args) }, funcr.Options{})}
	pass := func(failures map[string]error) {
		observer.Passed(usage.Pass{Source: "test", Took: time.Second, At: time.Unix(1000, 0), Nodes: 2, Failures: failures})
	}
	broken := map[string]error{"a": usage.StatusError{Code: 403}, "b": usage.StatusError{Code: 403}}

	pass(nil)
	pass(broken)
	pass(broken)
	pass(nil)
	if len(lines) != 2 {
		t.Fatalf("logged %d lines, want one of the failure and one of its end:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	mustContain(t, lines[0], "403 Forbidden", `"nodes"=2`)
	mustContain(t, lines[1], "no longer fails")

	pass(broken)
	if got := testutil.ToFloat64(sourceFailingNodes.WithLabelValues("test")); got != 2 {
		t.Errorf("%v nodes fail, want 2", got)
	}
	if got := testutil.ToFloat64(sourceReadsTotal.WithLabelValues("test", "failure")); got != 3 {
		t.Errorf("%v passes failed, want 3", got)
	}
}

func TestNotKnowingWhatToReadIsLoggedOnce(t *testing.T) {
	lines := 0
	observer := &SourceObserver{Log: funcr.New(func(string, string) { lines++ }, funcr.Options{})}
	observer.ScopeFailed(errors.New("cache not started"))
	observer.ScopeFailed(errors.New("cache not started"))
	if lines != 1 {
		t.Errorf("logged %d lines, want 1", lines)
	}
}

func TestTheSeriesOfAnAppMonitorGoWithIt(t *testing.T) {
	w := newWorld(t)
	m := w.monitor("m", 75, 2)
	_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	labels := []string{w.namespace, "m"}
	if got := testutil.ToFloat64(watchedPods.WithLabelValues(labels...)); got != 1 {
		t.Errorf("%v Pods are watched, want 1", got)
	}
	if got := testutil.ToFloat64(changesTotal.WithLabelValues(append(labels, "Raise", "Rollout", "AboveThreshold")...)); got != 1 {
		t.Errorf("%v raises are counted, want 1", got)
	}

	w.delete(m)
	w.reconciler.forget(types.NamespacedName{Namespace: w.namespace, Name: "m"})
	families, err := metrics.Registry.Gather()
	must(t, err)
	for _, family := range families {
		for _, one := range family.GetMetric() {
			for _, label := range one.GetLabel() {
				if label.GetName() == labelNamespace && label.GetValue() == w.namespace {
					t.Errorf("%s still has a series of the AppMonitor that is gone", family.GetName())
				}
			}
		}
	}
}

func TestOnlyWhatMattersOfAPodWakesTheOperator(t *testing.T) {
	pod := func(change func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1.MonitorAnnotation: v1.MonitorAny}}}
		p.Status.Phase = corev1.PodRunning
		change(p)
		return p
	}
	same := func(*corev1.Pod) {}
	for _, tc := range []struct {
		reason        string
		before, after func(*corev1.Pod)
		want          bool
	}{
		{"nothing changed", same, same, false},
		{"a restart can wait for the next tick", same, func(p *corev1.Pod) {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{RestartCount: 1}}
		}, false},
		{"an OOM kill cannot", same, func(p *corev1.Pod) { killed(p, time.Unix(1000, 0)) }, true},
		{"one that is known can", func(p *corev1.Pod) { killed(p, time.Unix(1000, 0)) }, func(p *corev1.Pod) {
			killed(p, time.Unix(1000, 0))
		}, false},
		{"it began to run", func(p *corev1.Pod) { p.Status.Phase = corev1.PodPending }, same, true},
		{"it opted out", same, func(p *corev1.Pod) { p.Annotations = nil }, true},
		{"it never opted in", func(p *corev1.Pod) { p.Annotations = nil }, func(p *corev1.Pod) {
			p.Annotations, p.Status.Phase = nil, corev1.PodFailed
		}, false},
		{"it was paused", same, func(p *corev1.Pod) { p.Annotations[v1.PausedAnnotation] = "true" }, true},
		{"something was noted for its agent", same, func(p *corev1.Pod) { p.Annotations[v1.WorkloadAnnotation] = "{}" }, false},
		{"its size changed", same, func(p *corev1.Pod) {
			p.Spec.Containers = containersOf([]memory{{"memhog", "1Gi", "1Gi"}})
		}, true},
	} {
		got := podMatters.Update(event.UpdateEvent{ObjectOld: pod(tc.before), ObjectNew: pod(tc.after)})
		if got != tc.want {
			t.Errorf("%s: woken %t, want %t", tc.reason, got, tc.want)
		}
	}
}

func TestTheScopeIsWhatTheAppMonitorsPodsRunOn(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	scope, err := Scope(client.NewNamespacedClient(cached, w.namespace))(t.Context())
	must(t, err)
	if len(scope.Namespaces) != 1 || scope.Namespaces[0] != w.namespace {
		t.Errorf("namespaces are %q, want %q", scope.Namespaces, w.namespace)
	}
	if want := (usage.Node{Name: "node-1", Address: "198.51.100.2"}); len(scope.Nodes) != 1 || scope.Nodes[0] != want {
		t.Errorf("nodes are %v, want %v", scope.Nodes, want)
	}
}
