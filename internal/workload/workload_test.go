package workload

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestRollingOut(t *testing.T) {
	progressing := func(status corev1.ConditionStatus, reason string) []appsv1.DeploymentCondition {
		return []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: status, Reason: reason}}
	}
	tests := []struct {
		reason string
		status appsv1.DeploymentStatus
		want   bool
	}{
		{"the template is not seen yet", appsv1.DeploymentStatus{ObservedGeneration: 1}, true},
		{"new Pods come", appsv1.DeploymentStatus{
			ObservedGeneration: 2, Conditions: progressing(corev1.ConditionTrue, "ReplicaSetUpdated"),
		}, true},
		{"all is done", appsv1.DeploymentStatus{
			ObservedGeneration: 2, Conditions: progressing(corev1.ConditionTrue, "NewReplicaSetAvailable"),
		}, false},
		{"the deadline is over", appsv1.DeploymentStatus{
			ObservedGeneration: 2, Conditions: progressing(corev1.ConditionFalse, "ProgressDeadlineExceeded"),
		}, false},
		{"without a deadline, an old Pod is left", appsv1.DeploymentStatus{
			ObservedGeneration: 2, UpdatedReplicas: 1, Replicas: 2,
		}, true},
		{"without a deadline, only new Pods are left", appsv1.DeploymentStatus{
			ObservedGeneration: 2, UpdatedReplicas: 1, Replicas: 1,
		}, false},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Generation: 2}, Status: test.status}
			if got := of(d).RollingOut; got != test.want {
				t.Errorf("RollingOut is %t", got)
			}
			d.Spec.Paused = true
			if of(d).RollingOut {
				t.Error("RollingOut is true for a Deployment that is paused")
			}
		})
	}
}
