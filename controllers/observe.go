package controllers

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/policies"
	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/usage"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// observation is all that one reconcile knows of the world.
type observation struct {
	claim
	containers []container
	// completed are the decisions that came true since the last look: resizes that are through.
	completed []decision
	// raised counts the containers of the Pods' workloads whose memory the operator has raised.
	raised int
	source usage.State
	// failure says why the source is unavailable.
	failure string
	// unread is true when some container has run for longer than a sample stays good, and has no good one.
	unread bool
}

// observer looks at the Pods of one AppMonitor.
type observer struct {
	*AppMonitorReconciler
	monitor *v1.AppMonitor
	page    *page
	owners  *owners
	server  workload.Server
	// kubelets are the versions of nodes' kubelets, by the nodes' names.
	kubelets map[string]string
	now      time.Time
}

func (r *AppMonitorReconciler) observe(ctx context.Context, monitor *v1.AppMonitor, page *page) (observation, error) {
	claimed, err := claims(ctx, r.Client, monitor)
	if err != nil {
		return observation{}, err
	}
	o := observation{claim: claimed}
	look := &observer{AppMonitorReconciler: r, monitor: monitor, page: page, now: r.Clock.Now(), kubelets: map[string]string{}}
	if look.owners, err = r.ownersOf(ctx, monitor.Namespace, page.trends); err != nil {
		return observation{}, err
	}
	if r.Server != nil {
		if look.server, err = r.Server.Now(ctx); err != nil {
			return observation{}, err
		}
	}
	var nodes []string
	for i := range o.owned {
		pod := &o.owned[i]
		if err := look.pod(ctx, pod, &o); err != nil {
			return observation{}, err
		}
		nodes = append(nodes, pod.Spec.NodeName)
	}
	if err := look.waiting(ctx, &o); err != nil {
		return observation{}, err
	}
	pauseTogether(o.containers)
	page.follow(o, look.now)
	o.source, o.failure = r.Samples.Health(nodes)
	o.raised, err = look.owners.raised()
	return o, err
}

// pod adds the containers of a running Pod.
func (o *observer) pod(ctx context.Context, pod *corev1.Pod, seen *observation) error {
	owner, err := o.owners.of(ctx, pod)
	if err != nil {
		return err
	}
	o.readKubelet(ctx, pod.Spec.NodeName)
	for _, c := range workload.Containers(&pod.Spec) {
		one, err := o.container(pod, owner, c)
		if err != nil {
			return err
		}
		seen.containers = append(seen.containers, one)
		seen.unread = seen.unread || o.unread(one)
		if done := one.resizing.completed(); done != nil {
			seen.completed = append(seen.completed, *done)
		} else if found, raised := one.unannounced(); raised {
			seen.completed = append(seen.completed, found)
		}
	}
	return nil
}

// readKubelet learns the version of a node's kubelet. Nobody minds one that is not known.
func (o *observer) readKubelet(ctx context.Context, name string) {
	if _, known := o.kubelets[name]; known {
		return
	}
	node := &corev1.Node{}
	_ = o.Client.Get(ctx, client.ObjectKey{Name: name}, node)
	o.kubelets[name] = node.Status.NodeInfo.KubeletVersion
}

// waiting adds the containers of Pods that wait to run because of the size that they were given.
func (o *observer) waiting(ctx context.Context, seen *observation) error {
	for i := range seen.pending {
		pod := &seen.pending[i]
		owner, err := o.owners.of(ctx, pod)
		if err != nil {
			return err
		}
		for _, c := range workload.Containers(&pod.Spec) {
			one := container{
				name: c.Name, pod: pod, owner: owner, policy: policies.Of(o.monitor, c.Name, o.MaxSampleAge), record: owner.records[c.Name],
			}
			owner.Saw(c.Name)
			one.resizing = o.page.resizes.of(one.slot())
			if o.stuck(&one, c) || o.unplaced(&one, c) {
				seen.containers = append(seen.containers, one)
			}
		}
	}
	return nil
}

// stuck is true for a container that cannot start with the size that a rollout gave it: where the old Pods go before the new
// ones run, nobody else is left to go back for.
func (o *observer) stuck(c *container, spec corev1.Container) bool {
	size := workload.SizeOf(spec.Resources)
	if !c.GivenUp || c.record.Previous.Limit == 0 || c.record.InPlace || c.record.Given.Limit != size.Limit {
		return false
	}
	c.observed = scaling.Observation{
		Way:  scaling.Way{Means: scaling.Rollout, Disruptive: true},
		Size: scaling.Memory(size), RolloutStuck: true, Previous: scaling.Memory(c.record.Previous),
		Paused: o.paused(c.pod, c.owner) || c.Stopped,
	}
	return true
}

// unplaced is true for a container that was made larger when its Pod was created, and whose Pod finds no node. It is like a
// resize that finds no room: what the template says may find some.
func (o *observer) unplaced(c *container, spec corev1.Container) bool {
	size, declared := workload.SizeOf(spec.Resources), c.Declared(c.name)
	if declared.Limit == 0 {
		declared = c.record.Declared
	}
	if declared.Request == 0 && size.Request > 0 {
		declared.Request = declared.Limit // as the API server has it
	}
	// What was learned may have been cut at birth, or be less by now.
	most := max(c.learned(c.name).Limit, c.record.Given.Limit)
	enlarged := declared.Limit > 0 && size.Limit > declared.Limit && size.Limit <= most
	if !enlarged || !o.server.Resize || !unschedulable(c.pod) {
		return false
	}
	c.resizing.waits(o.now)
	c.observed = scaling.Observation{
		Way: scaling.Way{Means: scaling.InPlace}, Size: scaling.Memory(size), Paused: o.paused(c.pod, c.owner),
		Resize: scaling.Resize{State: scaling.ResizeDeferred, Since: c.resizing.since, Actual: scaling.Memory(declared)},
	}
	return true
}

func unschedulable(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable
	})
}

func (o *observer) paused(pod *corev1.Pod, owner owner) bool {
	return policies.Paused(o.monitor) || policies.Paused(pod) || policies.Paused(owner.Object)
}

// pauseTogether keeps a workload of which one Pod is paused from being rolled out: that would replace the paused one, too.
func pauseTogether(containers []container) {
	stopped := map[types.UID]bool{}
	for _, c := range containers {
		if c.observed.Paused {
			stopped[c.GetUID()] = true
		}
	}
	for i := range containers {
		o := &containers[i].observed
		if !stopped[containers[i].GetUID()] {
			continue
		}
		if o.Means == scaling.Rollout {
			o.Paused = true
		}
		if o.Fallback.Means == scaling.Rollout {
			o.Fallback.Obstacle = scaling.ReasonPaused
		}
	}
}
