package e2e

import (
	"context"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/test/install"
)

// describeWorld shows everything that can explain a failure: the namespace's objects, and the operator with the end
// of its log.
func describeWorld(ctx context.Context, namespace string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n===== the world of namespace %s at %s =====\n", namespace, time.Now().Format(time.TimeOnly))
	describeDeployments(ctx, &b, namespace)
	describePods(ctx, &b, namespace)
	describeMonitors(ctx, &b, namespace)
	describeEvents(ctx, &b, namespace)
	fmt.Fprintf(&b, "----- the operator, namespace %s\n", install.OperatorKey.Namespace)
	describeDeployments(ctx, &b, install.OperatorKey.Namespace)
	describePods(ctx, &b, install.OperatorKey.Namespace)
	describeOperatorLogs(ctx, &b)
	fmt.Fprintf(&b, "===== end of the world of namespace %s =====", namespace)
	return b.String()
}

func describeDeployments(ctx context.Context, b *strings.Builder, namespace string) {
	var list appsv1.DeploymentList
	if err := env.client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		fmt.Fprintln(b, "Deployments:", err)
		return
	}
	for i := range list.Items {
		d := &list.Items[i]
		fmt.Fprintf(b, "Deployment %s: sizes %s, revision %s, generation %d (%d observed), %d replicas, %d updated, %d available\n",
			d.Name, sizes(d.Spec.Template.Spec.Containers), d.Annotations[revisionAnnotation], d.Generation,
			d.Status.ObservedGeneration, d.Status.Replicas, d.Status.UpdatedReplicas, d.Status.AvailableReplicas)
		for _, c := range d.Status.Conditions {
			fmt.Fprintf(b, "  %s %s, %s: %s\n", c.Type, c.Status, c.Reason, c.Message)
		}
	}
}

func describePods(ctx context.Context, b *strings.Builder, namespace string) {
	var list corev1.PodList
	if err := env.client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		fmt.Fprintln(b, "Pods:", err)
		return
	}
	for i := range list.Items {
		p := &list.Items[i]
		going := ""
		if p.DeletionTimestamp != nil {
			going = ", going"
		}
		fmt.Fprintf(b, "Pod %s: sizes %s, %s%s\n", p.Name, sizes(p.Spec.Containers), install.State(p), going)
		for _, c := range p.Status.ContainerStatuses {
			if last := c.LastTerminationState.Terminated; last != nil {
				fmt.Fprintf(b, "  %s restarted %d times, last ended by %s, exit code %d\n",
					c.Name, c.RestartCount, last.Reason, last.ExitCode)
			}
		}
	}
}

func describeMonitors(ctx context.Context, b *strings.Builder, namespace string) {
	var list v1.AppMonitorList
	if err := env.client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		fmt.Fprintln(b, "AppMonitors:", err)
		return
	}
	for i := range list.Items {
		m := &list.Items[i]
		text, err := yaml.Marshal(map[string]any{"annotations": m.Annotations, "spec": m.Spec, "status": m.Status})
		if err != nil {
			text = []byte(err.Error())
		}
		fmt.Fprintf(b, "AppMonitor %s:\n%s", m.Name, indented(string(text)))
	}
}

func describeEvents(ctx context.Context, b *strings.Builder, namespace string) {
	var list corev1.EventList
	if err := env.client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		fmt.Fprintln(b, "Events:", err)
		return
	}
	const most = 40
	for i := max(0, len(list.Items)-most); i < len(list.Items); i++ {
		e := &list.Items[i]
		fmt.Fprintf(b, "Event %s %s on %s %s: %s\n", e.Type, e.Reason, e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Message)
	}
}

func describeOperatorLogs(ctx context.Context, b *strings.Builder) {
	pods, err := operatorPods(ctx)
	if err != nil {
		fmt.Fprintln(b, "the operator's Pods:", err)
		return
	}
	lines := int64(30)
	for i := range pods {
		for _, previous := range []bool{true, false} {
			text, err := env.clients.CoreV1().Pods(pods[i].Namespace).
				GetLogs(pods[i].Name, &corev1.PodLogOptions{TailLines: &lines, Previous: previous}).DoRaw(ctx)
			switch {
			case err == nil:
				fmt.Fprintf(b, "log of %s (previous container: %t):\n%s", pods[i].Name, previous, indented(string(text)))
			case !previous:
				fmt.Fprintf(b, "log of %s: %v\n", pods[i].Name, err)
			}
		}
	}
}

func indented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimSpace(text)) {
		b.WriteString("  " + strings.TrimRight(line, "\n") + "\n")
	}
	return b.String()
}
