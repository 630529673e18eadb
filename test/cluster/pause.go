package cluster

import (
	"context"
	_ "embed"
	"os"
	"path/filepath"
)

// pauseImage holds the namespaces of every Pod; there is no registry to pull
// Kubernetes' own from.
const pauseImage = "localhost/memhog-cluster/pause:1"

// pauseSource is embedded, so that the library needs no path to its own source.
//
//go:embed pause/main.go
var pauseSource []byte

func buildPauseImage(ctx context.Context) (Image, error) {
	dir, err := os.MkdirTemp("", "memhog-pause-")
	if err != nil {
		return Image{}, err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "main.go"), pauseSource, 0o644); err != nil {
		return Image{}, err
	}
	return BuildImage(ctx, ImageSpec{Ref: pauseImage, ModuleDir: dir, Package: "main.go", Entrypoint: "pause"})
}
