// Command catalog renders config/catalog/template.yaml to catalog/. The bundle in the repository is at hand; those of
// earlier releases are pulled from where they are published.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/kubedemo/memhog-operator/test/install"
	"github.com/kubedemo/memhog-operator/test/olm"
	"github.com/kubedemo/memhog-operator/test/registry"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	root, err := install.Root()
	if err != nil {
		return err
	}
	template, err := os.ReadFile(filepath.Join(root, "config", "catalog", "template.yaml"))
	if err != nil {
		return err
	}
	bundle, err := olm.Released(root)
	if err != nil {
		return err
	}
	image, err := bundle.Image(ctx)
	if err != nil {
		return err
	}
	images, err := registry.Serve(ctx, "127.0.0.1")
	if err != nil {
		return err
	}
	defer func() { _ = images.Close() }()
	if err := images.Push(ctx, image); err != nil {
		return err
	}
	bundles, err := olm.BundleImages(string(template))
	if err != nil {
		return err
	}
	for _, ref := range bundles {
		if ref != image.Ref {
			if err := images.Copy(ctx, ref); err != nil {
				return err
			}
		}
	}
	renderer, err := olm.NewRenderer(ctx, os.Stderr)
	if err != nil {
		return err
	}
	rendered, err := renderer.Render(ctx, string(template), images)
	if err != nil {
		return err
	}
	file := filepath.Join(root, "catalog", olm.Package, "catalog.yaml")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(rendered), 0o644)
}
