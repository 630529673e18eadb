package controllers

import (
	"context"
	"errors"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/policies"
	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// outcome is what came of the decisions.
type outcome struct {
	// changes that the API server accepted, by workload, and those of earlier looks that kubelets have made true since.
	changes [][]decision
	// asked are the resizes in place that the API server accepted; they are told of when kubelets have made them true.
	asked []decision
	// refused are the resizes that it refused, as holds.
	refused []decision
	// dry are the changes that a dry run does not make.
	dry []decision
	// failures of changes that are news, and how many there were in all.
	failures []failure
	failed   int
	// again is true when a workload changed while it was decided upon.
	again bool
}

type failure struct {
	decision
	err error
}

// apply writes once for each workload that has something to roll out, and once for each Pod of which containers grow; what is to be
// taken back in place comes after, and what agents have to know last.
func (r *AppMonitorReconciler) apply(ctx context.Context, monitor *v1.AppMonitor, page *page, o observation, d decided) outcome {
	done := outcome{changes: groupBy(o.completed, func(d decision) types.UID { return d.GetUID() })}
	if monitor.Spec.ModeOrDefault() == v1.ModeDryRun {
		done.dry = d.changes
		return done
	}
	memos := r.memos(monitor, page, o, d)
	var raises, others, rollouts []decision
	for _, one := range d.changes {
		switch {
		case one.Means == scaling.Rollout:
			rollouts = append(rollouts, one)
		case one.Action == scaling.Raise:
			raises = append(raises, one)
		default:
			others = append(others, one)
		}
	}
	r.resizeAll(ctx, page, raises, &done) // need does not wait for what is recorded
	unrecorded := r.remember(ctx, page, memos, &done)
	// What is lowered is recorded before: what all Pods are to have would raise it again.
	r.resizeAll(ctx, page, slices.DeleteFunc(others, func(d decision) bool {
		return d.Action == scaling.Lower && unrecorded[d.GetUID()]
	}), &done)
	for _, group := range groupBy(rollouts, func(d decision) types.UID { return d.GetUID() }) {
		r.rollOut(ctx, page, group, &done)
	}
	r.tellAgents(ctx, monitor, page, o, &done)
	return done
}

// resizeAll writes once for each Pod.
func (r *AppMonitorReconciler) resizeAll(ctx context.Context, page *page, resizes []decision, done *outcome) {
	for _, group := range groupBy(resizes, func(d decision) types.UID { return d.pod.UID }) {
		r.resize(ctx, page, group, done)
	}
}

// rollOut gives the containers of a workload other sizes by its template.
func (r *AppMonitorReconciler) rollOut(ctx context.Context, page *page, group []decision, done *outcome) {
	of, now := group[0].Workload, r.Clock.Now()
	if page.wait(of.GetUID(), now) {
		return
	}
	changes := make([]workload.Change, 0, len(group))
	for _, d := range group {
		changes = append(changes, d.change(now))
	}
	changed, err := workload.Write(ctx, r.Client, of, group[0].records, changes)
	if err == nil {
		group = slices.DeleteFunc(group, func(d decision) bool { return !slices.Contains(changed, d.name) })
	}
	switch {
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		// The cache is behind: whoever wrote may have raised it already.
		logf.FromContext(ctx).V(1).Info("workload changed meanwhile", "workload", of.Name())
		done.again = true
	case err != nil:
		done.fail(page, of.GetUID(), group[0], err, now)
	case len(group) > 0:
		page.accepted(of.GetUID())
		done.changes = append(done.changes, group)
	}
}

// resize gives containers of one Pod other sizes in place. What is refused for a reason is an answer, and told as a decision.
func (r *AppMonitorReconciler) resize(ctx context.Context, page *page, group []decision, done *outcome) {
	pod, now := group[0].pod, r.Clock.Now()
	if page.wait(pod.UID, now) {
		return
	}
	resizes, more := make([]workload.Resize, 0, len(group)), int64(0)
	for _, d := range group {
		logf.FromContext(ctx).V(1).Info("resizing in place", "pod", pod.Name, "container", d.name,
			"limit", workload.Size(d.Target).Text().Limit, "decided", d.decidedAt.Format(time.RFC3339Nano))
		resizes = append(resizes, workload.Resize{Container: d.name, Size: workload.Size(d.Target)})
		more += d.Target.Request - d.observed.Size.Request
	}
	resized, err := workload.ResizePod(ctx, r.Client, pod, workload.FieldManager, resizes)
	refusal := workload.RefusalOf(err)
	switch {
	case errors.Is(err, workload.ErrChanged), apierrors.IsNotFound(err) && refusal == workload.NotRefused:
		logf.FromContext(ctx).V(1).Info("Pod changed meanwhile", "pod", pod.Name)
		done.again = true
	case refusal != workload.NotRefused:
		if refusal == workload.RefusedAltogether && r.Server != nil {
			r.Server.Doubt()
		}
		logf.FromContext(ctx).V(1).Info("resize refused", "pod", pod.Name, "answer", err.Error())
		if slices.ContainsFunc(group, func(d decision) bool { return d.Action != scaling.Raise }) {
			done.fail(page, pod.UID, group[0], err, now) // and rests: to take something back nothing else can be tried
			return
		}
		for _, d := range group {
			d.resizing.refused.Note(d.Target, policies.Answers[refusal], now)
			d.Decision = scaling.Decision{Action: scaling.Hold, Reason: policies.Answers[refusal], Target: d.observed.Size}
			done.refused = append(done.refused, d)
		}
	case err != nil:
		done.fail(page, pod.UID, group[0], err, now)
	default:
		page.accepted(pod.UID)
		r.takeOfNode(pod, resized, more)
		for _, d := range group {
			d.resizing.ask(d, now)
			done.asked = append(done.asked, d)
		}
	}
}

// fail notes that a change was not accepted for a reason that is no decision of anybody's.
func (o *outcome) fail(page *page, of types.UID, d decision, err error, now time.Time) {
	o.failed++
	if page.refuse(of, d.Name(), err, now) {
		o.failures = append(o.failures, failure{decision: d, err: err})
	}
}

// next asks for another look, soon, when this one was at something old.
func (o outcome) next() ctrl.Result {
	if !o.again {
		return ctrl.Result{}
	}
	return ctrl.Result{RequeueAfter: time.Second}
}

// groupBy groups decisions, in the order of Pods.
func groupBy(decisions []decision, by func(decision) types.UID) [][]decision {
	var groups [][]decision
	at := map[types.UID]int{}
	for _, d := range decisions {
		i, ok := at[by(d)]
		if !ok {
			i = len(groups)
			at[by(d)], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], d)
	}
	return groups
}
