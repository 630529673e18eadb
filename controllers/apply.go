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

	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// outcome is what came of the decisions.
type outcome struct {
	// raises that the API server accepted, by Deployment.
	raises [][]decision
	// failures of raises that are news, and how many there were in all.
	failures []failure
	failed   int
	// again is true when a Deployment changed while it was decided upon.
	again bool
}

type failure struct {
	deployment *appsv1.Deployment
	err        error
}

// apply writes once for each Deployment that has something to raise. Replicas share a template, so each container gets
// the largest size that any of them asks for.
func (r *AppMonitorReconciler) apply(ctx context.Context, page *page, decisions []decision) outcome {
	var done outcome
	for _, group := range byDeployment(decisions) {
		deployment, now := group[0].deployment, r.Clock.Now()
		if page.wait(deployment.UID, now) {
			continue
		}
		sizes := map[string]workload.Size{}
		for _, d := range group {
			sizes[d.name] = workload.Size(d.Target)
		}
		changed, err := workload.Rollout(ctx, r.Client, deployment, sizes)
		group = slices.DeleteFunc(group, func(d decision) bool { return !slices.Contains(changed, d.name) })
		switch {
		case apierrors.IsConflict(err), apierrors.IsNotFound(err):
			// The cache is behind: whoever wrote may have raised it already.
			logf.FromContext(ctx).V(1).Info("deployment changed meanwhile", "deployment", deployment.Name)
			done.again = true
		case err != nil:
			done.failed++
			if page.refuse(deployment.UID, deployment.Name, err, now) {
				done.failures = append(done.failures, failure{deployment: deployment, err: err})
			}
		case len(group) > 0:
			page.raised(group[len(group)-1], now)
			done.raises = append(done.raises, group)
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

// byDeployment groups the raises, in the order of Pods, with only the largest for each container of a Deployment.
func byDeployment(decisions []decision) [][]decision {
	var groups [][]decision
	at := map[types.UID]int{}
	for _, d := range decisions {
		if d.Action != scaling.Raise {
			continue
		}
		i, ok := at[d.deployment.UID]
		if !ok {
			at[d.deployment.UID] = len(groups)
			groups = append(groups, []decision{d})
			continue
		}
		same := slices.IndexFunc(groups[i], func(other decision) bool { return other.name == d.name })
		switch {
		case same < 0:
			groups[i] = append(groups[i], d)
		case d.Target.Limit > groups[i][same].Target.Limit:
			groups[i][same] = d
		}
	}
	return groups
}
