package olm

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"

	"github.com/kubedemo/memhog-operator/test/cluster"
	"github.com/kubedemo/memhog-operator/tools"
)

// Where the scorecard's tests run, and as whom: test/scorecard/rights.yaml.
const (
	ScorecardNamespace = "memhog-scorecard"
	ScorecardAccount   = "scorecard"
)

// UntarRef is the image that unpacks the bundle for each test.
const UntarRef = "quay.io/operator-framework/scorecard-untar:pinned"

// ScorecardImages lays out the images of a bundle's scorecard, under the names that its configuration has for them: the
// tests that come with the SDK, our own, and what unpacks the bundle for them.
func ScorecardImages(ctx context.Context, out io.Writer, root string, bundle Bundle) ([]cluster.Image, error) {
	programs, err := tools.Build(ctx, out, "scorecard-test")
	if err != nil {
		return nil, fmt.Errorf("build the scorecard's tests: %w", err)
	}
	refs, err := scorecardRefs(bundle)
	if err != nil {
		return nil, err
	}
	untar, err := UtilitiesImage(ctx, root, cluster.ImageSpec{Ref: UntarRef})
	if err != nil {
		return nil, err
	}
	ours, err := ownScorecardImage(ctx, root, ScorecardRef(bundle.Version))
	if err != nil {
		return nil, err
	}
	images := []cluster.Image{untar}
	for _, ref := range refs {
		if ref == ours.Ref {
			continue
		}
		theirs, err := cluster.BuildImage(ctx, cluster.ImageSpec{
			Ref: ref, Binary: programs["scorecard-test"], Entrypoint: "usr/local/bin/scorecard-test",
		})
		if err != nil {
			return nil, err
		}
		images = append(images, theirs)
	}
	return append(images, ours), nil
}

// ownScorecardImage holds our tests and the workload that they start, as test/scorecard/Dockerfile does.
func ownScorecardImage(ctx context.Context, root, ref string) (cluster.Image, error) {
	dir, err := os.MkdirTemp("", "memhog-scorecard-")
	if err != nil {
		return cluster.Image{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	module, memhog := filepath.Join(root, "test"), filepath.Join(dir, "memhog")
	if err := cluster.Compile(ctx, cluster.ImageSpec{ModuleDir: module, Package: "./memhog"}, memhog); err != nil {
		return cluster.Image{}, err
	}
	return cluster.BuildImage(ctx, cluster.ImageSpec{
		Ref: ref, ModuleDir: module, Package: "./scorecard", Programs: map[string]string{"memhog": memhog},
	})
}

// scorecardRefs lists the images of a bundle's scorecard, each once.
func scorecardRefs(bundle Bundle) ([]string, error) {
	var config struct {
		Stages []struct {
			Tests []struct {
				Image string `json:"image"`
			} `json:"tests"`
		} `json:"stages"`
	}
	text, err := os.ReadFile(filepath.Join(bundle.Dir, "tests", "scorecard", "config.yaml"))
	if err == nil {
		err = yaml.Unmarshal(text, &config)
	}
	if err != nil {
		return nil, fmt.Errorf("read the scorecard's configuration: %w", err)
	}
	var refs []string
	seen := map[string]bool{}
	for _, stage := range config.Stages {
		for _, test := range stage.Tests {
			if !seen[test.Image] {
				seen[test.Image] = true
				refs = append(refs, test.Image)
			}
		}
	}
	return refs, nil
}
