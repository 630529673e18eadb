package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/test/install"
)

// operatorArgs are the flags that the story gives the operator.
func (s *stage) operatorArgs() []string {
	if s.agent {
		return append([]string{"--agent=on"}, s.prometheusArgs...)
	}
	return append([]string{"--agent=off"}, s.prometheusArgs...)
}

// awaitAgents waits until every agent says that it keeps its guarantee, and one is there.
func (s *stage) awaitAgents(ctx context.Context) error {
	var missing error
	err := wait.PollUntilContextTimeout(ctx, time.Second/2, patience, true, func(ctx context.Context) (bool, error) {
		var agents corev1.PodList
		if err := s.client.List(ctx, &agents, client.InNamespace(install.OperatorKey.Namespace), client.MatchingLabels{
			"app.kubernetes.io/name": "memhog-operator", "app.kubernetes.io/component": "agent",
		}); err != nil {
			return false, err
		}
		missing = guaranteed(agents.Items)
		return missing == nil, nil
	})
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w; AGENT=off tells the story without agents", errors.Join(missing, err))
	}
	return err
}

// guaranteed says what is missing until every agent keeps its guarantee.
func guaranteed(agents []corev1.Pod) error {
	if len(agents) == 0 {
		return errors.New("the operator has made no agents")
	}
	for i := range agents {
		kept := false
		for _, c := range agents[i].Status.Conditions {
			kept = kept || c.Type == v1.AgentKeepsGuarantee && c.Status == corev1.ConditionTrue
		}
		if !kept {
			return fmt.Errorf("the agent %s does not keep its guarantee: %s", agents[i].Name, install.State(&agents[i]))
		}
	}
	return nil
}

// tellOfFastPath reports when the AppMonitor says that agents keep their guarantee for its Pods.
func (s *stage) tellOfFastPath(ctx context.Context, facts chan<- fact) {
	monitor := &v1.AppMonitor{}
	key := client.ObjectKey{Namespace: namespace, Name: s.monitor.object.GetName()}
	err := wait.PollUntilContextCancel(ctx, time.Second/4, true, func(ctx context.Context) (bool, error) {
		err := s.client.Get(ctx, key, monitor)
		return meta.IsStatusConditionTrue(monitor.Status.Conditions, v1.ConditionFastPath) && monitor.Status.Pods > 0, err
	})
	if err != nil {
		return
	}
	at := time.Now()
	select {
	case facts <- func(r *record) { r.tell(at, "AppMonitor/%s is on the fast path", key.Name) }:
	case <-ctx.Done():
	}
}
