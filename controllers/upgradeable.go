package controllers

import (
	"context"
	"fmt"
	"os"
	"slices"

	apiv2 "github.com/operator-framework/api/pkg/operators/v2"
	oplibconditions "github.com/operator-framework/operator-lib/conditions"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// conditionNameEnv is the variable in which OLM names the OperatorCondition of the operator that it installed.
const conditionNameEnv = "OPERATOR_CONDITION_NAME"

// Reasons of the OperatorCondition Upgradeable. The one against an upgrade is that of decisions that wait for a rollout.
const (
	reasonNoRollout         = "NoRolloutInProgress"
	reasonRolloutInProgress = string(scaling.ReasonRolloutInProgress)
)

// maxNamed bounds how many workloads, or nodes, a condition names.
const maxNamed = 5

// firstFew are texts about the first few, and how many more there are.
func firstFew[T any](all []T, text func(T) string) []string {
	texts := make([]string, 0, maxNamed+1)
	for _, one := range all[:min(len(all), maxNamed)] {
		texts = append(texts, text(one))
	}
	if more := len(all) - maxNamed; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return texts
}

// UpgradeableReconciler tells OLM not to replace the operator in the middle of a rollout of its own. OLM grants the
// right to write the condition by a Role that it makes itself, so there is no marker for it here.
type UpgradeableReconciler struct {
	// Reader reads workloads from the cache.
	Reader client.Reader
	// Condition is Upgradeable, of the OperatorCondition that OLM made for this version of the operator.
	Condition oplibconditions.Condition
}

// UpgradeableCondition returns the condition to write, nil where OLM did not install the operator. Its client has no
// cache: the Role of OLM allows to read the one OperatorCondition, not to list them.
func UpgradeableCondition(config *rest.Config) (oplibconditions.Condition, error) {
	if os.Getenv(conditionNameEnv) == "" {
		return nil, nil
	}
	scheme := runtime.NewScheme()
	if err := apiv2.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("know OperatorConditions: %w", err)
	}
	direct, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("make a client for the OperatorCondition: %w", err)
	}
	condition, err := oplibconditions.InClusterFactory{Client: direct}.NewCondition(apiv2.ConditionType(apiv2.Upgradeable))
	if err != nil {
		return nil, fmt.Errorf("find the OperatorCondition: %w", err)
	}
	return condition, nil
}

// SetupWithManager has the condition looked at once at the start, and whenever a rollout begins or ends.
func (r *UpgradeableReconciler) SetupWithManager(mgr ctrl.Manager) error {
	b := ctrl.NewControllerManagedBy(mgr).Named("upgradeable").WatchesRawSource(source.Func(atStart))
	for _, kind := range []client.Object{&appsv1.Deployment{}, &appsv1.StatefulSet{}, &appsv1.DaemonSet{}} {
		b = b.Watches(kind, handler.EnqueueRequestsFromMapFunc(theCondition), builder.WithPredicates(rolloutTurned))
	}
	return b.Complete(r)
}

func atStart(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	queue.Add(reconcile.Request{})
	return nil
}

// theCondition is the same request for every workload, since all of them share the condition.
func theCondition(context.Context, client.Object) []reconcile.Request {
	return []reconcile.Request{{}}
}

// rolloutTurned passes what may change the condition: a workload in the middle of a rollout that comes or goes, and
// the beginning and the end of a rollout.
var rolloutTurned = predicate.Funcs{
	CreateFunc: func(e event.CreateEvent) bool { return rollingOut(e.Object) },
	DeleteFunc: func(e event.DeleteEvent) bool { return rollingOut(e.Object) },
	UpdateFunc: func(e event.UpdateEvent) bool {
		return rollingOut(e.ObjectOld) != rollingOut(e.ObjectNew)
	},
	GenericFunc: func(event.GenericEvent) bool { return false },
}

func rollingOut(o client.Object) bool {
	return workload.Of(o, "").RollingOut
}

// Reconcile writes the condition when it says something else than what is there.
func (r *UpgradeableReconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	names, err := r.inFlight(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	want := upgradeable(names)
	// It is missing at first, which is an error like any other for Get. Then writing tells which it was.
	known, err := r.Condition.Get(ctx)
	if err == nil && known.Status == want.Status && known.Reason == want.Reason && known.Message == want.Message {
		return ctrl.Result{}, nil
	}
	err = r.Condition.Set(ctx, want.Status, oplibconditions.WithReason(want.Reason), oplibconditions.WithMessage(want.Message))
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("write the OperatorCondition: %w", err)
	}
	return ctrl.Result{}, nil
}

// inFlight names the workloads that roll out sizes of ours, sorted.
func (r *UpgradeableReconciler) inFlight(ctx context.Context) ([]string, error) {
	var (
		deployments  appsv1.DeploymentList
		statefulSets appsv1.StatefulSetList
		daemonSets   appsv1.DaemonSetList
	)
	// Only read here, and a cluster has many.
	for _, list := range []client.ObjectList{&deployments, &statefulSets, &daemonSets} {
		if err := r.Reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("list %T: %w", list, err)
		}
	}
	var all []*workload.Workload
	for i := range deployments.Items {
		all = append(all, workload.Of(&deployments.Items[i], "Deployment"))
	}
	for i := range statefulSets.Items {
		all = append(all, workload.Of(&statefulSets.Items[i], "StatefulSet"))
	}
	for i := range daemonSets.Items {
		all = append(all, workload.Of(&daemonSets.Items[i], "DaemonSet"))
	}
	var names []string
	for _, w := range all {
		rolling, err := w.InFlight()
		if err != nil {
			return nil, err
		}
		if rolling {
			names = append(names, w.GetNamespace()+"/"+w.GetName())
		}
	}
	slices.Sort(names)
	return names, nil
}

func upgradeable(inFlight []string) metav1.Condition {
	if len(inFlight) == 0 {
		return metav1.Condition{Status: metav1.ConditionTrue, Reason: reasonNoRollout, Message: "no rollout of more memory is in progress"}
	}
	return metav1.Condition{
		Status: metav1.ConditionFalse, Reason: reasonRolloutInProgress,
		Message: "more memory is being rolled out to " + named(inFlight),
	}
}
