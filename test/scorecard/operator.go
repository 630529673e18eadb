package main

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// operatorLabels are those of the operator's Pods, wherever it was installed.
var operatorLabels = client.MatchingLabels{
	"app.kubernetes.io/name": "memhog-operator", "control-plane": "controller-manager",
}

func appMonitorGetsReady(ctx context.Context) error {
	return inBed(ctx, func(b *bed) error {
		monitor, err := b.monitor(ctx, 75, 2)
		if err != nil {
			return err
		}
		return b.ready(ctx, monitor)
	})
}

// invalidAppMonitorIsRefused checks both fields at both of their bounds.
func invalidAppMonitorIsRefused(ctx context.Context) error {
	return inBed(ctx, func(b *bed) error {
		for _, test := range []struct {
			threshold, multiplier float64
			message               string
		}{
			{0, 2, "memThresholdPercent must be greater than 0 and at most 100"},
			{100.5, 2, "memThresholdPercent must be greater than 0 and at most 100"},
			{75, 1, "memMultiplier must be greater than 1 and at most 10"},
			{75, 11, "memMultiplier must be greater than 1 and at most 10"},
		} {
			_, err := b.monitor(ctx, test.threshold, test.multiplier)
			if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), test.message) {
				return fmt.Errorf("threshold %v and multiplier %v: got %w, want a refusal that says %q",
					test.threshold, test.multiplier, err, test.message)
			}
		}
		return nil
	})
}

// memhogIsRescued lets a container outgrow its threshold, and sees that it gets more memory before it is killed.
func memhogIsRescued(ctx context.Context) error {
	return inBed(ctx, func(b *bed) error {
		if _, err := b.monitor(ctx, 75, 2); err != nil {
			return err
		}
		if err := b.memhog(ctx); err != nil {
			return err
		}
		return b.rescued(ctx)
	})
}

// operatorSurvivesRestart deletes the operator's Pods, and then asks the new ones for the same as the old.
func operatorSurvivesRestart(ctx context.Context) error {
	return inBed(ctx, func(b *bed) error {
		before, err := b.operatorPods(ctx)
		if err != nil {
			return err
		}
		if len(before) == 0 {
			return fmt.Errorf("no Pod has the labels %v: the operator is not installed", operatorLabels)
		}
		old := map[string]bool{}
		for i := range before {
			old[before[i].Name] = true
			if err := client.IgnoreNotFound(b.client.Delete(ctx, &before[i])); err != nil {
				return fmt.Errorf("delete the operator's Pod %q: %w", before[i].Name, err)
			}
		}
		err = until(ctx, "a new Pod of the operator is ready", func(ctx context.Context) error {
			now, err := b.operatorPods(ctx)
			if err != nil {
				return err
			}
			for i := range now {
				if !old[now[i].Name] && podReady(&now[i]) {
					return nil
				}
			}
			return fmt.Errorf("it has %d Pods", len(now))
		})
		if err != nil {
			return err
		}
		monitor, err := b.monitor(ctx, 75, 2)
		if err != nil {
			return err
		}
		if err := b.ready(ctx, monitor); err != nil {
			return err
		}
		if err := b.memhog(ctx); err != nil {
			return err
		}
		return b.rescued(ctx)
	})
}

func (b *bed) operatorPods(ctx context.Context) ([]corev1.Pod, error) {
	var pods corev1.PodList
	if err := b.client.List(ctx, &pods, operatorLabels); err != nil {
		return nil, fmt.Errorf("list the operator's Pods: %w", err)
	}
	return pods.Items, nil
}

func podReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
