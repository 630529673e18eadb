package controllers

import (
	"context"
	"fmt"
	"maps"
	"time"

	"k8s.io/client-go/util/workqueue"

	oplibhandler "github.com/operator-framework/operator-lib/handler"
	oplibpredicate "github.com/operator-framework/operator-lib/predicate"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/policies"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// parallel is how many AppMonitors are reconciled at the same time, so that one slow write does not hold up the rest.
const parallel = 4

// SetupWithManager watches AppMonitors, annotated Pods and their workloads, and wakes for every AppMonitor at each tick.
func (r *AppMonitorReconciler) SetupWithManager(ctx context.Context, mgr ctrl.Manager, ticks <-chan time.Time) error {
	if err := IndexPods(ctx, mgr.GetFieldIndexer()); err != nil {
		return fmt.Errorf("index Pods by annotation: %w", err)
	}
	unpaused, err := oplibpredicate.NewPause[client.Object](v1.PausedAnnotation)
	if err != nil {
		return fmt.Errorf("watch for the annotation %s: %w", v1.PausedAnnotation, err)
	}
	b := ctrl.NewControllerManagedBy(mgr).
		Named("appmonitor").
		WithOptions(controller.Options{MaxConcurrentReconciles: parallel}).
		Watches(&v1.AppMonitor{}, &oplibhandler.InstrumentedEnqueueRequestForObject[client.Object]{},
			builder.WithPredicates(userMatters)).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(r.monitorsOf), builder.WithPredicates(unpaused, podMatters)).
		Watches(&corev1.Pod{}, r.whatIsFreedIsKnown()).
		WatchesRawSource(atEach(r, ticks)).
		WatchesRawSource(atEach(r, r.AgentChanges))
	for _, kind := range []client.Object{&appsv1.Deployment{}, &appsv1.StatefulSet{}, &appsv1.DaemonSet{}} {
		b = b.Watches(kind, handler.EnqueueRequestsFromMapFunc(r.monitorsOf),
			builder.WithPredicates(predicate.Or(unpaused, pausedNow), userMatters))
	}
	// These only to be in the cache, and there before anything is decided.
	for _, kind := range []client.Object{
		&corev1.LimitRange{}, &corev1.ResourceQuota{}, &corev1.Node{}, &autoscalingv2.HorizontalPodAutoscaler{},
	} {
		b = b.Watches(kind, handler.Funcs{})
	}
	// Of these only metadata is seen, and of that only pauses change anything.
	for _, kind := range workload.MetadataOnly() {
		b = b.WatchesMetadata(kind, handler.EnqueueRequestsFromMapFunc(r.monitorsOf), builder.WithPredicates(pauseChanged))
	}
	return b.Complete(r)
}

// userMatters passes what users change, and not what controllers report.
var userMatters = predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{})

// pausedNow passes a pause when it begins: agents have to be told of it.
var pausedNow = updates(func(before, after client.Object) bool { return policies.Paused(after) && !policies.Paused(before) })

// pauseChanged passes the beginning and the end of a pause.
var pauseChanged = updates(func(before, after client.Object) bool { return policies.Paused(after) != policies.Paused(before) })

// updates passes some changes of objects, and neither their beginning nor their end.
func updates(pass func(before, after client.Object) bool) predicate.Funcs {
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		UpdateFunc:  func(e event.UpdateEvent) bool { return pass(e.ObjectOld, e.ObjectNew) },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// podMatters passes what changes the number of Pods or their sizes, what kubelets say of resizes, and OOM kills. Everything
// else, above all readiness, can wait for the next tick.
var podMatters = predicate.Funcs{
	CreateFunc: func(e event.CreateEvent) bool { return policies.Annotated(e.Object) },
	DeleteFunc: func(e event.DeleteEvent) bool { return policies.Annotated(e.Object) },
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, _ := e.ObjectOld.(*corev1.Pod)
		after, _ := e.ObjectNew.(*corev1.Pod)
		if before == nil || after == nil || !policies.Annotated(before) && !policies.Annotated(after) {
			return false
		}
		return workload.Running(before) != workload.Running(after) ||
			!equality.Semantic.DeepEqual(annotationsOf(before), annotationsOf(after)) ||
			!equality.Semantic.DeepEqual(before.Spec, after.Spec) || oomKills(before) != oomKills(after) ||
			resizeMoved(before, after)
	},
	GenericFunc: func(event.GenericEvent) bool { return false },
}

// annotationsOf are those of a Pod that others write.
func annotationsOf(pod *corev1.Pod) map[string]string {
	annotations := maps.Clone(pod.Annotations)
	delete(annotations, v1.WorkloadAnnotation)
	return annotations
}

// resizeMoved is true when the kubelet says something else of a resize than before.
func resizeMoved(before, after *corev1.Pod) bool {
	for _, c := range workload.Containers(&after.Spec) {
		stateBefore, sizeBefore := workload.ResizeOf(before, c)
		stateAfter, sizeAfter := workload.ResizeOf(after, c)
		if stateBefore != stateAfter || sizeBefore != sizeAfter {
			return true
		}
	}
	return false
}

// oomKills tells the latest OOM kill of the Pod's containers from the one before.
func oomKills(pod *corev1.Pod) time.Time {
	var latest time.Time
	for _, s := range workload.Statuses(pod) {
		if at := workload.OOMKilledAt(pod, s.Name); at.After(latest) {
			latest = at
		}
	}
	return latest
}

// whatIsFreedIsKnown wakes for nobody. It has what nodes have left read anew when a Pod takes less of its node than before:
// a raise that is cut by what was known a moment ago stays cut until the next threshold.
func (r *AppMonitorReconciler) whatIsFreedIsKnown() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	taken := func(o client.Object) int64 {
		pod, isPod := o.(*corev1.Pod)
		if !isPod {
			return 0
		}
		return workload.Requested(pod)
	}
	return handler.Funcs{
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, _ queue) {
			if taken(e.ObjectNew) < taken(e.ObjectOld) {
				r.freed()
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, _ queue) {
			if taken(e.Object) > 0 {
				r.freed()
			}
		},
	}
}

// monitorsOf returns the AppMonitors of an object's namespace: few, and any of them may own it.
func (r *AppMonitorReconciler) monitorsOf(ctx context.Context, o client.Object) []reconcile.Request {
	return r.requests(ctx, client.InNamespace(o.GetNamespace()))
}

// atEach is a source that wakes for every AppMonitor at each tick, or whatever else comes; never by a channel that is nil.
func atEach[T any](r *AppMonitorReconciler, ticks <-chan T) source.Source {
	return source.Func(func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		go func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-ticks:
					for _, request := range r.requests(ctx) {
						queue.Add(request)
					}
				}
			}
		}()
		return nil
	})
}

func (r *AppMonitorReconciler) requests(ctx context.Context, in ...client.ListOption) []reconcile.Request {
	monitors := &v1.AppMonitorList{}
	if err := r.Client.List(ctx, monitors, in...); err != nil {
		return nil // reads of the cache fail only while the manager stops
	}
	requests := make([]reconcile.Request, 0, len(monitors.Items))
	for i := range monitors.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&monitors.Items[i])})
	}
	return requests
}
