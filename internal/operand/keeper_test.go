package operand

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
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

// operator is one that runs in a Pod of a Deployment, with the rights that config/rbac gives it.
type operator struct {
	t         *testing.T
	namespace string
	pod       *corev1.Pod
	deploy    *appsv1.Deployment
}

func newOperator(t *testing.T) *operator {
	t.Helper()
	o := &operator{t: t, namespace: newNamespace(t)}
	t.Cleanup(o.clean)
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "op"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{
			{Name: "proxy", Image: "registry.example/mesh:1"}, {Name: "manager", Image: "registry.example/op:1"},
		}},
	}
	selector := &metav1.LabelSelector{MatchLabels: template.Labels}
	o.deploy = &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "op", Namespace: o.namespace},
		Spec:       appsv1.DeploymentSpec{Selector: selector, Template: template},
	}
	create(t, o.deploy)
	set := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: "op-1", Namespace: o.namespace, OwnerReferences: []metav1.OwnerReference{
			*metav1.NewControllerRef(o.deploy, appsv1.SchemeGroupVersion.WithKind("Deployment")),
		}},
		Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: template},
	}
	create(t, set)
	o.pod = &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "op-1-a", Namespace: o.namespace, OwnerReferences: []metav1.OwnerReference{
			*metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("ReplicaSet")),
		}},
		Spec: template.Spec,
	}
	create(t, o.pod)
	return o
}

// clean removes what outlives the test's namespace: envtest has no garbage collector.
func (o *operator) clean() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, left := range []client.Object{Policy(o.namespace), Binding(), DaemonSet(Home{Namespace: o.namespace}, settings())} {
		if err := client.IgnoreNotFound(live.Delete(ctx, left)); err != nil {
			o.t.Errorf("delete %s: %v", left.GetName(), err)
		}
	}
}

// keeps starts a Keeper with the operator's rights, until the test is over or the returned function is called.
func (o *operator) keeps(change ...func(*Options)) (*Keeper, func()) {
	o.t.Helper()
	opts := Options{
		Config: as(o.namespace, "memhog-operator-controller-manager"), Settings: settings(),
		Namespace: o.namespace, Pod: o.pod.Name, Log: testr.New(o.t),
	}
	for _, c := range change {
		c(&opts)
	}
	k, err := New(opts)
	must(o.t, err)
	k.pace = pace{retry: 50 * time.Millisecond, recheck: 200 * time.Millisecond, pause: 10 * time.Millisecond}
	ctx, cancel := context.WithCancel(o.t.Context())
	done := make(chan error)
	go func() { done <- k.Start(ctx) }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			o.t.Errorf("the keeper ended: %v", err)
		}
	}
	o.t.Cleanup(stop)
	return k, stop
}

func (o *operator) set() *appsv1.DaemonSet {
	return &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: Name, Namespace: o.namespace}}
}

// all are the objects that make up the agents, but for their Pods.
func (o *operator) all() []client.Object {
	return []client.Object{
		o.set(),
		&admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: Name}},
		&admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: Name}},
	}
}

// are waits until all are there, with their present state in them.
func (o *operator) are() []client.Object {
	o.t.Helper()
	all := o.all()
	awaits(o.t, "everything is there", func(ctx context.Context) error {
		for _, one := range all {
			if err := live.Get(ctx, client.ObjectKeyFromObject(one), one); err != nil {
				return err
			}
		}
		return nil
	})
	return all
}

// areNot waits until none is there.
func (o *operator) areNot() {
	o.t.Helper()
	awaits(o.t, "nothing is there", func(ctx context.Context) error {
		for _, one := range o.all() {
			if err := live.Get(ctx, client.ObjectKeyFromObject(one), one); !apierrors.IsNotFound(err) {
				return errors.Join(err, fmt.Errorf("%T is there", one))
			}
		}
		return nil
	})
}

// says waits until the Status is as it should be.
func (o *operator) says(k *Keeper, what string, is func(Status) bool) {
	o.t.Helper()
	awaits(o.t, what, func(context.Context) error {
		if s := k.Status(); !is(s) {
			return fmt.Errorf("the status is %+v", s)
		}
		return nil
	})
}

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
	create(t, Binding())
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
