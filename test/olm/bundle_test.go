package olm_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubedemo/memhog-operator/test/install"
	"github.com/kubedemo/memhog-operator/test/olm"
)

func released(t *testing.T) (olm.Bundle, string) {
	t.Helper()
	root, err := install.Root()
	must(t, err)
	bundle, err := olm.Released(root)
	must(t, err)
	return bundle, root
}

func TestTheNextVersionDiffersInItsNamesOnly(t *testing.T) {
	bundle, _ := released(t)
	next, err := bundle.Next(filepath.Join(t.TempDir(), "next"), "77.0.0")
	must(t, err)
	const csv = "manifests/memhog-operator.clusterserviceversion.yaml"
	before, err := os.ReadFile(filepath.Join(bundle.Dir, csv))
	must(t, err)
	after, err := os.ReadFile(filepath.Join(next.Dir, csv))
	must(t, err)
	for _, name := range []string{"name: memhog-operator.v77.0.0", "image: " + olm.OperatorRef("77.0.0"), "\n  version: 77.0.0\n"} {
		if !strings.Contains(string(after), name) {
			t.Errorf("the next version does not say %q", name)
		}
	}
	if back := strings.ReplaceAll(string(after), "77.0.0", bundle.Version); back != string(before) {
		t.Errorf("the next version differs in more than its names:\n%s", cmp.Diff(string(before), back))
	}
}

func TestAFailedEditFailsTheNextVersion(t *testing.T) {
	bundle, _ := released(t)
	refused := errors.New("refused")
	_, err := bundle.Next(filepath.Join(t.TempDir(), "next"), "77.0.0", func(string) (string, error) { return "", refused })
	if !errors.Is(err, refused) {
		t.Errorf("the error is %v", err)
	}
}

// TestBundleImageHasTheLabelsOfItsDockerfile keeps the two ways to build the image together.
func TestBundleImageHasTheLabelsOfItsDockerfile(t *testing.T) {
	bundle, root := released(t)
	image, err := bundle.Image(t.Context())
	must(t, err)
	config, err := image.ConfigFile()
	must(t, err)
	text, err := os.ReadFile(filepath.Join(root, "bundle.Dockerfile"))
	must(t, err)
	want := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if label, is := strings.CutPrefix(strings.TrimSpace(line), "LABEL "); is {
			name, value, _ := strings.Cut(label, "=")
			want[name] = value
		}
	}
	if diff := cmp.Diff(want, config.Config.Labels); diff != "" {
		t.Errorf("labels (-Dockerfile +image):\n%s", diff)
	}
}

// TestTheCatalogOffersTheBundle catches a release that was not added to the catalog's template.
func TestTheCatalogOffersTheBundle(t *testing.T) {
	bundle, root := released(t)
	text, err := os.ReadFile(filepath.Join(root, "config", "catalog", "template.yaml"))
	must(t, err)
	images, err := olm.BundleImages(string(text))
	must(t, err)
	if len(images) == 0 || images[len(images)-1] != olm.BundleRef(bundle.Version) {
		t.Errorf("the catalog's bundles are %q, want %q at the end", images, olm.BundleRef(bundle.Version))
	}
}
