package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/kubedemo/memhog-operator/test/cluster"
)

// fact is something seen, to be put on record by the goroutine that owns it.
type fact func(*record)

// witness watches one namespace and reports facts. It looks with an administrator's rights and asks nothing of the
// operator, so that its account is independent.
type witness struct {
	clients   kubernetes.Interface
	namespace string
	facts     chan<- fact
	// agent says that nobody acts by the kubelet's samples.
	agent bool
	// memory finds where the kernel keeps account of a container, where that can be seen.
	memory func(containerID string) (*cluster.Memory, error)

	mu      sync.Mutex
	started map[string]bool // what has a goroutine already: the log of a Pod, a node's kubelet
}

// watch starts watching, and returns when the first state of all is known. All of it ends with ctx.
func (w *witness) watch(ctx context.Context) error {
	w.started = map[string]bool{}
	factory := informers.NewSharedInformerFactoryWithOptions(w.clients, 0, informers.WithNamespace(w.namespace))
	for informer, handler := range map[cache.SharedIndexInformer]cache.ResourceEventHandlerFuncs{
		factory.Apps().V1().Deployments().Informer(): onChange(func(d *appsv1.Deployment) {
			at := time.Now()
			w.report(ctx, func(r *record) { r.sawDeployment(at, d) })
		}),
		factory.Core().V1().Pods().Informer(): w.onPod(ctx),
		factory.Core().V1().Events().Informer(): onChange(func(e *corev1.Event) {
			at := time.Now()
			w.report(ctx, func(r *record) { r.sawEvent(at, e) })
		}),
	} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return fmt.Errorf("watch namespace %q: %w", w.namespace, err)
		}
	}
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("watch %v in namespace %q: %w", kind, w.namespace, ctx.Err())
		}
	}
	return nil
}

func onChange[T any](saw func(T)) cache.ResourceEventHandlerFuncs {
	typed := func(o any) {
		if object, is := o.(T); is {
			saw(object)
		}
	}
	return cache.ResourceEventHandlerFuncs{AddFunc: typed, UpdateFunc: func(_, o any) { typed(o) }}
}

// onPod reports a Pod, and starts to read its log and its node's kubelet when its container runs.
func (w *witness) onPod(ctx context.Context) cache.ResourceEventHandlerFuncs {
	handler := onChange(func(p *corev1.Pod) {
		at := time.Now()
		w.report(ctx, func(r *record) { r.sawPod(at, p) })
		for _, status := range p.Status.ContainerStatuses {
			if status.Name == containerName && status.State.Running != nil {
				w.once("log of "+p.Name, func() { w.followLog(ctx, p.Name) })
				if !w.agent {
					w.once("kubelet of "+p.Spec.NodeName, func() { w.readKubelet(ctx, p.Spec.NodeName) })
				}
				if w.memory != nil {
					w.once("memory of "+status.ContainerID, func() { w.readKernel(ctx, p.Name, status.ContainerID) })
				}
			}
		}
	})
	handler.DeleteFunc = func(o any) {
		at := time.Now()
		if tombstone, isTombstone := o.(cache.DeletedFinalStateUnknown); isTombstone {
			o = tombstone.Obj
		}
		if p, isPod := o.(*corev1.Pod); isPod {
			w.report(ctx, func(r *record) {
				r.sawPod(at, p)
				r.sawPodGone(at, p.Name)
			})
		}
	}
	return handler
}

func (w *witness) report(ctx context.Context, f fact) {
	select {
	case w.facts <- f:
	case <-ctx.Done():
	}
}

func (w *witness) once(what string, run func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.started[what] {
		w.started[what] = true
		go run()
	}
}
