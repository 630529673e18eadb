package controllers

import (
	"context"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// outcome is what came of the decisions.
type outcome struct {
	// changes that the API server accepted, by Deployment.
	changes [][]decision
	// dry are the changes that a dry run does not make.
	dry []decision
	// failures of changes that are news, and how many there were in all.
	failures []failure
	failed   int
	// again is true when a Deployment changed while it was decided upon.
	again bool
}

type failure struct {
	deployment *appsv1.Deployment
	action     scaling.Action
	err        error
}

// apply writes once for each Deployment that has something to change.
func (r *AppMonitorReconciler) apply(ctx context.Context, monitor *v1.AppMonitor, page *page, d decided) outcome {
	if monitor.Spec.ModeOrDefault() == v1.ModeDryRun {
		return outcome{dry: d.changes}
	}
	var done outcome
	for _, group := range byDeployment(d.changes) {
		deployment, now := group[0].Deployment, r.Clock.Now()
		if page.wait(deployment.UID, now) {
			continue
		}
		changes := make([]workload.Change, 0, len(group))
		for _, d := range group {
			changes = append(changes, d.change(now))
		}
		changed, err := workload.Write(ctx, r.Client, deployment, group[0].records, changes)
		if err == nil {
			group = slices.DeleteFunc(group, func(d decision) bool { return !slices.Contains(changed, d.name) })
		}
		switch {
		case apierrors.IsConflict(err), apierrors.IsNotFound(err):
			// The cache is behind: whoever wrote may have raised it already.
			logf.FromContext(ctx).V(1).Info("deployment changed meanwhile", "deployment", deployment.Name)
			done.again = true
		case err != nil:
			done.failed++
			if page.refuse(deployment.UID, deployment.Name, err, now) {
				done.failures = append(done.failures, failure{deployment: deployment, action: group[0].Action, err: err})
			}
		case len(group) > 0:
			page.accepted(deployment.UID)
			done.changes = append(done.changes, group)
		}
	}
	return done
}

// next asks for another look, soon, when this one was at something old.
func (o outcome) next() ctrl.Result {
	if !o.again {
		return ctrl.Result{}
	}
	return ctrl.Result{RequeueAfter: time.Second}
}

// byDeployment groups the changes, in the order of Pods.
func byDeployment(changes []decision) [][]decision {
	var groups [][]decision
	at := map[types.UID]int{}
	for _, d := range changes {
		i, ok := at[d.Deployment.UID]
		if !ok {
			i = len(groups)
			at[d.Deployment.UID], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], d)
	}
	return groups
}
