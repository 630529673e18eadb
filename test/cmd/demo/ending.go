package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/test/install"
	"github.com/kubedemo/memhog-operator/tools"
)

// conclude draws the chart, compares the Deployment with what was applied, and returns the last line, or what is
// missing for it. An error that the story ended with is the reason.
func (s *stage) conclude(ctx context.Context, cause error) (string, error) {
	o := s.record.outcome()
	drawn := s.draw(o)
	if cause != nil {
		return "", errors.Join(cause, drawn)
	}
	missing := o.verdict()
	if missing == nil {
		missing = s.compareDeployment(ctx)
	}
	if missing != nil {
		return "", errors.Join(fmt.Errorf("memhog was not rescued as it should be:\n%w\n%s", missing, s.hints(ctx)), drawn)
	}
	return fmt.Sprintf("%s; chart %s", o, s.chart), drawn
}

func (s *stage) draw(o outcome) error {
	title := fmt.Sprintf("memhog grows by %v MiB/s with a limit of %.0f MiB", s.rate, s.record.plan[0].limitMiB())
	if o.verdict() == nil {
		title = fmt.Sprintf("memhog grows by %v MiB/s and is rescued: %s", s.rate, arrows(o.plan()))
		if o.inPlace {
			title += ", in place"
		}
	}
	return writeChart(s.record, title, s.chartPath())
}

// compareDeployment says in what the Deployment differs from what was applied, and complains when that is more than the
// story's strategy allows: nothing in place, and the two memory values else.
func (s *stage) compareDeployment(ctx context.Context) error {
	now, err := s.existing(ctx, s.applied)
	if err != nil {
		return err
	}
	if now == nil {
		return errors.New("the Deployment is gone")
	}
	found := differences(s.applied, now)
	if s.inPlace() {
		return s.untouched(now, found)
	}
	if err := onlyMemory(found); err != nil {
		return fmt.Errorf("the Deployment differs from what was applied in other ways than it should:\n%w", err)
	}
	fmt.Fprintln(s.out, "the Deployment differs from what was applied in these values, and in bookkeeping metadata only:")
	for _, d := range found {
		s.say("%s", d)
	}
	return nil
}

// untouched complains when the Deployment is not what was applied, and says what keeps the learned size.
func (s *stage) untouched(now *unstructured.Unstructured, found []difference) error {
	for _, d := range found {
		return fmt.Errorf("the Deployment is not what was applied: %s", d)
	}
	if generation := now.GetGeneration(); generation != s.applied.GetGeneration() {
		return fmt.Errorf("the Deployment's generation is %d, not %d as when it was applied", generation, s.applied.GetGeneration())
	}
	fmt.Fprintf(s.out, "the Deployment is what was applied, of generation %d. For Pods to come it keeps, beside it,\n", now.GetGeneration())
	s.say("%s: %s", v1.DurableSizeAnnotation, now.GetAnnotations()[v1.DurableSizeAnnotation])
	return nil
}

// hints are where to look when the story went wrong.
func (s *stage) hints(ctx context.Context) string {
	var b strings.Builder
	fmt.Fprintf(&b, "AppMonitor %s says:\n%s", s.monitor.object.GetName(), s.conditions(ctx))
	var pods corev1.PodList
	if err := s.client.List(ctx, &pods, client.InNamespace(namespace)); err == nil {
		for i := range pods.Items {
			fmt.Fprintf(&b, "Pod %s: %s\n", pods.Items[i].Name, install.State(&pods.Items[i]))
		}
	}
	fmt.Fprintf(&b, "the operator's log ends with:\n%s", s.tail(ctx, 20))
	b.WriteString("KEEP=1 leaves the cluster up to look around; -deadline gives the story more time")
	return b.String()
}

func (s *stage) conditions(ctx context.Context) string {
	object, err := s.existing(ctx, s.monitor.object)
	if err != nil {
		return fmt.Sprintf("  %v\n", err)
	}
	if object == nil {
		return "  nothing: it is gone\n"
	}
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	if len(conditions) == 0 {
		return "  nothing: it has no conditions\n"
	}
	var b strings.Builder
	for _, c := range conditions {
		condition, _ := c.(map[string]any)
		fmt.Fprintf(&b, "  %v %v %v: %v\n", condition["type"], condition["status"], condition["reason"], condition["message"])
	}
	return b.String()
}

// lookAround says how to look at what KEEP left.
func (s *stage) lookAround(ctx context.Context) {
	kubectl := "kubectl"
	if programs, err := tools.Build(ctx, s.out, "kubectl"); err == nil {
		kubectl = programs["kubectl"]
	}
	kubeconfig, err := filepath.Abs(s.cluster.Kubeconfig())
	if err != nil {
		kubeconfig = s.cluster.Kubeconfig()
	}
	fmt.Fprintf(s.out, `the cluster stays up. To look around:
    export KUBECONFIG=%s
    alias kubectl=%s
    kubectl get appmonitors -A
    kubectl -n %[3]s describe deployment memhog
    kubectl -n %[3]s get pods,events
    kubectl -n %[4]s logs deployment/%[5]s
`, kubeconfig, kubectl, namespace, install.OperatorKey.Namespace, install.OperatorKey.Name)
	if !s.ownCluster {
		fmt.Fprintf(s.out, "to take it down: go -C %s run ./cmd/cluster -name %s down\n", filepath.Join(s.root, "test"), clusterName)
	}
}
