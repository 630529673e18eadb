package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	oplibconditions "github.com/operator-framework/operator-lib/conditions"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// operatorCondition stands for the condition of the OperatorCondition that OLM makes.
type operatorCondition struct {
	condition *metav1.Condition
	writes    int
	refuse    error
}

func (c *operatorCondition) Get(context.Context) (*metav1.Condition, error) {
	if c.condition == nil {
		return nil, errors.New("not there yet")
	}
	return c.condition, nil
}

func (c *operatorCondition) Set(_ context.Context, status metav1.ConditionStatus, options ...oplibconditions.Option) error {
	if c.refuse != nil {
		return c.refuse
	}
	c.writes++
	c.condition = &metav1.Condition{Status: status}
	for _, option := range options {
		option(c.condition)
	}
	return nil
}

func (c *operatorCondition) String() string {
	return fmt.Sprintf("%s %s: %s", c.condition.Status, c.condition.Reason, c.condition.Message)
}

// inNamespace narrows what the reconciler sees to one test's objects.
type inNamespace struct {
	client.Reader
	namespace string
}

func (r inNamespace) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	return r.Reader.List(ctx, list, append(options, client.InNamespace(r.namespace))...)
}

func TestTheOperatorIsNotUpgradeableDuringARolloutOfItsOwn(t *testing.T) {
	w := newWorld(t)
	condition := &operatorCondition{}
	r := &UpgradeableReconciler{Reader: inNamespace{cached, w.namespace}, Condition: condition}
	look := func(want string, writes int) {
		t.Helper()
		if _, err := r.Reconcile(t.Context(), ctrl.Request{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, condition.String()); diff != "" || condition.writes != writes {
			t.Errorf("after %d writes, want %d, the condition is (-want +got):\n%s", condition.writes, writes, diff)
		}
	}
	const free = "True NoRolloutInProgress: no rollout of more memory is in progress"

	w.monitor("johnny-cache", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	look(free, 1)
	look(free, 1)

	// A rollout of somebody else's.
	w.setProgress(d, corev1.ConditionTrue, "ReplicaSetUpdated")
	look(free, 1)
	w.setProgress(d, corev1.ConditionTrue, "NewReplicaSetAvailable")

	w.uses(pod, "memhog", 300)
	w.reconcile("johnny-cache")
	must(t, live.Get(t.Context(), client.ObjectKeyFromObject(d), d))
	settle(t, d)
	look("False RolloutInProgress: more memory is being rolled out to "+w.namespace+"/memhog", 2)

	w.rollOut(d)
	look(free, 3)
}

func TestAFailedWriteOfTheConditionIsRetried(t *testing.T) {
	w := newWorld(t)
	condition := &operatorCondition{refuse: errors.New("refused")}
	r := &UpgradeableReconciler{Reader: inNamespace{cached, w.namespace}, Condition: condition}
	if _, err := r.Reconcile(t.Context(), ctrl.Request{}); !errors.Is(err, condition.refuse) {
		t.Errorf("the error is %v", err)
	}
}

func TestTheConditionNamesAFewDeployments(t *testing.T) {
	got := upgradeable([]string{"a/1", "a/2", "a/3", "b/1", "b/2", "c/1", "c/2"}).Message
	if want := "a/1, a/2, a/3, b/1, b/2 and 2 more"; !strings.HasSuffix(got, want) {
		t.Errorf("the message is %q, want it to end with %q", got, want)
	}
}

func TestWithoutOLMThereIsNoConditionToWrite(t *testing.T) {
	t.Setenv(conditionNameEnv, "")
	condition, err := UpgradeableCondition(&rest.Config{})
	if condition != nil || err != nil {
		t.Errorf("got %v and the error %v, want neither", condition, err)
	}
}
