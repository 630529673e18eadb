package olm_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	apiv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubedemo/memhog-operator/test/install"
)

const (
	// patience is how long the suite waits for what takes seconds on an idle machine.
	patience = 3 * time.Minute
	// poll is how often a condition that is waited for is looked at.
	poll = 250 * time.Millisecond
)

// story is one test. Stories are told one after the other: the CustomResourceDefinition is the whole cluster's.
type story struct {
	t *testing.T
}

func tell(t *testing.T) *story {
	t.Helper()
	if env.missing != "" {
		t.Skip("SKIPPED:", env.missing)
	}
	s := &story{t: t}
	t.Cleanup(func() {
		if t.Failed() {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			t.Log(describeWorld(ctx))
		}
	})
	return s
}

// namespace makes a namespace, which goes with the story.
func (s *story) namespace(name string) string {
	s.t.Helper()
	return s.enforcing(name, "restricted")
}

// enforcing makes one with a Pod Security level.
func (s *story) enforcing(name, level string) string {
	s.t.Helper()
	s.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{"pod-security.kubernetes.io/enforce": level},
	}})
	return name
}

// create makes an object, which goes with the story.
func (s *story) create(o client.Object) {
	s.t.Helper()
	must(s.t, env.client.Create(s.t.Context(), o))
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := client.IgnoreNotFound(env.client.Delete(ctx, o)); err != nil {
			s.t.Errorf("delete %T %s: %v", o, o.GetName(), err)
			return
		}
		err := wait.PollUntilContextCancel(ctx, poll, true, func(ctx context.Context) (bool, error) {
			err := env.client.Get(ctx, client.ObjectKeyFromObject(o), o)
			return err != nil && client.IgnoreNotFound(err) == nil, nil
		})
		if err != nil {
			s.t.Errorf("%T %s does not go away", o, o.GetName())
		}
	})
}

// get reads an object anew.
func (s *story) get(o client.Object) {
	s.t.Helper()
	must(s.t, env.client.Get(s.t.Context(), client.ObjectKeyFromObject(o), o))
}

// awaits asks again and again until the answer is nil. When that takes too long the story ends with the last answer.
func (s *story) awaits(what string, ask func(context.Context) error) {
	s.t.Helper()
	begin := time.Now()
	var answer error
	err := wait.PollUntilContextTimeout(s.t.Context(), poll, patience, true, func(ctx context.Context) (bool, error) {
		answer = ask(ctx)
		return answer == nil, nil
	})
	if err != nil {
		s.t.Fatalf("waited %s for this, in vain: %s\nat last: %v", patience, what, answer)
	}
	say("%5.1f s until %s", time.Since(begin).Seconds(), what)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// describeWorld shows what can explain a failure.
func describeWorld(ctx context.Context) string {
	var b strings.Builder
	var csvs apiv1alpha1.ClusterServiceVersionList
	_ = env.client.List(ctx, &csvs)
	for i := range csvs.Items {
		c := &csvs.Items[i]
		fmt.Fprintf(&b, "ClusterServiceVersion %s/%s: %s, %s: %s\n", c.Namespace, c.Name, c.Status.Phase, c.Status.Reason, c.Status.Message)
	}
	var subscriptions apiv1alpha1.SubscriptionList
	_ = env.client.List(ctx, &subscriptions)
	for i := range subscriptions.Items {
		u := &subscriptions.Items[i]
		fmt.Fprintf(&b, "Subscription %s/%s: %s\n", u.Namespace, u.Name, u.Status.State)
		for _, c := range u.Status.Conditions {
			fmt.Fprintf(&b, "  %s %s, %s: %s\n", c.Type, c.Status, c.Reason, c.Message)
		}
	}
	var plans apiv1alpha1.InstallPlanList
	_ = env.client.List(ctx, &plans)
	for i := range plans.Items {
		p := &plans.Items[i]
		fmt.Fprintf(&b, "InstallPlan %s/%s of %v: %s\n", p.Namespace, p.Name, p.Spec.ClusterServiceVersionNames, p.Status.Phase)
		for _, c := range p.Status.Conditions {
			fmt.Fprintf(&b, "  %s %s, %s: %s\n", c.Type, c.Status, c.Reason, c.Message)
		}
	}
	var pods corev1.PodList
	_ = env.client.List(ctx, &pods)
	for i := range pods.Items {
		fmt.Fprintf(&b, "Pod %s/%s: %s\n", pods.Items[i].Namespace, pods.Items[i].Name, install.State(&pods.Items[i]))
	}
	return b.String()
}
