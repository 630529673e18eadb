package operand

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

func TestAgentsAreKeptAsTheyShouldBe(t *testing.T) {
	o := newOperator(t)
	k, stop := o.keeps()
	all := o.are()
	set := all[0].(*appsv1.DaemonSet)
	if image := set.Spec.Template.Spec.Containers[0].Image; image != "registry.example/op:1" {
		t.Errorf("agents run %s, want the operator's image", image)
	}
	want := []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "op", UID: o.deploy.UID}}
	if diff := cmp.Diff(want, set.OwnerReferences); diff != "" {
		t.Errorf("owners of the DaemonSet (-want +got):\n%s", diff)
	}
	role := &rbacv1.ClusterRole{}
	must(t, live.Get(t.Context(), client.ObjectKey{Name: Name}, role))
	for _, one := range all[1:] {
		want := []metav1.OwnerReference{{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole", Name: Name, UID: role.UID}}
		if diff := cmp.Diff(want, one.GetOwnerReferences()); diff != "" {
			t.Errorf("owners of %T (-want +got):\n%s", one, diff)
		}
	}
	o.says(k, "agents are wanted, and nothing is in the way", func(s Status) bool { return s.Known && s.Wanted && s.Obstacle == "" })

	for _, one := range all {
		must(t, live.Delete(t.Context(), one))
		awaits(t, fmt.Sprintf("another %T is made", one), func(ctx context.Context) error {
			gone := one.GetUID()
			err := live.Get(ctx, client.ObjectKeyFromObject(one), one)
			if err == nil && one.GetUID() == gone {
				return errors.New("the old one is there")
			}
			return err
		})
	}
	set = all[0].(*appsv1.DaemonSet)
	set.Spec.Template.Spec.Containers[0].Image = "registry.example/evil:1"
	must(t, live.Update(t.Context(), set))
	policy := all[1].(*admissionv1.ValidatingAdmissionPolicy)
	policy.Spec.Validations = policy.Spec.Validations[:1]
	must(t, live.Update(t.Context(), policy))
	awaits(t, "what was changed is put back", func(ctx context.Context) error {
		must(t, live.Get(ctx, client.ObjectKeyFromObject(set), set))
		must(t, live.Get(ctx, client.ObjectKeyFromObject(policy), policy))
		if image := set.Spec.Template.Spec.Containers[0].Image; image != "registry.example/op:1" {
			return fmt.Errorf("agents run %s", image)
		}
		if n, want := len(policy.Spec.Validations), len(Policy(o.namespace).Spec.Validations); n != want {
			return fmt.Errorf("the policy has %d rules of %d", n, want)
		}
		return nil
	})

	stop()
	before := o.are()
	again, _ := o.keeps()
	o.says(again, "the next operator has looked", func(s Status) bool { return s.Known })
	for i, one := range o.are() {
		if one.GetResourceVersion() != before[i].GetResourceVersion() {
			t.Errorf("%T was written although nothing had changed", one)
		}
	}
}

func TestTheStatusFollowsTheAgents(t *testing.T) {
	o := newOperator(t)
	k, _ := o.keeps()
	o.are()
	pod := agentPod(t, o.namespace, "agent-n", "n")
	o.says(k, "there is an agent", func(s Status) bool { _, found := s.Agent("n"); return found })
	for len(k.Changes()) > 0 {
		<-k.Changes()
	}
	pod.Status.Conditions = []corev1.PodCondition{
		{Type: corev1.PodReady, Status: corev1.ConditionTrue},
		{Type: v1.AgentKeepsGuarantee, Status: corev1.ConditionTrue, Reason: "KeepsGuarantee"},
	}
	must(t, live.Status().Update(t.Context(), pod))
	o.says(k, "it keeps the guarantee", func(s Status) bool { a, _ := s.Agent("n"); return a.KeepsGuarantee() })
	select {
	case <-k.Changes():
	case <-t.Context().Done():
		t.Error("nobody was told")
	}
	must(t, live.Delete(t.Context(), pod, client.GracePeriodSeconds(0)))
	o.says(k, "it is gone", func(s Status) bool { _, found := s.Agent("n"); return !found })
}

func TestAPodSecurityLevelOfTheNamespaceKeepsAgentsOut(t *testing.T) {
	o := newOperator(t)
	o.enforces("baseline")
	k, _ := o.keeps()
	o.says(k, "the level is in the way", func(s Status) bool { return s.Known && s.Wanted && s.Obstacle != "" })
	mustContain(t, k.Status().Obstacle, o.namespace, `"baseline"`, "/sys/fs/cgroup", "pod-security.kubernetes.io/enforce=privileged")
	o.areNot()
	o.enforces("privileged")
	o.are()
	o.says(k, "nothing is in the way any more", func(s Status) bool { return s.Known && s.Obstacle == "" })
}

func TestAgentsGoWhenTheirNamespaceForbidsThem(t *testing.T) {
	o := newOperator(t)
	k, _ := o.keeps()
	set := o.are()[0]
	pod := agentPod(t, o.namespace, "agent-n", "n")
	keeps := reporting("", corev1.ConditionTrue, corev1.ConditionTrue)
	pod.Status.Conditions = keeps.Status.Conditions
	must(t, live.Status().Update(t.Context(), pod))
	o.says(k, "the agent keeps the guarantee", func(s Status) bool { a, _ := s.Agent("n"); return a.KeepsGuarantee() })
	o.enforces("baseline")
	o.says(k, "the level is in the way, and the agent is still there", func(s Status) bool {
		a, found := s.Agent("n")
		return s.Obstacle != "" && found && !a.KeepsGuarantee() && s.MayAct()
	})
	awaits(t, "the DaemonSet is gone", func(ctx context.Context) error {
		if err := live.Get(ctx, client.ObjectKeyFromObject(set), set); !apierrors.IsNotFound(err) {
			return errors.Join(err, errors.New("it is there"))
		}
		return nil
	})
	must(t, live.Delete(t.Context(), pod, client.GracePeriodSeconds(0))) // as the garbage collector does
	o.says(k, "no agent is left", func(s Status) bool { return s.Obstacle != "" && !s.MayAct() })
}

func TestAgentsThatCannotBeReadAreNotTakenForAbsent(t *testing.T) {
	o := newOperator(t)
	_, stop := o.keeps()
	o.are()
	stop()
	role := &rbacv1.ClusterRole{}
	must(t, live.Get(t.Context(), client.ObjectKey{Name: "memhog-operator-manager"}, role))
	role.Rules = nil
	must(t, live.Update(t.Context(), role))
	k, _ := o.keeps()
	o.says(k, "it may not", func(s Status) bool { return s.Obstacle != "" && s.MayAct() })
}

func (o *operator) enforces(level string) {
	o.t.Helper()
	ns := &corev1.Namespace{}
	must(o.t, live.Get(o.t.Context(), client.ObjectKey{Name: o.namespace}, ns))
	before := ns.DeepCopy()
	ns.Labels[enforceLabel] = level
	must(o.t, live.Patch(o.t.Context(), ns, client.MergeFrom(before)))
}

func TestALevelOfTheWholeClusterShowsItselfInEvents(t *testing.T) {
	o := newOperator(t)
	k, _ := o.keeps()
	set := o.are()[0].(*appsv1.DaemonSet)
	event := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Name: "refused", Namespace: o.namespace},
		InvolvedObject: corev1.ObjectReference{Kind: "DaemonSet", Name: Name, Namespace: o.namespace, UID: set.UID},
		Reason:         "FailedCreate",
		Message:        `Error creating: pods "memhog-operator-agent-1" is forbidden: violates PodSecurity "baseline"`,
	}
	create(t, event)
	set.Status.DesiredNumberScheduled = 1
	must(t, live.Status().Update(t.Context(), set))
	const want = `Pods are forbidden: violates PodSecurity "baseline"`
	o.says(k, "the Event is told", func(s Status) bool { return s.Trouble == want && s.Obstacle == "" })
}

func TestWithoutTheRightToConfineThereAreNoAgents(t *testing.T) {
	o := newOperator(t)
	_, stop := o.keeps()
	o.are()
	stop()
	for _, policy := range o.all()[1:] {
		must(t, live.Delete(t.Context(), policy))
	}
	role := &rbacv1.ClusterRole{}
	must(t, live.Get(t.Context(), client.ObjectKey{Name: "memhog-operator-manager"}, role))
	before := role.DeepCopy()
	for i := range role.Rules {
		if role.Rules[i].APIGroups[0] == "admissionregistration.k8s.io" {
			role.Rules[i].Verbs = []string{"get", "list", "watch"}
		}
	}
	must(t, live.Patch(t.Context(), role, client.MergeFrom(before)))
	k, _ := o.keeps()
	o.says(k, "it may not", func(s Status) bool { return s.Obstacle != "" })
	mustContain(t, k.Status().Obstacle, "may not confine agents", "validatingadmissionpolicies")
	o.areNot()
}

func TestAnUninstallationIsNotWorkedAgainst(t *testing.T) {
	o := newOperator(t)
	_, stop := o.keeps()
	o.are()
	stop()
	// In this order: garbage is collected as soon as its owner is gone.
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: Name}}
	must(t, live.Delete(t.Context(), role))
	for _, policy := range o.all()[1:] {
		must(t, live.Delete(t.Context(), policy))
	}
	k, _ := o.keeps()
	o.says(k, "it sees what is missing", func(s Status) bool { return s.Obstacle != "" })
	mustContain(t, k.Status().Obstacle, "no ClusterRole "+Name)
	o.areNot()
}

func TestAgentsThatAreOffAreRemoved(t *testing.T) {
	o := newOperator(t)
	_, stop := o.keeps()
	o.are()
	stop()
	pod := agentPod(t, o.namespace, "agent-n", "n")
	k, _ := o.keeps(func(opts *Options) { opts.Settings.Mode = Off })
	set := o.set()
	awaits(t, "the DaemonSet is gone", func(ctx context.Context) error {
		if err := live.Get(ctx, client.ObjectKeyFromObject(set), set); !apierrors.IsNotFound(err) {
			return errors.Join(err, errors.New("it is there"))
		}
		return nil
	})
	if err := live.Get(t.Context(), client.ObjectKey{Name: Name}, &admissionv1.ValidatingAdmissionPolicy{}); err != nil {
		t.Errorf("an agent is still there, and nothing confines it: %v", err)
	}
	must(t, live.Delete(t.Context(), pod, client.GracePeriodSeconds(0)))
	o.areNot()
	if s := k.Status(); !s.Known || s.Wanted {
		t.Errorf("the status is %+v", s)
	}
}

func TestWhatOthersMadeIsNotRemoved(t *testing.T) {
	o := newOperator(t)
	other := DaemonSet(Home{Namespace: o.namespace, Image: "registry.example/other:1"}, settings())
	other.Labels, other.OwnerReferences = nil, nil
	create(t, other)
	create(t, Policy(o.namespace))
	create(t, Binding(o.namespace))
	o.keeps(func(opts *Options) { opts.Settings.Mode = Off })
	awaits(t, "what is the operator's is gone", func(ctx context.Context) error {
		err := live.Get(ctx, client.ObjectKey{Name: Name}, &admissionv1.ValidatingAdmissionPolicy{})
		if !apierrors.IsNotFound(err) {
			return errors.Join(err, errors.New("it is there"))
		}
		return nil
	})
	if err := live.Get(t.Context(), client.ObjectKeyFromObject(other), other); err != nil {
		t.Errorf("what is not the operator's should stay: %v", err)
	}
}

func TestOfTwoOperatorsOneHasAgents(t *testing.T) {
	first, second := newOperator(t), newOperator(t)
	_, stop := first.keeps()
	first.are()
	late, stopSecond := second.keeps()
	second.says(late, "the second says why it has none", func(s Status) bool { return s.Obstacle != "" })
	mustContain(t, late.Status().Obstacle, "another operator", first.namespace, "--agent=off")
	set := second.set()
	if err := live.Get(t.Context(), client.ObjectKeyFromObject(set), set); !apierrors.IsNotFound(err) {
		t.Errorf("its agents would be confined by nothing, but: %v", err)
	}
	policy := &admissionv1.ValidatingAdmissionPolicy{}
	must(t, live.Get(t.Context(), client.ObjectKey{Name: Name}, policy))
	if policy.Generation != 1 || policy.Labels[instanceLabel] != first.namespace {
		t.Errorf("the policy was written %d times, and is of %q", policy.Generation, policy.Labels[instanceLabel])
	}

	// One that is to have none takes nothing from the other.
	stopSecond()
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{}
	must(t, live.Get(t.Context(), client.ObjectKey{Name: Name}, binding))
	second.removes()
	for _, o := range []client.Object{policy, binding} {
		before := o.GetUID()
		must(t, live.Get(t.Context(), client.ObjectKey{Name: Name}, o))
		if o.GetUID() != before {
			t.Errorf("%T was removed, and made again", o)
		}
	}

	// Where the first is no more, the second has them.
	stop()
	first.removes()
	first.areNot()
	second.keeps()
	second.are()
}

func TestOutsideOfAPodThereAreNoAgents(t *testing.T) {
	o := newOperator(t)
	k, _ := o.keeps(func(opts *Options) { opts.Pod, opts.Namespace = "", "" })
	o.says(k, "it says so", func(s Status) bool { return s.Obstacle != "" })
	mustContain(t, k.Status().Obstacle, "does not run in a Pod", "POD_NAME")
}

func TestWithOLMThePolicyGoesWithTheVersion(t *testing.T) {
	o := newOperator(t)
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "memhog-operator.v1-hash", Labels: map[string]string{
		olmOwner: "memhog-operator.v1", olmOwnerKind: "ClusterServiceVersion", olmOwnerNamespace: o.namespace,
	}}}
	create(t, role)
	o.keeps(func(opts *Options) { opts.Version = "memhog-operator.v1" })
	for _, one := range o.are()[1:] {
		if owners := one.GetOwnerReferences(); len(owners) != 1 || owners[0].UID != role.UID {
			t.Errorf("%T belongs to %+v, want the ClusterRole that OLM removes with the version", one, owners)
		}
	}
}
