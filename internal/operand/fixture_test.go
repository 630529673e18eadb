package operand

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// operator is one that runs in a Pod of a Deployment, with the rights that config/rbac gives it.
type operator struct {
	t         *testing.T
	namespace string
	pod       *corev1.Pod
	deploy    *appsv1.Deployment
	pace      pace
}

func newOperator(t *testing.T) *operator {
	t.Helper()
	o := &operator{t: t, namespace: newNamespace(t), pace: pace{
		retry: 50 * time.Millisecond, recheck: 200 * time.Millisecond, pause: 10 * time.Millisecond,
	}}
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
	for _, left := range []client.Object{Policy(o.namespace), Binding(o.namespace), DaemonSet(Home{Namespace: o.namespace}, settings())} {
		if err := client.IgnoreNotFound(live.Delete(ctx, left)); err != nil {
			o.t.Errorf("delete %s: %v", left.GetName(), err)
		}
	}
}

// removes runs a Keeper that is to have no agents, to its end.
func (o *operator) removes() {
	o.t.Helper()
	k, err := New(o.options(func(opts *Options) { opts.Settings.Mode = Off }))
	must(o.t, err)
	must(o.t, k.Start(o.t.Context()))
}

// options are those of a Keeper with the operator's rights.
func (o *operator) options(change ...func(*Options)) Options {
	opts := Options{
		Config: as(o.namespace, "memhog-operator-controller-manager"), Settings: settings(),
		Namespace: o.namespace, Pod: o.pod.Name, Log: testr.New(o.t),
	}
	for _, c := range change {
		c(&opts)
	}
	return opts
}

// keeps starts a Keeper with the operator's rights, until the test is over or the returned function is called.
func (o *operator) keeps(change ...func(*Options)) (*Keeper, func()) {
	o.t.Helper()
	k, err := New(o.options(change...))
	must(o.t, err)
	k.pace = o.pace
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
