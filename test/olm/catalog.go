package olm

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kubedemo/memhog-operator/test/cluster"
	"github.com/kubedemo/memhog-operator/test/registry"
	"github.com/kubedemo/memhog-operator/tools"
)

// CatalogRef is the catalog's image.
const CatalogRef = imageBase + "-catalog:latest"

// Where a catalog's image has its content, and opm's index of it; catalog.Dockerfile says the same.
const (
	catalogConfigs = "configs"
	catalogCache   = "cache"
)

// acceptAnything lets opm take images that nobody has signed.
const acceptAnything = `{"default": [{"type": "insecureAcceptAnything"}]}`

// Renderer makes catalogs, by opm.
type Renderer struct {
	opm string
	out io.Writer
}

// NewRenderer finds opm, and builds it where that was never done.
func NewRenderer(ctx context.Context, out io.Writer) (Renderer, error) {
	programs, err := tools.Build(ctx, out, "opm")
	return Renderer{opm: programs["opm"], out: out}, err
}

// BundleImages lists the bundles' images of a template.
func BundleImages(template string) ([]string, error) {
	var content struct {
		Entries []struct {
			Schema string `json:"schema"`
			Image  string `json:"image"`
		} `json:"entries"`
	}
	if err := yaml.Unmarshal([]byte(template), &content); err != nil {
		return nil, fmt.Errorf("read the catalog's template: %w", err)
	}
	var images []string
	for _, entry := range content.Entries {
		if entry.Schema == "olm.bundle" {
			images = append(images, entry.Image)
		}
	}
	return images, nil
}

// Render fills a template's bundles in, from their images in the registry, and validates the result.
func (r Renderer) Render(ctx context.Context, template string, from *registry.Registry) (string, error) {
	home, err := os.MkdirTemp("", "memhog-catalog-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(home)
	for file, text := range map[string]string{
		".config/containers/policy.json":     acceptAnything,
		".config/containers/registries.conf": from.Instead(strings.Split(imageBase, "/")[0]),
		"template.yaml":                      template,
	} {
		file = filepath.Join(home, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	rendered, err := r.run(ctx, home, "alpha", "render-template", "basic", filepath.Join(home, "template.yaml"),
		"--use-http", "--output=yaml", "--migrate-level=bundle-object-to-csv-metadata")
	if err != nil {
		return "", err
	}
	dir := filepath.Join(home, "validate")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "catalog.yaml"), []byte(rendered), 0o644); err != nil {
		return "", err
	}
	_, err = r.run(ctx, home, "validate", dir)
	return rendered, err
}

// Image lays a rendered catalog out as catalog.Dockerfile does: opm serves it, from an index that is built here.
func (r Renderer) Image(ctx context.Context, catalog, ref string) (cluster.Image, error) {
	dir, err := os.MkdirTemp("", "memhog-catalog-")
	if err != nil {
		return cluster.Image{}, err
	}
	defer os.RemoveAll(dir)
	configs, cache := filepath.Join(dir, catalogConfigs), filepath.Join(dir, catalogCache)
	if err := os.MkdirAll(filepath.Join(configs, Package), 0o755); err != nil {
		return cluster.Image{}, err
	}
	if err := os.WriteFile(filepath.Join(configs, Package, "catalog.yaml"), []byte(catalog), 0o644); err != nil {
		return cluster.Image{}, err
	}
	if _, err := r.run(ctx, dir, "serve", configs, "--cache-dir="+cache, "--cache-only"); err != nil {
		return cluster.Image{}, err
	}
	programs, err := tools.Build(ctx, r.out, "grpc-health-probe")
	if err != nil {
		return cluster.Image{}, err
	}
	return cluster.BuildImage(ctx, cluster.ImageSpec{
		Ref: ref, Binary: r.opm, Entrypoint: "bin/opm", User: "1001:1001",
		Args:     []string{"serve", "/" + catalogConfigs, "--cache-dir=/" + catalogCache},
		Programs: map[string]string{"bin/grpc_health_probe": programs["grpc-health-probe"]},
		Files:    map[string]string{catalogConfigs: configs, catalogCache: cache},
		Labels:   map[string]string{"operators.operatorframework.io.index.configs.v1": "/" + catalogConfigs},
	})
}

func (r Renderer) run(ctx context.Context, home string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, r.opm, args...)
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "HOME="+home)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("opm %v: %w\n%s", args, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.String(), nil
}
