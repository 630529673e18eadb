package controllers

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// longestMessage is how many bytes of a message the API server takes in a condition.
const longestMessage = 32 << 10

// report writes the status, when it says anything new.
func (r *AppMonitorReconciler) report(ctx context.Context, monitor *v1.AppMonitor, page *page, o observation) error {
	before := monitor.DeepCopy()
	now := r.Clock.Now()
	status := &monitor.Status
	status.ObservedGeneration = monitor.Generation
	status.Pods = int32(len(o.owned))    //nolint:gosec // a namespace holds fewer Pods than an int32 can count
	status.Raised = int32(o.raised)      //nolint:gosec // likewise
	status.Held = int32(len(page.needs)) //nolint:gosec // likewise
	page.account.keepOnly(func(of string) bool { return r.exists(ctx, monitor.Namespace, of) })
	status.Decisions, status.LastChange = page.account.entries, page.account.changed
	all := conditions(monitor, o, page, now)
	if c := r.fastPath(monitor, o, page); c != nil {
		all = append(all, *c)
	}
	for _, c := range all {
		c.Message = clip(c.Message, longestMessage)
		c.ObservedGeneration = monitor.Generation
		c.LastTransitionTime = metav1.NewTime(now)
		meta.SetStatusCondition(&status.Conditions, c)
	}
	if !equality.Semantic.DeepEqual(before.Status, monitor.Status) {
		// All counts go along with every write: a zero that was never written is no number to kubectl get.
		before.Status.Pods, before.Status.Raised, before.Status.Held = -1, -1, -1
		err := r.Client.Status().Patch(ctx, monitor, client.MergeFrom(before))
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("write status of AppMonitor %q: %w", client.ObjectKeyFromObject(monitor), err)
		}
	}
	return nil
}

func memorySize(m scaling.Memory) v1.MemorySize {
	size := v1.MemorySize{Limit: *resource.NewQuantity(m.Limit, resource.BinarySI)}
	if m.Request > 0 {
		size.Request = resource.NewQuantity(m.Request, resource.BinarySI)
	}
	return size
}

// exists is false for a workload, named as kind/name, that is gone for certain.
func (r *AppMonitorReconciler) exists(ctx context.Context, namespace, of string) bool {
	kind, name, _ := strings.Cut(of, "/")
	o := emptyOf(kind)
	if o == nil {
		return false
	}
	return !apierrors.IsNotFound(r.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, o))
}

// emptyOf returns an empty object of a workload's kind, as it is cached; nil for a kind that is none.
func emptyOf(kind string) client.Object {
	switch kind {
	case "Pod":
		return &corev1.Pod{}
	case "Deployment":
		return &appsv1.Deployment{}
	case "StatefulSet":
		return &appsv1.StatefulSet{}
	case "DaemonSet":
		return &appsv1.DaemonSet{}
	}
	for _, o := range workload.MetadataOnly() {
		if o.Kind == kind {
			return o
		}
	}
	return nil
}
