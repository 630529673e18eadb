package operand

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// farewell is how often it is looked whether the last agents are gone.
const farewell = 2 * time.Second

// applied are the states of objects that were applied, by their kinds. One that is as it was left needs no further write.
type applied map[string]state

type state struct {
	uid        types.UID
	generation int64
	owner      types.UID
}

// apply brings the agents' objects to what they should be: first what confines agents, then agents.
func (k *Keeper) apply(ctx context.Context, seen client.Reader, home *Home) error {
	err := k.confine(ctx, seen, home)
	if apierrors.IsForbidden(err) {
		return &obstacle{remove: true, text: "the operator may not confine agents: " + err.Error()}
	}
	if err != nil {
		return err
	}
	return k.applyOne(ctx, seen, DaemonSet(*home, k.Settings))
}

// confine puts the admission policy in force. One that has to be written goes to the owner of this moment: it may have been
// collected because its last one is gone, and would be again.
func (k *Keeper) confine(ctx context.Context, seen client.Reader, home *Home) error {
	if err := k.othersConfined(ctx, seen, home.Namespace); err != nil {
		return err
	}
	stands, err := k.stands(ctx, seen, Policy(home.Namespace, home.PolicyOwner...))
	if err == nil && stands {
		stands, err = k.stands(ctx, seen, Binding(home.Namespace, home.PolicyOwner...))
	}
	if err != nil || stands {
		return err
	}
	if home.PolicyOwner, err = policyOwner(ctx, k.client, k.Namespace, k.Version); err != nil {
		return err
	}
	if err := k.applyOne(ctx, seen, Policy(home.Namespace, home.PolicyOwner...)); err != nil {
		return err
	}
	return k.applyOne(ctx, seen, Binding(home.Namespace, home.PolicyOwner...))
}

// othersConfined is an obstacle where the policy is that of another operator. Two would take it from each other again and again, with the
// agents of one of them confined by nothing.
func (k *Keeper) othersConfined(ctx context.Context, seen client.Reader, namespace string) error {
	there := Policy(namespace)
	err := seen.Get(ctx, client.ObjectKeyFromObject(there), there)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read ValidatingAdmissionPolicy %q: %w", Name, err)
	}
	if other := instanceOf(there); err == nil && other != "" && other != namespace {
		return &obstacle{remove: true, text: fmt.Sprintf("ValidatingAdmissionPolicy %s confines the agents of another operator, "+
			"in namespace %q, and a cluster can have those of one: run one of the two with --agent=off, or delete the policy when "+
			"that operator is gone", Name, other)}
	}
	return nil
}

// instanceOf is the namespace of the operator that has a cluster-wide object.
func instanceOf(o client.Object) string { return o.GetLabels()[instanceLabel] }

// stands is true for an object that is as it was last written. Whoever changes its spec raises its generation.
func (k *Keeper) stands(ctx context.Context, seen client.Reader, want client.Object) (bool, error) {
	kind := want.GetObjectKind().GroupVersionKind().Kind
	there, _ := want.DeepCopyObject().(client.Object)
	err := seen.Get(ctx, client.ObjectKeyFromObject(want), there)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("read %s %q: %w", kind, want.GetName(), err)
	}
	return err == nil && k.applied[kind].same(there, want), nil
}

// applyOne writes an object unless it stands.
func (k *Keeper) applyOne(ctx context.Context, seen client.Reader, want client.Object) error {
	if stands, err := k.stands(ctx, seen, want); err != nil || stands {
		return err
	}
	kind := want.GetObjectKind().GroupVersionKind().Kind
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(want)
	if err != nil {
		return fmt.Errorf("convert %s %q: %w", kind, want.GetName(), err)
	}
	delete(object, "status")
	written := &unstructured.Unstructured{Object: object}
	err = k.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(written), client.FieldOwner(FieldManager), client.ForceOwnership)
	if err != nil {
		return fmt.Errorf("apply %s %q: %w", kind, want.GetName(), err)
	}
	k.applied[kind] = state{uid: written.GetUID(), generation: written.GetGeneration(), owner: ownerOf(want)}
	return nil
}

// same is true for an object that nobody has changed since, and that is to belong to whom it was given to. A cache may show an
// earlier state for a moment.
func (s state) same(there, want client.Object) bool {
	return s.uid == there.GetUID() && s.generation >= there.GetGeneration() && s.owner == ownerOf(want) &&
		(ownerOf(want) == "" || s.owner == ownerOf(there))
}

func ownerOf(o client.Object) types.UID {
	for _, owner := range o.GetOwnerReferences() {
		return owner.UID
	}
	return ""
}

// remove takes away the agents, and then what confined them.
func (k *Keeper) remove(ctx context.Context) error {
	if k.Namespace == "" {
		return nil // nothing was made from outside of a Pod
	}
	if err := k.delete(ctx, DaemonSet(Home{Namespace: k.Namespace}, k.Settings)); err != nil {
		return err
	}
	if err := k.agentsGone(ctx); err != nil {
		return err
	}
	for _, o := range []client.Object{Binding(k.Namespace), Policy(k.Namespace)} {
		if err := k.delete(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// agentsGone waits for the end of the last agent.
func (k *Keeper) agentsGone(ctx context.Context) error {
	for {
		pods := &metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}}
		err := k.client.List(ctx, pods, client.InNamespace(k.Namespace), client.MatchingLabels(labels()))
		if err != nil || len(pods.Items) == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(farewell):
		}
	}
}

// delete removes an object, if it is there and the operator's.
func (k *Keeper) delete(ctx context.Context, o client.Object) error {
	kind, instance := o.GetObjectKind().GroupVersionKind().Kind, instanceOf(o)
	err := k.client.Get(ctx, client.ObjectKeyFromObject(o), o)
	switch {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
		return nil // who may not read it has not made it
	case err != nil:
		return fmt.Errorf("read %s %q: %w", kind, o.GetName(), err)
	case o.GetLabels()[nameLabel] != operatorName:
		return nil
	case instanceOf(o) != "" && instanceOf(o) != instance:
		return nil // another operator's; what names none was made, or changed, by somebody who did not know of two
	}
	err = k.client.Delete(ctx, o, client.PropagationPolicy(metav1.DeletePropagationBackground))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete %s %q: %w", kind, o.GetName(), err)
	}
	k.Log.Info("removed", "kind", kind, "name", o.GetName())
	return nil
}
