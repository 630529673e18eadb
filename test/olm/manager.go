package olm

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubedemo/memhog-operator/test/cluster"
	"github.com/kubedemo/memhog-operator/test/install"
	"github.com/kubedemo/memhog-operator/tools"
)

// ManagerNamespace is where OLM's own programs run. A CatalogSource in it is a catalog for every namespace.
const ManagerNamespace = "olm"

// References of the images that OLM consists of, in manager.yaml.
const (
	managerRef = "quay.io/operator-framework/olm:pinned"
	opmRef     = "quay.io/operator-framework/opm:pinned"
)

//go:embed manager.yaml
var manager []byte

// ManagerImages lays out OLM's programs and opm as the images that manager.yaml names. Progress goes to out.
func ManagerImages(ctx context.Context, out io.Writer, root string) ([]cluster.Image, error) {
	programs, err := tools.Build(ctx, out, "lifecycle")
	if err != nil {
		return nil, fmt.Errorf("build the Operator Lifecycle Manager: %w", err)
	}
	utilities, err := UtilitiesImage(ctx, root, cluster.ImageSpec{
		Ref: managerRef, User: "1001:1001",
		Programs: map[string]string{
			"bin/olm":          programs["olm"],
			"bin/catalog":      programs["catalog"],
			"bin/copy-content": programs["copy-content"],
			"bin/cpb":          programs["cpb"],
		},
	})
	if err != nil {
		return nil, err
	}
	opm, err := cluster.BuildImage(ctx, cluster.ImageSpec{
		Ref: opmRef, Binary: programs["opm"], Entrypoint: "bin/opm", User: "1001:1001",
		Programs: map[string]string{"bin/grpc_health_probe": programs["grpc-health-probe"]},
	})
	return []cluster.Image{utilities, opm}, err
}

// UtilitiesImage builds an image that also has cp and tar in /bin.
func UtilitiesImage(ctx context.Context, root string, spec cluster.ImageSpec) (cluster.Image, error) {
	dir, err := os.MkdirTemp("", "memhog-utilities-")
	if err != nil {
		return cluster.Image{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program := filepath.Join(dir, "coreutils")
	source := cluster.ImageSpec{ModuleDir: filepath.Join(root, "test"), Package: "./olm/coreutils"}
	if err := cluster.Compile(ctx, source, program); err != nil {
		return cluster.Image{}, err
	}
	programs := map[string]string{"bin/cp": program, "bin/tar": program}
	maps.Copy(programs, spec.Programs)
	spec.Programs = programs
	return cluster.BuildImage(ctx, spec)
}

// InstallManager installs OLM and waits until it is available.
func InstallManager(ctx context.Context, c client.Client, timeout time.Duration) error {
	definitions, err := managerCRDs(ctx)
	if err != nil {
		return err
	}
	objects, err := install.Decode(manager)
	if err != nil {
		return fmt.Errorf("install the Operator Lifecycle Manager: %w", err)
	}
	if err := install.Apply(ctx, c, append(definitions, objects...)...); err != nil {
		return err
	}
	for _, name := range []string{"olm-operator", "catalog-operator"} {
		key := client.ObjectKey{Namespace: ManagerNamespace, Name: name}
		if err := install.WaitAvailable(ctx, c, key, timeout); err != nil {
			return err
		}
	}
	return nil
}

// managerCRDs reads OLM's definitions from its module, in the version that its programs are built from.
func managerCRDs(ctx context.Context) ([]*unstructured.Unstructured, error) {
	source, err := tools.Source(ctx, "olm")
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(source, "deploy", "chart", "crds", "*.yaml"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no definitions of the Operator Lifecycle Manager in %s", source)
	}
	var definitions []*unstructured.Unstructured
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		objects, err := install.Decode(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		definitions = append(definitions, objects...)
	}
	return definitions, nil
}
