package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/policies"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// claim is how an AppMonitor stands to the annotated Pods of its namespace.
type claim struct {
	// owned are the running Pods that the AppMonitor owns, and pending those that wait to run, by name.
	owned, pending []corev1.Pod
	// rival is the oldest AppMonitor that owns Pods which this one claims too; empty when there is none.
	rival string
	// strays are the Pods that name an AppMonitor which does not exist, or does not select them. Only the oldest
	// AppMonitor is given them, so that one of them tells.
	strays []corev1.Pod
	// misread says why the AppMonitor's own selector cannot be understood; empty when it can.
	misread string
}

func claims(ctx context.Context, reader client.Reader, monitor *v1.AppMonitor) (claim, error) {
	monitors := &v1.AppMonitorList{}
	if err := reader.List(ctx, monitors, client.InNamespace(monitor.Namespace)); err != nil {
		return claim{}, fmt.Errorf("list AppMonitors of namespace %q: %w", monitor.Namespace, err)
	}
	pods, err := annotatedPods(ctx, reader, monitor.Namespace)
	if err != nil {
		return claim{}, err
	}
	candidates, misread := policies.Candidates(monitors.Items)
	c := claim{misread: misread[monitor.Name]}
	tells := len(candidates) > 0 && candidates[0].Name == monitor.Name
	rivals := map[string]bool{}
	// The cache gives them in any order, which must not decide anything.
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	for _, pod := range pods {
		value := pod.Annotations[v1.MonitorAnnotation]
		switch owner := policies.OwnerOf(&pod, candidates); {
		case owner == monitor.Name && workload.Running(&pod):
			c.owned = append(c.owned, pod)
		case owner == monitor.Name && workload.Pending(&pod):
			c.pending = append(c.pending, pod)
		case !workload.Running(&pod):
		case owner == "" && value != v1.MonitorAny && tells:
			c.strays = append(c.strays, pod)
		case value == v1.MonitorAny && policies.ClaimedBy(&pod, monitor.Name, candidates):
			rivals[owner] = true
		}
	}
	if i := slices.IndexFunc(candidates, func(m policies.Candidate) bool { return rivals[m.Name] }); i >= 0 {
		c.rival = candidates[i].Name
	}
	return c, nil
}
