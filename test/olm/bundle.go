package olm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kubedemo/memhog-operator/test/cluster"
)

// Names that the released images, the package and its versions have.
const (
	Package     = "memhog-operator"
	imageBase   = "ghcr.io/kubedemo/memhog-operator"
	csvFile     = "manifests/memhog-operator.clusterserviceversion.yaml"
	annotations = "metadata/annotations.yaml"
)

// CSVName is the name of a version's ClusterServiceVersion: memhog-operator.v0.1.0.
func CSVName(version string) string { return Package + ".v" + version }

// OperatorRef is the operator's image of a version.
func OperatorRef(version string) string { return imageBase + ":v" + version }

// ScorecardRef is the image with the scorecard's own tests of a version.
func ScorecardRef(version string) string { return imageBase + "-scorecard:v" + version }

// BundleRef is the bundle's image of a version.
func BundleRef(version string) string { return imageBase + "-bundle:v" + version }

// Bundle is a folder with a bundle, as `make bundle` makes it.
type Bundle struct {
	Dir     string
	Version string
}

// Released is the bundle in the repository.
func Released(root string) (Bundle, error) {
	dir := filepath.Join(root, "bundle")
	var csv struct {
		Spec struct {
			Version string `json:"version"`
		} `json:"spec"`
	}
	text, err := os.ReadFile(filepath.Join(dir, csvFile))
	if err != nil {
		return Bundle{}, fmt.Errorf("read the bundle: %w", err)
	}
	if err := yaml.Unmarshal(text, &csv); err != nil {
		return Bundle{}, fmt.Errorf("read the bundle: %w", err)
	}
	return Bundle{Dir: dir, Version: csv.Spec.Version}, nil
}

// Next writes to dir what the bundle would be as another version: the same but for its name and its images. Each edit
// then gets the text of the ClusterServiceVersion.
func (b Bundle) Next(dir, version string, edits ...func(csv string) (string, error)) (Bundle, error) {
	next := Bundle{Dir: dir, Version: version}
	if err := os.CopyFS(dir, os.DirFS(b.Dir)); err != nil {
		return next, fmt.Errorf("copy bundle %s: %w", b.Version, err)
	}
	file := filepath.Join(dir, csvFile)
	text, err := os.ReadFile(file)
	if err != nil {
		return next, fmt.Errorf("make bundle %s: %w", version, err)
	}
	csv := strings.NewReplacer(
		OperatorRef(b.Version), OperatorRef(version),
		CSVName(b.Version), CSVName(version),
		"\n  version: "+b.Version+"\n", "\n  version: "+version+"\n",
	).Replace(string(text))
	for _, edit := range edits {
		if csv, err = edit(csv); err != nil {
			return next, fmt.Errorf("make bundle %s: %w", version, err)
		}
	}
	return next, os.WriteFile(file, []byte(csv), 0o644)
}

// Image lays the bundle out as bundle.Dockerfile does: the folder's content and, as labels, its annotations.
func (b Bundle) Image(ctx context.Context) (cluster.Image, error) {
	var metadata struct {
		Annotations map[string]string `json:"annotations"`
	}
	text, err := os.ReadFile(filepath.Join(b.Dir, annotations))
	if err == nil {
		err = yaml.Unmarshal(text, &metadata)
	}
	if err != nil {
		return cluster.Image{}, fmt.Errorf("read the bundle's annotations: %w", err)
	}
	return cluster.BuildImage(ctx, cluster.ImageSpec{
		Ref:    BundleRef(b.Version),
		Labels: metadata.Annotations,
		Files: map[string]string{
			"manifests":       filepath.Join(b.Dir, "manifests"),
			"metadata":        filepath.Join(b.Dir, "metadata"),
			"tests/scorecard": filepath.Join(b.Dir, "tests", "scorecard"),
		},
	})
}
