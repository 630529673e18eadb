package agent

import (
	"context"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/policies"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// sync brings what is watched in line with the cache. Only Pods that have changed are looked at, unless what holds for all of them
// has.
func (a *Agent) sync(ctx context.Context) error {
	pods, now := &corev1.PodList{}, a.Clock.Now()
	if a.newRules.Swap(false) {
		if err := a.readRules(ctx); err != nil {
			return err
		}
		clear(a.versions)
	}
	if err := a.Client.List(ctx, pods, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list Pods of node %q: %w", a.Node, err)
	}
	there, all := map[types.UID]bool{}, map[types.UID]bool{}
	for i := range pods.Items {
		pod := &pods.Items[i]
		all[pod.UID] = true
		a.take(pod)
		if !policies.Annotated(pod) || !workload.Running(pod) {
			continue
		}
		there[pod.UID] = true
		if a.versions[pod.UID] == pod.ResourceVersion {
			continue
		}
		a.versions[pod.UID] = pod.ResourceVersion
		if !a.ahead(pod) {
			a.adopt(pod, now)
		}
	}
	for s, c := range a.containers {
		if !there[s.pod] {
			a.drop(c)
		}
	}
	maps.DeleteFunc(a.versions, func(uid types.UID, _ string) bool { return !there[uid] })
	maps.DeleteFunc(a.takes, func(uid types.UID, _ takes) bool { return !all[uid] })
	a.read = true
	watchedContainers.Set(float64(len(a.containers)))
	return nil
}

// readRules reads what holds for all Pods: AppMonitors, and what can be done on the node.
func (a *Agent) readRules(ctx context.Context) error {
	monitors, node := &v1.AppMonitorList{}, &corev1.Node{}
	if err := a.Client.List(ctx, monitors); err != nil {
		return fmt.Errorf("list AppMonitors: %w", err)
	}
	_ = a.Client.Get(ctx, client.ObjectKey{Name: a.Node}, node) // one that is not known can raise, if the API server can
	a.owners = map[string][]policies.Candidate{}
	for namespace, of := range byNamespace(monitors.Items) {
		a.owners[namespace], _ = policies.Candidates(of)
	}
	a.abilities = workload.Abilities{}
	if server := a.server.Load(); server != nil {
		a.abilities = server.Abilities(node.Status.NodeInfo.KubeletVersion)
	}
	return nil
}

func byNamespace(monitors []v1.AppMonitor) map[string][]v1.AppMonitor {
	of := map[string][]v1.AppMonitor{}
	for i := range monitors {
		of[monitors[i].Namespace] = append(of[monitors[i].Namespace], monitors[i])
	}
	return of
}

// ahead is true when more is known of a Pod than the cache has: the API server said itself what it made of it.
func (a *Agent) ahead(pod *corev1.Pod) bool {
	for s, c := range a.containers {
		if s.pod == pod.UID {
			return c.pod.Generation > pod.Generation
		}
	}
	return false
}

// take notes what a Pod takes of the node.
func (a *Agent) take(pod *corev1.Pod) {
	if a.takes[pod.UID].version != pod.ResourceVersion && !a.ahead(pod) {
		a.takes[pod.UID] = takes{version: pod.ResourceVersion, bytes: workload.Requested(pod)}
	}
}

// adopt takes over what a Pod says of its containers.
func (a *Agent) adopt(pod *corev1.Pod, now time.Time) {
	a.take(pod)
	monitor := policies.MonitorOf(pod, a.owners[pod.Namespace])
	kept := map[slot]bool{}
	if monitor != nil && policies.ResizesInPlace(monitor) {
		for _, spec := range workload.Containers(&pod.Spec) {
			s := slot{pod: pod.UID, container: spec.Name}
			kept[s] = true
			a.watch(s, pod, spec, monitor, now)
		}
	}
	for s, c := range a.containers {
		if s.pod == pod.UID && !kept[s] {
			a.drop(c)
		}
	}
}

// watch takes over what a Pod says of one of its containers, and looks at it at once.
func (a *Agent) watch(s slot, pod *corev1.Pod, spec corev1.Container, monitor *v1.AppMonitor, now time.Time) {
	c := a.containers[s]
	if c == nil {
		c = &container{slot: s, at: -1}
		a.containers[s] = c
	}
	if err := c.follow(pod, spec, monitor, surroundings{abilities: a.abilities, rate: a.Rate, now: now}); err != nil {
		a.Log.Error(err, "a Pod cannot be understood")
		a.drop(c)
		return
	}
	if id := runningID(pod, spec.Name); id != c.id {
		// Another process, which starts with an empty memory.
		a.latency.lost(c, now)
		c.lose()
		c.id, c.target, c.unreadSince, c.unread = id, 0, time.Time{}, nil
	}
	c.limit = 0 // to be read again
	a.queue.schedule(c, now)
}

// drop no longer watches a container.
func (a *Agent) drop(c *container) {
	a.queue.remove(c)
	a.latency.drop(c)
	c.lose()
	delete(a.containers, c.slot)
}

// runningID is the runtime's ID of a container that runs; empty for one that does not, and for a whole Pod, which has none.
func runningID(pod *corev1.Pod, name string) string {
	if name == workload.WholePod {
		return ""
	}
	s := workload.StatusOf(pod, name)
	if s == nil || s.State.Running == nil {
		return ""
	}
	return s.ContainerID
}
