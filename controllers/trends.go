package controllers

import (
	"maps"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubedemo/memhog-operator/internal/scaling"
)

// usualRollout is how long a rollout is taken to last until one of the workload was seen.
const usualRollout = 30 * time.Second

// process is one run of a container: the next one starts with an empty memory, and its use has a history of its own.
type process struct {
	pod       types.UID
	container string
	started   time.Time
}

// trends is what is remembered of how memory use went, and of how long changes took. It is kept in memory alone: after a
// restart of the operator, forecasts take some samples until they are made again.
type trends struct {
	use map[process]*scaling.History
	// since is when a workload's change was first seen under way, and took how long its latest change was.
	since map[types.UID]time.Time
	took  map[types.UID]time.Duration
	// standing is how far a workload's rollout has got, and since when.
	standing map[types.UID]standing
}

type standing struct {
	progress string
	since    time.Time
}

func newTrends() trends {
	return trends{
		use: map[process]*scaling.History{}, since: map[types.UID]time.Time{}, took: map[types.UID]time.Duration{},
		standing: map[types.UID]standing{},
	}
}

// stands returns for how long a rollout that is under way has not got on.
func (t trends) stands(workload types.UID, progress string, now time.Time) time.Duration {
	last, known := t.standing[workload]
	if !known || last.progress != progress {
		last = standing{progress: progress, since: now}
		t.standing[workload] = last
	}
	return now.Sub(last.since)
}

// add remembers a sample of a process, and returns all that is remembered of it. The peak is to span so much time.
func (t trends) add(p process, s scaling.Sample, span time.Duration) *scaling.History {
	h := t.use[p]
	if h == nil {
		h = &scaling.History{}
		t.use[p] = h
	}
	h.Add(s, span)
	return h
}

// follow measures how long changes of a workload take.
func (t trends) follow(workload types.UID, underWay bool, now time.Time) {
	since, known := t.since[workload]
	switch {
	case underWay && !known:
		t.since[workload] = now
	case !underWay && known:
		t.took[workload] = now.Sub(since)
		delete(t.since, workload)
	}
}

// actuation is how long the next change of a workload is going to take.
func (t trends) actuation(workload types.UID) time.Duration {
	if took, known := t.took[workload]; known {
		return took
	}
	return usualRollout
}

// forget drops what is known of a workload.
func (t trends) forget(workload types.UID) {
	delete(t.since, workload)
	delete(t.took, workload)
	delete(t.standing, workload)
}

// keepOnly forgets processes that ended.
func (t trends) keepOnly(containers []container) {
	running := map[process]bool{}
	for _, c := range containers {
		running[c.process()] = true
	}
	maps.DeleteFunc(t.use, func(p process, _ *scaling.History) bool { return !running[p] })
}
