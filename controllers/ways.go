package controllers

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// usualResize is how long a resize in place takes: some tens of milliseconds, and with a busy kubelet a second.
const usualResize = time.Second

// ladder finds the ways to another size for a container, the gentlest first, as far as its AppMonitor allows them: in place,
// else by its workload's rolling update. What restarts when it is resized takes the rolling update as well, which the
// workload's user has set up for restarts; where there is none, it is restarted.
func (o *observer) ladder(c *container, spec corev1.Container) {
	strategy := o.monitor.Spec.StrategyOrDefault()
	inPlace, rollout := o.inPlace(c, spec), o.rollout(c)
	restarts := inPlace.Means == scaling.Restart
	gentle := inPlace.Obstacle != scaling.ReasonInPlaceUnavailable && !restarts
	switch {
	case strategy == v1.StrategyRollout:
		c.observed.Way = rollout
	case strategy == v1.StrategyInPlace:
		if restarts {
			inPlace.Obstacle = scaling.ReasonInPlaceUnavailable
		}
		c.observed.Way = inPlace
	case gentle && c.Rolls:
		c.observed.Way, c.observed.Fallback = inPlace, rollout
	case gentle, restarts && inPlace.Obstacle == "" && !c.Rolls:
		c.observed.Way = inPlace
	default:
		c.observed.Way = rollout
	}
}

// inPlace is the way of a resize in the container's Pod.
func (o *observer) inPlace(c *container, spec corev1.Container) scaling.Way {
	can := o.abilities(c.pod)
	way := scaling.Way{
		Means: scaling.InPlace, RaisesOnly: !can.Lower, LastChange: c.resizedAt, Reaction: o.Tick + usualResize,
	}
	if workload.RestartsOnResize(spec) {
		way.Means, way.Disruptive = scaling.Restart, true
	}
	c.resizing.refused.Obstructs(&way, o.now)
	switch {
	case !can.Raises(c.pod):
		way.Obstacle = scaling.ReasonInPlaceUnavailable
	case c.Rolls && way.Obstacle == "" && c.resizing.unrecovered(c.observed.OOMKilledAt):
		way.Obstacle = scaling.ReasonRecoveryFailed
	}
	way.Foreseen = o.foresees(c.pod.Spec.NodeName, way)
	return way
}

// foresees is true where the agent of a node sees to a way. What it is refused, or cannot do without a restart, it leaves to others. An
// agent knows no horizon: where the user wants one, it is looked ahead from here.
func (o *observer) foresees(node string, way scaling.Way) bool {
	if _, wanted := o.monitor.Spec.ForecastHorizon(); wanted {
		return false
	}
	open := way.Means == scaling.InPlace && way.Obstacle == "" && way.RefusedFor == ""
	return open && o.monitor.Spec.ModeOrDefault() == v1.ModeEnforce && o.keepsUp(node)
}

// rollout is the way of a change of the workload's template.
func (o *observer) rollout(c *container) scaling.Way {
	way := scaling.Way{
		Means: scaling.Rollout, Disruptive: true, LastChange: c.resizedAt,
		Reaction: o.Tick + o.page.trends.actuation(c.GetUID()),
	}
	switch {
	case !c.Rolls:
		way.Obstacle = scaling.ReasonUnsupportedOwner
	case c.Stopped:
		// A template written while rollouts are stopped would take effect at a moment nobody chose.
		way.Obstacle = scaling.ReasonPaused
	}
	for _, record := range c.records {
		// One rollout at a time: it replaces all of the Pod's containers.
		if record.GivenAt.After(way.LastChange) {
			way.LastChange = record.GivenAt
		}
	}
	return way
}

// abilities are what can be done in place to a Pod.
func (o *observer) abilities(pod *corev1.Pod) workload.Abilities {
	return o.server.Abilities(o.kubelets[pod.Spec.NodeName]).Of(pod)
}
