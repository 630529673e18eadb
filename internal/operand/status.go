package operand

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// Status is how the agents stand. It is never changed once it is published.
type Status struct {
	// Known is false until the first look.
	Known bool
	// Wanted is false when agents are turned off.
	Wanted bool
	// Obstacle says, for people, why there can be no agents; empty when there can.
	Obstacle string
	// Trouble says, for people, why Pods of agents are not created; empty when they are.
	Trouble string
	// Unseen is true when it cannot be read which agents are left beside an Obstacle.
	Unseen bool

	agents map[string]Agent
}

// Agent is the one of a node.
type Agent struct {
	// Ready is true for a Pod that is Ready and stays.
	Ready bool
	// Keeps is what it says of itself, with a reason and a message for people: whether it keeps the guarantee. Empty while it
	// says nothing.
	Keeps           corev1.ConditionStatus
	Reason, Message string
}

// MayAct is true unless it is known that no agent does: one that was made before there was an Obstacle may still.
func (s Status) MayAct() bool {
	return s.Wanted && (s.Obstacle == "" || s.Unseen || len(s.agents) > 0)
}

// Agent returns that of a node, false when there is none.
func (s Status) Agent(node string) (Agent, bool) {
	a, ok := s.agents[node]
	return a, ok
}

// With is the same with an agent on a node.
func (s Status) With(node string, a Agent) Status {
	agents := map[string]Agent{node: a}
	for other, its := range s.agents {
		if other != node {
			agents[other] = its
		}
	}
	s.agents = agents
	return s
}

// KeepsGuarantee is true when the agent's word stands that no container of its node outgrows it.
func (a Agent) KeepsGuarantee() bool { return a.Ready && a.Keeps == corev1.ConditionTrue }

// agentsOf finds the agents in their Pods. While one takes the place of another, the one that stays counts.
func agentsOf(pods []corev1.Pod) map[string]Agent {
	slices.SortFunc(pods, func(a, b corev1.Pod) int {
		return cmp.Or(cmp.Compare(rank(&a), rank(&b)), a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	agents := map[string]Agent{}
	for i := range pods {
		if node := pods[i].Spec.NodeName; node != "" {
			agents[node] = agentOf(&pods[i])
		}
	}
	return agents
}

// rank is higher for a Pod that tells more of its node.
func rank(pod *corev1.Pod) int {
	switch {
	case pod.DeletionTimestamp != nil:
		return 0
	case !workload.Ready(pod):
		return 1
	default:
		return 2
	}
}

func agentOf(pod *corev1.Pod) Agent {
	a := Agent{Ready: workload.Ready(pod) && pod.DeletionTimestamp == nil}
	if c := conditionOf(pod, v1.AgentKeepsGuarantee); c != nil {
		a.Keeps, a.Reason, a.Message = c.Status, c.Reason, c.Message
	}
	if !a.Ready {
		a.Reason, a.Message = hindrance(pod)
	}
	return a
}

// hindrance tells why a Pod is not ready, as far as its containers tell.
func hindrance(pod *corev1.Pod) (reason, message string) {
	for _, s := range pod.Status.ContainerStatuses {
		if w := s.State.Waiting; w != nil {
			return w.Reason, w.Message
		}
	}
	return "", ""
}

func conditionOf(pod *corev1.Pod, of corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == of {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}
