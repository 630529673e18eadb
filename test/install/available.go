package install

import (
	"context"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// WaitAvailable waits until every replica of a Deployment's newest template is available and none of an older one is
// left. When that takes longer than timeout, the error tells what its Pods wait for.
func WaitAvailable(ctx context.Context, c client.Client, key client.ObjectKey, timeout time.Duration) error {
	var deployment appsv1.Deployment
	err := wait.PollUntilContextTimeout(ctx, poll, timeout, true, func(ctx context.Context) (bool, error) {
		err := c.Get(ctx, key, &deployment)
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil && available(&deployment), err
	})
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("deployment %q is not available after %v: %w%s", key, timeout, err, hindrances(ctx, c, &deployment))
}

func available(d *appsv1.Deployment) bool {
	want := int32(1)
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	s := d.Status
	return s.ObservedGeneration >= d.Generation &&
		s.Replicas == want && s.UpdatedReplicas == want && s.AvailableReplicas == want
}

// hindrances tells why the Pods of a Deployment are not ready, a line each.
func hindrances(ctx context.Context, c client.Client, d *appsv1.Deployment) string {
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		return ""
	}
	var lines strings.Builder
	for _, condition := range d.Status.Conditions {
		if condition.Type == appsv1.DeploymentReplicaFailure && condition.Status == corev1.ConditionTrue {
			fmt.Fprintf(&lines, "\n  %s", condition.Message)
		}
	}
	var pods corev1.PodList
	if err := c.List(ctx, &pods, client.InNamespace(d.Namespace),
		client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return lines.String()
	}
	for i := range pods.Items {
		fmt.Fprintf(&lines, "\n  Pod %s: %s", pods.Items[i].Name, State(&pods.Items[i]))
	}
	return lines.String()
}

// State says in a few words how a Pod is, with the reason of what stands in its way.
func State(pod *corev1.Pod) string {
	words := []string{string(pod.Status.Phase)}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			words = append(words, condition.Message)
		}
	}
	for _, status := range pod.Status.ContainerStatuses {
		switch {
		case status.State.Waiting != nil:
			words = append(words, fmt.Sprintf("%s waits: %s %s",
				status.Name, status.State.Waiting.Reason, status.State.Waiting.Message))
			words = append(words, ended(status.Name, status.LastTerminationState.Terminated)...)
		case status.State.Terminated != nil:
			words = append(words, ended(status.Name, status.State.Terminated)...)
		case !status.Ready:
			words = append(words, status.Name+" is not ready")
		}
	}
	return strings.TrimSpace(strings.Join(words, "; "))
}

// ended tells how a container ended, with the end of its log where the Pod asks for it by its
// terminationMessagePolicy.
func ended(container string, end *corev1.ContainerStateTerminated) []string {
	if end == nil {
		return nil
	}
	words := []string{fmt.Sprintf("%s ended: %s, exit code %d", container, end.Reason, end.ExitCode)}
	if end.Message != "" {
		words = append(words, strings.TrimSpace(end.Message))
	}
	return words
}
