package controllers

import (
	"context"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/usage"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// oomKilled is the kubelet's reason for the end of a container that the kernel killed for want of memory.
const oomKilled = string(scaling.ReasonOOMKilled)

// observation is all that one reconcile knows of the world.
type observation struct {
	claim
	containers []container
	// raised counts the containers of the Pods' Deployments whose memory the operator owns.
	raised int
	source usage.State
	// failure says why the source is unavailable.
	failure string
	// unread is true when some container has run for longer than a sample stays good, and has no good one.
	unread bool
}

// container is one container of one Pod, and what it is decided upon.
type container struct {
	name string
	pod  *corev1.Pod
	owner
	// record of what was changed of the container; empty when nothing was that still counts.
	record   workload.Record
	policy   scaling.Policy
	observed scaling.Observation
}

func (r *AppMonitorReconciler) observe(ctx context.Context, monitor *v1.AppMonitor, page *page) (observation, error) {
	claimed, err := claims(ctx, r.Client, monitor)
	if err != nil {
		return observation{}, err
	}
	o := observation{claim: claimed}
	owners, err := r.ownersOf(ctx, monitor.Namespace)
	if err != nil {
		return observation{}, err
	}
	var nodes []string
	for i := range o.owned {
		pod := &o.owned[i]
		owner, err := owners.of(ctx, pod)
		if err != nil {
			return observation{}, err
		}
		for _, c := range pod.Spec.Containers {
			seen := r.observeContainer(monitor, page, pod, owner, c)
			o.containers = append(o.containers, seen)
			o.unread = o.unread || r.unread(seen)
		}
		nodes = append(nodes, pod.Spec.NodeName)
	}
	if err := r.observePending(ctx, monitor, &o, owners); err != nil {
		return observation{}, err
	}
	pauseTogether(o.containers)
	page.follow(o, r.Clock.Now())
	o.source, o.failure = r.Samples.Health(nodes)
	o.raised, err = owners.raised()
	return o, err
}

// observePending adds the containers of Pods that cannot start with the size that they were given: where the old Pods go
// before the new ones run, nobody else is left to go back for.
func (r *AppMonitorReconciler) observePending(ctx context.Context, monitor *v1.AppMonitor, o *observation, owners *owners) error {
	for i := range o.pending {
		pod := &o.pending[i]
		owner, err := owners.of(ctx, pod)
		if err != nil {
			return err
		}
		if owner.Deployment == nil || !workload.GivenUp(owner.Deployment) {
			continue
		}
		for _, c := range pod.Spec.Containers {
			seen := container{
				name: c.Name, pod: pod, owner: owner, policy: r.policyOf(monitor, c.Name), record: owner.records[c.Name],
			}
			size := workload.SizeOf(c.Resources)
			if seen.record.Previous.Limit == 0 || seen.record.Given.Limit != size.Limit {
				continue
			}
			seen.observed = scaling.Observation{
				Size: scaling.Memory(size), RolloutStuck: true, Previous: scaling.Memory(seen.record.Previous), Disruptive: true,
				Paused: paused(monitor) || paused(pod) || paused(owner.Deployment) || owner.Deployment.Spec.Paused,
			}
			o.containers = append(o.containers, seen)
		}
	}
	return nil
}

// pauseTogether pauses all Pods of a workload of which one is paused: a rollout would replace that one, too.
func pauseTogether(containers []container) {
	stopped := map[types.UID]bool{}
	for _, c := range containers {
		if c.observed.Paused {
			stopped[c.subject().GetUID()] = true
		}
	}
	for i := range containers {
		containers[i].observed.Paused = stopped[containers[i].subject().GetUID()]
	}
}

func (r *AppMonitorReconciler) observeContainer(
	monitor *v1.AppMonitor, page *page, pod *corev1.Pod, owner owner, c corev1.Container,
) container {
	seen := container{name: c.Name, pod: pod, owner: owner, policy: r.policyOf(monitor, c.Name)}
	seen.observed = scaling.Observation{
		Size:        scaling.Memory(workload.SizeOf(c.Resources)),
		Sample:      r.sampleOf(pod, c.Name),
		OOMKilledAt: oomKilledAt(pod, c.Name),
		Paused:      paused(monitor) || paused(pod),
		// Everything but a resize in place replaces the Pod.
		Disruptive: true,
		Obstacle:   obstacle(monitor, owner.Deployment),
	}
	if owner.Deployment != nil {
		seen.observeDeployment(c)
	}
	seen.observed.Reaction = r.Tick + page.trends.actuation(seen.subject().GetUID())
	if process := seen.process(); !process.started.IsZero() {
		seen.observed.History = page.trends.add(process, seen.observed.Sample, seen.policy.LowerAfter)
	}
	return seen
}

// obstacle says why the container cannot be given another size.
func obstacle(monitor *v1.AppMonitor, deployment *appsv1.Deployment) scaling.Reason {
	switch {
	case deployment == nil:
		return scaling.ReasonUnsupportedOwner
	case monitor.Spec.StrategyOrDefault() == v1.StrategyInPlace:
		return scaling.ReasonInPlaceUnavailable
	default:
		return ""
	}
}

// observeDeployment adds what the Deployment tells of the container: how its rollouts stand, and what was changed of it.
func (c *container) observeDeployment(spec corev1.Container) {
	d, o := c.Deployment, &c.observed
	// A template written while the Deployment itself is paused would take effect at a moment nobody chose.
	o.Paused = o.Paused || paused(d) || d.Spec.Paused
	rollout := workload.RolloutOf(d, spec, c.revision)
	o.Overridden = rollout == workload.RolloutBypassed
	o.RolloutInProgress = rollout == workload.RolloutInProgress || c.behind
	o.RolloutStuck = rollout == workload.RolloutStuck
	o.Busy = c.busy
	for _, record := range c.records {
		// One rollout at a time: it replaces all of the Pod's containers.
		if record.GivenAt.After(o.LastChange) {
			o.LastChange = record.GivenAt
		}
	}
	record, known := c.records[c.name]
	if !known {
		return
	}
	switch record.Standing(d, c.name, replicaSetOf(c.pod)) {
	case workload.Kept:
		if o.RolloutStuck {
			o.Previous = scaling.Memory(record.Previous)
		}
	case workload.TakenBack:
		o.Overridden = true
		// While Pods are still replaced, this may be an old one that lingers.
		o.RolloutInProgress = o.RolloutInProgress || workload.RollingOut(d)
	default:
		return
	}
	c.record = record
	o.Declared, o.Raises = scaling.Memory(record.Declared), record.Raises
	o.StuckSize, o.StuckAt = scaling.Memory(record.Stuck.Size), record.Stuck.At
	o.OOMAnswered = record.OOMKilledAt
}

func replicaSetOf(pod *corev1.Pod) string {
	if ref := metav1.GetControllerOf(pod); ref != nil {
		return ref.Name
	}
	return ""
}

func (c container) process() process {
	return process{pod: c.pod.UID, container: c.name, started: startOf(c.pod, c.name)}
}

func (c container) place() place {
	return place{workload: c.subject().GetUID(), container: c.name}
}

// workloadName is what a user calls the container's workload: Deployment/memhog.
func (c container) workloadName() string {
	if c.Deployment != nil {
		return "Deployment/" + c.Deployment.Name
	}
	return "Pod/" + c.pod.Name
}

// subject is the object that a user looks at to learn what became of the container.
func (c container) subject() client.Object {
	if c.Deployment != nil {
		return c.Deployment
	}
	return c.pod
}

// sampleOf returns the container's newest sample, unless the container does not run or has started since: then the
// sample is of another process, and an OOM-killed one would be raised for its predecessor's use.
func (r *AppMonitorReconciler) sampleOf(pod *corev1.Pod, name string) scaling.Sample {
	sample, ok := r.Samples.Newest(usage.Container{Namespace: pod.Namespace, Pod: pod.Name, Name: name})
	started := startOf(pod, name)
	if !ok || started.IsZero() || sample.Time.Before(started) {
		return scaling.Sample{}
	}
	return scaling.Sample(sample)
}

// startOf returns when the container started, by its node's clock; zero when it does not run.
func startOf(pod *corev1.Pod, name string) time.Time {
	for _, s := range pod.Status.ContainerStatuses {
		if s.Name == name && s.State.Running != nil {
			return s.State.Running.StartedAt.Time
		}
	}
	return time.Time{}
}

// oomKilledAt returns when the kernel last killed the container for want of memory, as far as its Pod remembers.
func oomKilledAt(pod *corev1.Pod, name string) time.Time {
	var at time.Time
	for _, s := range pod.Status.ContainerStatuses {
		for _, end := range []*corev1.ContainerStateTerminated{s.LastTerminationState.Terminated, s.State.Terminated} {
			if s.Name == name && end != nil && end.Reason == oomKilled && end.FinishedAt.After(at) {
				at = end.FinishedAt.Time
			}
		}
	}
	return at
}

// unread is true for a container that should have a good sample by now, and has not.
func (r *AppMonitorReconciler) unread(c container) bool {
	now, started := r.Clock.Now(), startOf(c.pod, c.name)
	return !started.IsZero() && now.Sub(started) > r.MaxSampleAge && now.Sub(c.observed.Sample.Time) > r.MaxSampleAge
}
