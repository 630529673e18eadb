package agent

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

func TestTheLatestWordIsWrittenInTheEnd(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Unix(1000, 0))
	down := true
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "operators", Name: "agent-x"}}
	c := fake.NewClientBuilder().WithObjects(pod).WithStatusSubresource(pod).WithInterceptorFuncs(interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch,
			opts ...client.SubResourcePatchOption,
		) error {
			if down {
				down = false
				return errors.New("connection refused")
			}
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		},
	}).Build()
	r := NewReporter(c, client.ObjectKeyFromObject(pod), clock, logr.Discard())
	r.Tell(Guarantee{Kept: corev1.ConditionFalse, Reason: ReasonTooSlow, Message: "old"})
	r.Tell(Guarantee{Kept: corev1.ConditionTrue, Reason: ReasonKeepsGuarantee, Message: "new"})
	go func() { _ = r.Start(t.Context()) }()
	want := []corev1.PodCondition{
		{Type: v1.AgentKeepsGuarantee, Status: corev1.ConditionTrue, Reason: ReasonKeepsGuarantee, Message: "new"},
	}
	var got []corev1.PodCondition
	err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, 10*time.Second, true, func(ctx context.Context) (bool, error) {
		clock.Step(reportRetry)
		read := &corev1.Pod{}
		must(t, c.Get(ctx, client.ObjectKeyFromObject(pod), read))
		got = read.Status.Conditions
		for i := range got {
			got[i].LastTransitionTime = metav1.Time{}
		}
		return len(got) > 0, nil
	})
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, (-want +got):\n%s", err, diff)
	}
}
