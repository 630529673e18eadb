package controllers

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/policies"
	"github.com/kubedemo/memhog-operator/internal/trim"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

const (
	// annotatedIndex finds the Pods that opted in without looking at the others.
	annotatedIndex = "annotated"
	annotatedValue = "yes"
)

// CacheOptions limits the cache to the namespaces, all when there are none, and to what is read of each object.
func CacheOptions(namespaces []string) cache.Options {
	o := cache.Options{
		DefaultTransform:  cache.TransformStripManagedFields(),
		DefaultNamespaces: CacheNamespaces(namespaces),
		ByObject: map[client.Object]cache.ByObject{
			&v1.AppMonitor{}:                         {Transform: trim.Monitor},
			&corev1.Pod{}:                            {Transform: trim.Pod},
			&corev1.Node{}:                           {Transform: trim.Node},
			&appsv1.Deployment{}:                     {Transform: trim.Deployment},
			&appsv1.StatefulSet{}:                    {Transform: trim.StatefulSet},
			&appsv1.DaemonSet{}:                      {Transform: trim.DaemonSet},
			&autoscalingv2.HorizontalPodAutoscaler{}: {Transform: trim.Scaler},
		},
	}
	for _, kind := range workload.MetadataOnly() {
		o.ByObject[kind] = cache.ByObject{Transform: trim.Metadata}
	}
	return o
}

// CacheNamespaces limits a cache to namespaces; nil, which is no limit, when there are none.
func CacheNamespaces(namespaces []string) map[string]cache.Config {
	var configs map[string]cache.Config
	for _, n := range namespaces {
		if configs == nil {
			configs = map[string]cache.Config{}
		}
		configs[n] = cache.Config{}
	}
	return configs
}

// IndexPods adds the index that the reconciler lists Pods by.
func IndexPods(ctx context.Context, indexer client.FieldIndexer) error {
	return indexer.IndexField(ctx, &corev1.Pod{}, annotatedIndex, func(o client.Object) []string {
		if !policies.Annotated(o) {
			return nil
		}
		return []string{annotatedValue}
	})
}
