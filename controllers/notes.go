package controllers

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/policies"
	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// settling is how long after a raise in place nothing is written on a Pod that can wait. A kubelet looks at a Pod anew whenever
// that is updated, and looks at no Pod again before it has asked the container runtime once more, as it does every second: a
// resize that comes a moment after the update waits for that long. What grows fast needs the next one within that second.
const settling = 15 * time.Second

// settles is true for a while after one of the containers was raised.
func settles(containers []*container, now time.Time) bool {
	return slices.ContainsFunc(containers, func(c *container) bool {
		raised := c.raisedAt()
		return !raised.IsZero() && now.Sub(raised).Abs() < settling
	})
}

// mostNotes bounds the writes of one look: on the Pods of a large workload that is paused, say, there is something to note at once.
const mostNotes = 50

// tellAgents notes on Pods what the agents of their nodes have to know of the workload, where there are agents.
func (r *AppMonitorReconciler) tellAgents(ctx context.Context, monitor *v1.AppMonitor, page *page, o observation, done *outcome) {
	if r.Agents == nil || !policies.ResizesInPlace(monitor) {
		return
	}
	agents, now, writes := r.Agents(), r.Clock.Now(), 0
	for _, group := range byPod(o.containers) {
		pod := group[0].pod
		note := noteKey(pod)
		if _, there := agents.Agent(pod.Spec.NodeName); !there || !workload.Running(pod) || page.resting(note, now) {
			continue
		}
		if writes == mostNotes {
			done.again = true
			return
		}
		news := noteOn(group, now)
		if settles(group, now) && news.Paused == workload.NoteOf(pod).Paused {
			continue
		}
		written, err := workload.WriteNote(ctx, r.Client, pod, news)
		if written || err != nil {
			writes++
		}
		switch {
		case apierrors.IsConflict(err), apierrors.IsNotFound(err):
			done.again = true
		case err != nil:
			done.fail(page, note, decision{container: *group[0], Decision: scaling.Decision{Action: scaling.Hold}}, err, now)
		default:
			page.accepted(note)
		}
	}
}

// noteKey is what a refusal of a Pod's note is known by: who may not note anything may resize all the same.
func noteKey(pod *corev1.Pod) types.UID { return "note on " + pod.UID }

// noteOn is what there is to know of a Pod's containers. Raises are told for as long as they are counted.
func noteOn(containers []*container, now time.Time) workload.Note {
	of := containers[0].owner
	// The pause of a Pod that is its own workload agents see themselves.
	note := workload.Note{Paused: !of.isPod() && policies.Paused(of.Object), Containers: map[string]workload.ContainerNote{}}
	for _, c := range containers {
		told := workload.ContainerNote{Overridden: c.observed.Overridden, Peak: workload.Size(c.observed.Peak)}
		if !c.observed.History.Levelled(now, c.policy.Budget.LevelAfter()) {
			told.Raises = c.observed.Raises
		}
		if !told.IsZero() {
			note.Containers[c.name] = told
		}
	}
	return note
}

// byPod groups containers, in the order of Pods.
func byPod(containers []container) [][]*container {
	var groups [][]*container
	at := map[types.UID]int{}
	for i := range containers {
		uid := containers[i].pod.UID
		if _, known := at[uid]; !known {
			at[uid], groups = len(groups), append(groups, nil)
		}
		groups[at[uid]] = append(groups[at[uid]], &containers[i])
	}
	return groups
}
