package operand

import (
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// failedCreate is the reason of the Event by which the cluster says that Pods of a DaemonSet are refused.
const failedCreate = "FailedCreate"

// look finds out how the agents are.
func (k *Keeper) look(ctx context.Context, seen client.Reader, namespace string) (Status, error) {
	pods := &corev1.PodList{}
	if err := seen.List(ctx, pods, client.InNamespace(namespace), client.MatchingLabels(labels())); err != nil {
		return Status{}, fmt.Errorf("list the agents: %w", err)
	}
	set := &appsv1.DaemonSet{}
	err := seen.Get(ctx, client.ObjectKey{Namespace: namespace, Name: Name}, set)
	if client.IgnoreNotFound(err) != nil {
		return Status{}, fmt.Errorf("read the agents' DaemonSet: %w", err)
	}
	status := Status{Known: true, Wanted: true, agents: agentsOf(pods.Items)}
	if set.Status.DesiredNumberScheduled > set.Status.CurrentNumberScheduled {
		status.Trouble = k.refusal(ctx, set)
	}
	return status, nil
}

// left is the Status where there can be no agents: some that were made earlier may still act. Nobody watches them, so their word
// is not relied on.
func (k *Keeper) left(ctx context.Context, obstacle string) Status {
	status := Status{Known: true, Wanted: true, Obstacle: obstacle}
	if k.Namespace == "" {
		return status
	}
	pods := &corev1.PodList{}
	if err := k.client.List(ctx, pods, client.InNamespace(k.Namespace), client.MatchingLabels(labels())); err != nil {
		k.Log.V(1).Info("reading which agents are left failed", "error", err.Error())
		status.Unseen = true
		return status
	}
	status.agents = agentsOf(pods.Items)
	for node, agent := range status.agents {
		agent.Ready = false
		status.agents[node] = agent
	}
	return status
}

// refusal tells why Pods of the DaemonSet cannot be created: a Pod Security level of the whole cluster, for example, shows itself
// in nothing but Events. Empty when there is none, or Events cannot be read.
func (k *Keeper) refusal(ctx context.Context, set *appsv1.DaemonSet) string {
	events := &corev1.EventList{}
	err := k.client.List(ctx, events, client.InNamespace(set.Namespace), client.MatchingFieldsSelector{
		Selector: fields.SelectorFromSet(fields.Set{"involvedObject.uid": string(set.UID), "reason": failedCreate}),
	})
	if err != nil {
		k.Log.V(1).Info("reading why there are no agents failed", "error", err.Error())
		return ""
	}
	latest := corev1.Event{}
	for _, e := range events.Items {
		if at := e.LastTimestamp; latest.Message == "" || latest.LastTimestamp.Before(&at) {
			latest = e
		}
	}
	return unnamed(latest.Message)
}

// unnamed leaves out the name of the Pod that was refused, which is another at each try.
func unnamed(message string) string {
	const refused = " is forbidden: "
	if at := strings.Index(message, refused); at >= 0 {
		return "Pods are forbidden: " + message[at+len(refused):]
	}
	return message
}
