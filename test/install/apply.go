package install

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// FieldOwner is the field manager of everything that this package applies.
const FieldOwner = client.FieldOwner("memhog-install")

// poll is how often a state that has no watch here is looked at again.
const poll = 200 * time.Millisecond

// NewClient returns a client for Kubernetes' own types, for AppMonitors and, as unstructured objects, for all others.
func NewClient(config *rest.Config) (client.WithWatch, error) {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientscheme.AddToScheme(scheme))
	utilruntime.Must(v1.AddToScheme(scheme))
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("client for %s: %w", config.Host, err)
	}
	return c, nil
}

// Apply applies the objects server-side, in order. After a CustomResourceDefinition it waits until objects of the new
// kind are accepted. Each object is updated to what the API server made of it.
func Apply(ctx context.Context, c client.Client, objects ...*unstructured.Unstructured) error {
	for _, object := range objects {
		if err := apply(ctx, c, object); err != nil {
			return fmt.Errorf("apply %s: %w", title(object), err)
		}
		if object.GetKind() != "CustomResourceDefinition" {
			continue
		}
		if err := established(ctx, c, object); err != nil {
			return err
		}
	}
	return nil
}

// apply retries what a young cluster refuses for a moment: a namespace without its default service account, a kind
// whose definition is not served yet.
func apply(ctx context.Context, c client.Client, object *unstructured.Unstructured) error {
	// What an earlier application returned must not be sent: an object can be changed and applied again.
	object.SetManagedFields(nil)
	object.SetResourceVersion("")
	var refused error
	err := wait.PollUntilContextTimeout(ctx, poll, 10*time.Second, true, func(ctx context.Context) (bool, error) {
		refused = c.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), FieldOwner, client.ForceOwnership)
		retry := meta.IsNoMatchError(refused) || apierrors.IsNotFound(refused) ||
			apierrors.IsServerTimeout(refused) || apierrors.IsTooManyRequests(refused)
		if refused != nil && !retry {
			return false, refused
		}
		return refused == nil, nil
	})
	if err != nil && refused != nil {
		return refused
	}
	return err
}

func established(ctx context.Context, c client.Client, definition *unstructured.Unstructured) error {
	seen := definition.DeepCopy()
	err := wait.PollUntilContextTimeout(ctx, poll, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		if err := c.Get(ctx, client.ObjectKeyFromObject(definition), seen); err != nil {
			return false, err
		}
		// Before there are any, the API server shows them as null, which is no error here.
		conditions, _, _ := unstructured.NestedSlice(seen.Object, "status", "conditions")
		return slices.ContainsFunc(conditions, func(c any) bool {
			condition, _ := c.(map[string]any)
			return condition["type"] == "Established" && condition["status"] == "True"
		}), nil
	})
	if err != nil {
		return fmt.Errorf("wait until %s is established: %w", title(definition), err)
	}
	return nil
}

// Delete deletes the objects, in reverse order, and waits until they are gone. Objects that don't exist are fine. It
// goes on after an error, so that as little as possible is left.
func Delete(ctx context.Context, c client.Client, objects ...*unstructured.Unstructured) error {
	var errs []error
	var going []*unstructured.Unstructured
	for _, object := range slices.Backward(objects) {
		err := c.Delete(ctx, object, client.PropagationPolicy(metav1.DeletePropagationForeground))
		switch {
		case err == nil:
			going = append(going, object)
		case !gone(err):
			errs = append(errs, fmt.Errorf("delete %s: %w", title(object), err))
		}
	}
	for _, object := range going {
		err := wait.PollUntilContextTimeout(ctx, poll, 2*time.Minute, true, func(ctx context.Context) (bool, error) {
			err := c.Get(ctx, client.ObjectKeyFromObject(object), object.DeepCopy())
			if gone(err) {
				return true, nil
			}
			return false, err
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("wait until %s is gone: %w", title(object), err))
		}
	}
	return errors.Join(errs...)
}

func gone(err error) bool {
	return apierrors.IsNotFound(err) || meta.IsNoMatchError(err)
}
