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
	// deployment that owns the Pod; nil when none does.
	deployment *appsv1.Deployment
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
	deployments := map[types.UID]*appsv1.Deployment{} // by ReplicaSet, which replicas have in common
	var nodes []string
	for i := range o.owned {
		pod := &o.owned[i]
		deployment, err := r.deploymentOf(ctx, pod, deployments)
		if err != nil {
			return observation{}, err
		}
		for _, c := range pod.Spec.Containers {
			seen := r.observeContainer(monitor, page, pod, deployment, c)
			o.containers = append(o.containers, seen)
			o.unread = o.unread || r.unread(seen)
		}
		nodes = append(nodes, pod.Spec.NodeName)
	}
	page.keepOnly(o)
	o.source, o.failure = r.Samples.Health(nodes)
	o.raised, err = countRaised(deployments)
	return o, err
}

func (r *AppMonitorReconciler) deploymentOf(
	ctx context.Context, pod *corev1.Pod, known map[types.UID]*appsv1.Deployment,
) (*appsv1.Deployment, error) {
	ref := metav1.GetControllerOf(pod)
	if ref == nil {
		return nil, nil
	}
	if deployment, ok := known[ref.UID]; ok {
		return deployment, nil
	}
	deployment, err := r.owners().Deployment(ctx, pod)
	if err == nil {
		known[ref.UID] = deployment
	}
	return deployment, err
}

func (r *AppMonitorReconciler) observeContainer(
	monitor *v1.AppMonitor, page *page, pod *corev1.Pod, deployment *appsv1.Deployment, c corev1.Container,
) container {
	seen := container{name: c.Name, pod: pod, deployment: deployment, policy: r.policyOf(monitor, c.Name)}
	seen.observed = scaling.Observation{
		Size:        scaling.Memory(workload.SizeOf(c.Resources)),
		Sample:      r.sampleOf(pod, c.Name),
		OOMKilledAt: oomKilledAt(pod, c.Name),
		Paused:      paused(monitor) || paused(pod),
		// Everything but a resize in place replaces the Pod.
		Disruptive: true,
		Obstacle:   obstacle(monitor, deployment),
	}
	if deployment != nil {
		r.observeDeployment(&seen, c)
	}
	underWay := seen.observed.RolloutInProgress
	page.trends.follow(seen.subject().GetUID(), underWay, r.Clock.Now())
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
func (r *AppMonitorReconciler) observeDeployment(seen *container, c corev1.Container) {
	d, o := seen.deployment, &seen.observed
	// A template written while the Deployment itself is paused would take effect at a moment nobody chose.
	o.Paused = o.Paused || paused(d) || d.Spec.Paused
	rollout := workload.RolloutOf(d, c)
	o.RolloutInProgress, o.RolloutStuck = rollout == workload.RolloutInProgress, rollout == workload.RolloutStuck
	records, err := workload.Records(d)
	if err != nil {
		return // whoever broke the record wants to start afresh
	}
	for _, record := range records {
		// One rollout at a time: it replaces all of the Pod's containers.
		if record.GivenAt.After(o.LastChange) {
			o.LastChange = record.GivenAt
		}
	}
	record, known := records[seen.name]
	if !known {
		return
	}
	switch record.Standing(d, seen.name, replicaSetOf(seen.pod)) {
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
	seen.record = record
	o.Declared, o.Raises = scaling.Memory(record.Declared), record.Raises
	o.StuckSize, o.StuckAt = scaling.Memory(record.Stuck.Size), record.Stuck.At
	if record.OOMKilledAt.After(o.OOMKilledAt) {
		o.OOMKilledAt = record.OOMKilledAt
	}
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
	if c.deployment != nil {
		return "Deployment/" + c.deployment.Name
	}
	return "Pod/" + c.pod.Name
}

// subject is the object that a user looks at to learn what became of the container.
func (c container) subject() client.Object {
	if c.deployment != nil {
		return c.deployment
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

func countRaised(deployments map[types.UID]*appsv1.Deployment) (int, error) {
	counted, total := map[types.UID]bool{}, 0
	for _, d := range deployments {
		if d == nil || counted[d.UID] {
			continue
		}
		names, err := workload.Raised(d)
		if err != nil {
			return 0, err
		}
		counted[d.UID] = true
		total += len(names)
	}
	return total, nil
}
