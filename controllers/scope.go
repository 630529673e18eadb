package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/usage"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// Scope returns what the sampler has to read: the namespaces that have an AppMonitor, and the nodes on which their
// annotated Pods run.
func Scope(reader client.Reader) func(context.Context) (usage.Scope, error) {
	return func(ctx context.Context) (usage.Scope, error) {
		monitors := &v1.AppMonitorList{}
		if err := reader.List(ctx, monitors); err != nil {
			return usage.Scope{}, fmt.Errorf("list AppMonitors: %w", err)
		}
		namespaces, addresses := map[string]bool{}, map[string]string{}
		for _, m := range monitors.Items {
			if namespaces[m.Namespace] {
				continue
			}
			namespaces[m.Namespace] = true
			pods, err := annotatedPods(ctx, reader, m.Namespace)
			if err != nil {
				return usage.Scope{}, err
			}
			for i := range pods {
				// The Pod knows its node's address, so that nodes themselves need not be read.
				if pod := &pods[i]; workload.Running(pod) && pod.Status.HostIP != "" {
					addresses[pod.Spec.NodeName] = pod.Status.HostIP
				}
			}
		}
		scope := usage.Scope{Namespaces: slices.Sorted(maps.Keys(namespaces))}
		for _, name := range slices.Sorted(maps.Keys(addresses)) {
			scope.Nodes = append(scope.Nodes, usage.Node{Name: name, Address: addresses[name]})
		}
		return scope, nil
	}
}
