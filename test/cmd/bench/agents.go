package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/test/install"
)

// agent is the Pod of the only node's agent.
func (s *stage) agent(ctx context.Context) (*corev1.Pod, error) {
	var pods corev1.PodList
	err := s.client.List(ctx, &pods, client.InNamespace(install.OperatorKey.Namespace), client.MatchingLabels{
		"app.kubernetes.io/name": "memhog-operator", "app.kubernetes.io/component": "agent",
	})
	if err == nil && len(pods.Items) != 1 {
		err = fmt.Errorf("there are %d agents", len(pods.Items))
	}
	if err != nil {
		return nil, err
	}
	return &pods.Items[0], nil
}

// awaitAgent waits until the agent has these flags, which the operator gives it a moment after it has its own, and acts, whether
// it can keep its guarantee or not.
func (s *stage) awaitAgent(ctx context.Context, flags ...string) error {
	var missing error
	err := wait.PollUntilContextTimeout(ctx, time.Second, patience, true, func(ctx context.Context) (bool, error) {
		missing = s.agentMissing(ctx, flags)
		return missing == nil, nil
	})
	if err != nil {
		return fmt.Errorf("wait for the agent: %w", errors.Join(err, missing))
	}
	return nil
}

func (s *stage) agentMissing(ctx context.Context, flags []string) error {
	var set appsv1.DaemonSet
	if err := s.client.Get(ctx, agentKey, &set); err != nil {
		return err
	}
	if set.Status.ObservedGeneration < set.Generation || set.Status.UpdatedNumberScheduled != set.Status.DesiredNumberScheduled {
		return errors.New("it is being rolled out")
	}
	agent, err := s.agent(ctx)
	if err != nil {
		return err
	}
	for _, flag := range flags {
		if !slices.Contains(agent.Spec.Containers[0].Args, flag) {
			return fmt.Errorf("it runs with %v", agent.Spec.Containers[0].Args)
		}
	}
	for _, c := range agent.Status.Conditions {
		if c.Type == v1.AgentKeepsGuarantee && c.Reason != "Starting" && agent.DeletionTimestamp == nil {
			return nil
		}
	}
	return fmt.Errorf("it does not say whether it keeps its guarantee: %s", install.State(agent))
}

// agentKey names the agents' DaemonSet.
var agentKey = client.ObjectKey{Namespace: install.OperatorKey.Namespace, Name: "memhog-operator-agent"}
