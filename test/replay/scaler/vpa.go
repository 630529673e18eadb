package scaler

import (
	"time"

	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/test/replay/vpa"
	"github.com/kubedemo/memhog-operator/test/replay/world"
)

// updaterPhase is the second of its interval at which the updater runs: midway between two runs of the recommender.
const updaterPhase = 30

// vpaScaler is the Vertical Pod Autoscaler in its mode Recreate: it evicts, and the new Pod gets the recommended size. By
// default it does not evict the only replica of a workload; here it may.
type vpaScaler struct {
	declared    scaling.Memory
	recommender *vpa.Recommender
	recommended vpa.Recommendation
	known       bool
	// ooms that the recommender is yet to be told of, and when the last one was.
	ooms  []oom
	heard time.Time
}

// oom is a kill of a container with that request.
type oom struct {
	at      time.Time
	request int64
}

func newVPA(declared scaling.Memory) *vpaScaler {
	return &vpaScaler{declared: declared, recommender: vpa.NewRecommender()}
}

func (v *vpaScaler) Tick(second int, c *world.Container) {
	v.hear(c)
	if second%int(vpa.Interval.Seconds()) == 0 {
		v.recommend(c)
	}
	if second%int(vpa.UpdaterInterval.Seconds()) == updaterPhase {
		v.update(second, c)
	}
}

// recommend is one run of the recommender: the newest sample, and what it has heard of kills.
func (v *vpaScaler) recommend(c *world.Container) {
	if sample := c.Sample(); !sample.Time.IsZero() {
		v.recommender.AddSample(sample.Bytes, sample.Time)
	}
	v.tellOOMs()
	v.recommended, v.known = v.recommender.Recommend()
}

// hear notes a kill, of which the Pod's status tells at once. The recommender looks into its notes when it runs.
func (v *vpaScaler) hear(c *world.Container) {
	if at := c.OOMKilledAt(); at.After(v.heard) {
		v.heard = at
		v.ooms = append(v.ooms, oom{at: at, request: c.Size().Request})
	}
}

func (v *vpaScaler) tellOOMs() {
	for _, o := range v.ooms {
		v.recommender.AddOOM(o.request, o.at)
	}
	v.ooms = nil
}

// update is one run of the updater, and the admission of the Pod that takes the place of an evicted one.
func (v *vpaScaler) update(second int, c *world.Container) {
	if second < c.PodStarted() || !v.known {
		return
	}
	pod := vpa.Pod{
		Request:        c.Size().Request,
		Age:            time.Duration(second-c.PodStarted()) * time.Second,
		OOMKilled:      !c.OOMKilledAt().IsZero(),
		OOMKilledAfter: time.Duration(c.OOMKilledAfter()) * time.Second,
	}
	if !v.recommended.Evicts(pod) {
		return
	}
	request := v.recommended.Target
	c.Evict(second, scaling.Memory{Request: request, Limit: vpa.Limit(request, v.declared.Request, v.declared.Limit)})
	v.tellOOMs() // of the Pod that goes: they count for it, in the next run
	v.recommender.NewPod()
}

func (v *vpaScaler) Account() []Decision { return nil }
