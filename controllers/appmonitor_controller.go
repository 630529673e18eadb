// Package controllers reconciles AppMonitors: observe, decide, apply, report. It is the only place that translates
// between the API and the packages that know the domain.
package controllers

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/operand"
	"github.com/kubedemo/memhog-operator/internal/usage"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// Samples is what a reconcile needs to know of memory use; usage.Sampler provides it.
type Samples interface {
	// Newest returns the newest sample of a container.
	Newest(usage.Container) (usage.Sample, bool)
	// Health says whether the containers of some nodes can be read and, when not, why.
	Health(nodes []string) (usage.State, string)
}

// AppMonitorReconciler raises the memory of the Pods that AppMonitors own.
type AppMonitorReconciler struct {
	// Client reads from the cache and writes to the API server.
	Client   client.Client
	Samples  Samples
	Recorder events.EventRecorder
	Clock    clock.PassiveClock
	// MaxSampleAge is the greatest age at which a sample is still acted on.
	MaxSampleAge time.Duration
	// Tick is the time between two readings of memory use.
	Tick time.Duration
	// Server knows what the API server can; nothing is resized in place without.
	Server *workload.Discoverer
	// Namespaces that the operator sees; all when there are none, and then it knows what nodes have left.
	Namespaces []string
	// Agents are how the node agents stand; nil when nobody keeps any.
	Agents func() operand.Status
	// AgentChanges tells when they stand differently.
	AgentChanges <-chan struct{}

	ledger ledger
	// nodes are shared by all AppMonitors, and gifts are what Pods were given of them and may not show yet.
	nodesMu sync.Mutex
	nodes   nodeRoom
	gifts   map[types.UID]gift
}

// +kubebuilder:rbac:groups=kubedemo.com,resources=appmonitors,verbs=list;watch
// +kubebuilder:rbac:groups=kubedemo.com,resources=appmonitors/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=pods,verbs=list;watch
// +kubebuilder:rbac:groups="",resources=pods/resize;pods/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=limitranges;resourcequotas;nodes,verbs=list;watch
// +kubebuilder:rbac:groups="",resources=nodes/metrics,verbs=get
// +kubebuilder:rbac:groups=apps,resources=deployments;statefulsets;daemonsets,verbs=list;watch;patch
// +kubebuilder:rbac:groups=apps,resources=replicasets,verbs=list;watch
// +kubebuilder:rbac:groups=apps,resources=deployments/status;statefulsets/status;daemonsets/status;replicasets/status,verbs=patch
// +kubebuilder:rbac:groups=batch,resources=jobs;cronjobs,verbs=list;watch
// +kubebuilder:rbac:groups=batch,resources=jobs/status;cronjobs/status,verbs=patch
// +kubebuilder:rbac:groups=autoscaling,resources=horizontalpodautoscalers,verbs=list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconcile looks at every container of the Pods that one AppMonitor owns, gives memory to what needs it, and says what
// it did.
func (r *AppMonitorReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	monitor := &v1.AppMonitor{}
	if err := r.Client.Get(ctx, req.NamespacedName, monitor); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(req.NamespacedName)
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, fmt.Errorf("read AppMonitor %q: %w", req, err)
	}
	page := r.ledger.page(req.NamespacedName)
	observed, err := r.observe(ctx, monitor, page)
	if err != nil {
		return ctrl.Result{}, err
	}
	decided, err := r.decide(ctx, monitor, observed)
	if err != nil {
		return ctrl.Result{}, err
	}
	done := r.apply(ctx, monitor, page, observed, decided)
	r.announce(ctx, monitor, page, observed, decided, done)
	return done.next(), r.report(ctx, monitor, page, observed)
}

// forget drops what is kept in memory and in metrics for an AppMonitor that is gone.
func (r *AppMonitorReconciler) forget(monitor client.ObjectKey) {
	r.ledger.forget(monitor)
	forgetSeries(monitor)
}

// annotatedPods lists the namespace's Pods that opted in.
func annotatedPods(ctx context.Context, reader client.Reader, namespace string) ([]corev1.Pod, error) {
	pods := &corev1.PodList{}
	err := reader.List(ctx, pods, client.InNamespace(namespace), client.MatchingFields{annotatedIndex: annotatedValue})
	if err != nil {
		return nil, fmt.Errorf("list annotated Pods of namespace %q: %w", namespace, err)
	}
	return pods.Items, nil
}
