package operand

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestAgentsThatAreNeverAtRestDoNotPutOffTheRecheck(t *testing.T) {
	o := newOperator(t)
	o.keeps()
	o.are()
	o.stirs(agentPod(t, o.namespace, "agent-n", "n"))
	o.belongsTo(o.reinstalls())
}

func TestAPolicyThatWasCollectedIsMadeForItsNewOwner(t *testing.T) {
	for i, kind := range []string{"policy", "binding"} {
		t.Run(kind, func(t *testing.T) {
			o := newOperator(t)
			o.pace.recheck = time.Hour
			o.keeps()
			o.are()
			o.stirs(agentPod(t, o.namespace, "agent-n", "n"))
			role := o.reinstalls()
			must(t, live.Delete(t.Context(), o.all()[1+i]))
			o.belongsTo(role)
		})
	}
}

func TestAPolicyThatWasGivenAwayComesBack(t *testing.T) {
	o := newOperator(t)
	o.pace.recheck = time.Hour
	o.keeps()
	policy := o.are()[1]
	role := o.reinstalls()
	policy.SetOwnerReferences(nil)
	must(t, live.Update(t.Context(), policy))
	o.belongsTo(role)
}

// reinstalls makes the agents' ClusterRole anew, and returns its UID.
func (o *operator) reinstalls() types.UID {
	o.t.Helper()
	role := &rbacv1.ClusterRole{}
	must(o.t, live.Get(o.t.Context(), client.ObjectKey{Name: Name}, role))
	must(o.t, live.Delete(o.t.Context(), role))
	role.ObjectMeta = metav1.ObjectMeta{Name: role.Name, Labels: role.Labels}
	must(o.t, live.Create(o.t.Context(), role))
	return role.UID
}

// belongsTo waits until the policy and its binding do.
func (o *operator) belongsTo(owner types.UID) {
	o.t.Helper()
	awaits(o.t, "policy and binding have the new owner", func(ctx context.Context) error {
		for _, one := range o.all()[1:] {
			if err := live.Get(ctx, client.ObjectKeyFromObject(one), one); err != nil {
				return err
			}
			if got := ownerOf(one); got != owner {
				return fmt.Errorf("%T belongs to %q, want %q", one, got, owner)
			}
		}
		return nil
	})
}

// stirs changes a Pod again and again, until the test is over.
func (o *operator) stirs(pod *corev1.Pod) {
	ctx, cancel := context.WithCancel(o.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ctx.Err() == nil; i++ {
			change := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"stir":"`+strconv.Itoa(i)+`"}}}`))
			if err := live.Patch(ctx, pod.DeepCopy(), change); err != nil && ctx.Err() == nil {
				o.t.Errorf("stir %s: %v", pod.Name, err)
				return
			}
		}
	}()
	o.t.Cleanup(func() {
		cancel()
		<-done
	})
}
