package controllers

import (
	"context"
	"errors"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// outcome is what came of the decisions.
type outcome struct {
	// raises that the API server accepted.
	raises []decision
	// failures of raises, by Deployment, in a stable order.
	failures []failure
}

type failure struct {
	deployment *appsv1.Deployment
	err        error
}

// apply writes once for each Deployment that has something to raise. Replicas share a template, so each container gets
// the largest size that any of them asks for.
func (r *AppMonitorReconciler) apply(ctx context.Context, decisions []decision) outcome {
	var done outcome
	for _, group := range byDeployment(decisions) {
		deployment := group[0].deployment
		sizes := map[string]workload.Size{}
		for _, d := range group {
			sizes[d.name] = workload.Size(d.Target)
		}
		changed, err := workload.Rollout(ctx, r.Client, deployment, sizes)
		switch {
		case apierrors.IsConflict(err):
			// The cache is behind: whoever wrote may have raised it already. The next tick looks again.
			logf.FromContext(ctx).V(1).Info("deployment changed meanwhile", "deployment", deployment.Name)
		case err != nil:
			done.failures = append(done.failures, failure{deployment: deployment, err: err})
		}
		for _, d := range group {
			if slices.Contains(changed, d.name) {
				done.raises = append(done.raises, d)
			}
		}
	}
	return done
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

// err joins what failed, nil when nothing did.
func (o outcome) err() error {
	errs := make([]error, 0, len(o.failures))
	for _, f := range o.failures {
		errs = append(errs, f.err)
	}
	return errors.Join(errs...)
}
