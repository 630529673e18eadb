package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubedemo/memhog-operator/test/cluster"
	"github.com/kubedemo/memhog-operator/test/install"
)

// running is a Pod that is to stay the same while its containers are resized.
type running struct {
	story *story
	pod   *corev1.Pod
}

// Stays waits until the only Pod of the Deployment runs, and takes its measure.
func (d *deployment) Stays() *running {
	d.story.t.Helper()
	d.Runs()
	return d.story.stays(d.onlyPod())
}

// stays waits until a Pod is Ready, or has nothing to be ready for.
func (s *story) stays(pod *corev1.Pod) *running {
	s.t.Helper()
	r := &running{story: s, pod: pod}
	s.awaits("Pod "+pod.Name+" is Ready", func(ctx context.Context) error {
		if err := env.client.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
			return err
		}
		if !isReady(pod) {
			return errors.New(install.State(pod))
		}
		return nil
	})
	return r
}

func (r *running) get(ctx context.Context) (*corev1.Pod, error) {
	now := &corev1.Pod{}
	err := env.client.Get(ctx, client.ObjectKeyFromObject(r.pod), now)
	if err == nil && now.UID != r.pod.UID {
		err = fmt.Errorf("Pod %s is another one", r.pod.Name)
	}
	return now, err
}

// BecomesSized waits until all containers of the Pod, sidecars first, have these sizes: as the Pod asks for, as its status
// says, and, where they can be seen, as their cgroups have it.
func (r *running) BecomesSized(want ...string) *running {
	r.story.t.Helper()
	r.story.awaits(fmt.Sprintf("Pod %s has %s", r.pod.Name, strings.Join(want, " ")), func(ctx context.Context) error {
		now, err := r.get(ctx)
		if err != nil {
			return err
		}
		return errors.Join(compareSizes(want, slices.Concat(now.Spec.InitContainers, now.Spec.Containers)), r.has(now, want))
	})
	return r
}

// has compares what the kubelet says, and what the kernel does.
func (r *running) has(pod *corev1.Pod, want []string) error {
	statuses := slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
	for i, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		at := slices.IndexFunc(statuses, func(s corev1.ContainerStatus) bool { return s.Name == c.Name })
		if at < 0 || statuses[at].Resources == nil {
			return fmt.Errorf("there is no status of %s that says its size", c.Name)
		}
		s := statuses[at]
		if got := amount(s.Resources.Requests) + "/" + amount(s.Resources.Limits); got != want[i] {
			return fmt.Errorf("the status of %s says %s", s.Name, got)
		}
		if env.cluster.Own() {
			continue
		}
		file, err := env.cluster.LimitFile(s.ContainerID)
		if err != nil {
			return err
		}
		limit, err := cluster.ReadLimit(file)
		if err != nil {
			return err
		}
		text := resource.NewQuantity(limit, resource.BinarySI).String()
		if _, stated, _ := strings.Cut(want[i], "/"); stated != text {
			return fmt.Errorf("the cgroup of %s has a limit of %s", s.Name, text)
		}
	}
	return nil
}

// WasNeverRestarted checks that all containers are those that the Pod started with.
func (r *running) WasNeverRestarted() {
	r.story.t.Helper()
	now, err := r.get(r.story.t.Context())
	must(r.story.t, err)
	for _, s := range slices.Concat(now.Status.InitContainerStatuses, now.Status.ContainerStatuses) {
		if s.RestartCount != 0 {
			r.story.t.Errorf("container %s of Pod %s was restarted %d times", s.Name, now.Name, s.RestartCount)
		}
	}
}

// AsksForNothing checks that no resize is left that the kubelet has not made.
func (r *running) AsksForNothing() {
	r.story.t.Helper()
	now, err := r.get(r.story.t.Context())
	must(r.story.t, err)
	for _, c := range now.Status.Conditions {
		if c.Type == corev1.PodResizePending || c.Type == corev1.PodResizeInProgress {
			r.story.t.Errorf("Pod %s has the condition %s, %s: %s", now.Name, c.Type, c.Reason, c.Message)
		}
	}
}

// IsGone waits until the Pod is.
func (r *running) IsGone() {
	r.story.t.Helper()
	r.story.awaits("Pod "+r.pod.Name+" is gone", func(ctx context.Context) error {
		now := &corev1.Pod{}
		if err := env.client.Get(ctx, client.ObjectKeyFromObject(r.pod), now); err != nil {
			return client.IgnoreNotFound(err)
		}
		if now.UID != r.pod.UID {
			return nil
		}
		return errors.New("it is still there")
	})
}
