package install

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubedemo/memhog-operator/test/cluster"
)

// References of the images that are built here.
const (
	OperatorRef = "memhog-operator:dev"
	MemhogRef   = "memhog:dev"
)

// OperatorKey names the operator's Deployment, as config/default has it.
var OperatorKey = client.ObjectKey{Namespace: "memhog-operator-system", Name: "memhog-operator-controller-manager"}

// managerContainer is the operator's container in that Deployment.
const managerContainer = "manager"

// OperatorImage compiles the operator and lays it out as the image OperatorRef.
func OperatorImage(ctx context.Context, root string) (cluster.Image, error) {
	return cluster.BuildImage(ctx, cluster.ImageSpec{
		Ref: OperatorRef, ModuleDir: root, Package: ".", Entrypoint: "manager",
	})
}

// MemhogImage compiles the workload and lays it out as the image MemhogRef.
func MemhogImage(ctx context.Context, root string) (cluster.Image, error) {
	return cluster.BuildImage(ctx, cluster.ImageSpec{
		Ref: MemhogRef, ModuleDir: filepath.Join(root, "test"), Package: "./memhog",
	})
}

// Operator is an installation of the operator.
type Operator struct {
	// Root is the repository's root folder.
	Root string
	// Image is the reference that its container runs. Default: OperatorRef.
	Image string
	// Args are added to its flags, such as --prometheus-addr=http://192.0.2.7:9090.
	Args []string
}

// Objects are those of config/default, with the image and the flags put in.
func (o Operator) Objects() ([]*unstructured.Unstructured, error) {
	objects, err := Render(filepath.Join(o.Root, "config", "default"))
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		if object.GetKind() == "Deployment" && client.ObjectKeyFromObject(object) == OperatorKey {
			return objects, o.complete(object)
		}
	}
	return nil, fmt.Errorf("config/default has no Deployment %q", OperatorKey)
}

// Install applies config/default and waits until the operator is available.
func (o Operator) Install(ctx context.Context, c client.Client, timeout time.Duration) error {
	objects, err := o.Objects()
	if err != nil {
		return err
	}
	if err := Apply(ctx, c, objects...); err != nil {
		return err
	}
	return WaitAvailable(ctx, c, OperatorKey, timeout)
}

func (o Operator) complete(deployment *unstructured.Unstructured) error {
	image := o.Image
	if image == "" {
		image = OperatorRef
	}
	if err := SetImage(deployment, managerContainer, image); err != nil {
		return err
	}
	return editContainer(deployment, managerContainer, func(container map[string]any) {
		args, _ := container["args"].([]any)
		for _, arg := range o.Args {
			args = append(args, arg)
		}
		container["args"] = args
	})
}
