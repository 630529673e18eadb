// Package registry serves container images from this process, for clusters and tools that pull what was built here.
package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	server "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubedemo/memhog-operator/test/cluster"
)

// Registry is a container registry in this process. It speaks plain HTTP, so it listens where nobody else can reach it.
type Registry struct {
	listener net.Listener
	server   *http.Server
}

// Serve starts a registry at an address of this machine, on a port that the kernel chooses.
func Serve(ctx context.Context, host string) (*Registry, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, fmt.Errorf("serve images: %w", err)
	}
	r := &Registry{listener: listener, server: &http.Server{
		Handler:           server.New(server.Logger(log.New(io.Discard, "", 0))),
		ReadHeaderTimeout: 10 * time.Second,
	}}
	go func() {
		if err := r.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintln(os.Stderr, "serve images:", err)
		}
	}()
	return r, nil
}

// Close ends the registry and forgets its images.
func (r *Registry) Close() error { return r.server.Close() }

// Address is host:port, as image names begin with it.
func (r *Registry) Address() string { return r.listener.Addr().String() }

// URL is the address as container runtimes want it.
func (r *Registry) URL() string { return "http://" + r.Address() }

// Push adds images. Each is found by its name without the registry's: ghcr.io/kubedemo/memhog:v1 as kubedemo/memhog:v1.
func (r *Registry) Push(ctx context.Context, images ...cluster.Image) error {
	for _, image := range images {
		ref, err := name.NewTag(image.Ref)
		if err != nil {
			return fmt.Errorf("push image %q: %w", image.Ref, err)
		}
		here, err := name.NewTag(r.Address()+"/"+ref.RepositoryStr()+":"+ref.TagStr(), name.Insecure)
		if err != nil {
			return fmt.Errorf("push image %q: %w", image.Ref, err)
		}
		if err := remote.Write(here, image.Image, remote.WithContext(ctx)); err != nil {
			return fmt.Errorf("push image %q: %w", image.Ref, err)
		}
	}
	return nil
}

// Copy adds an image from where its name says.
func (r *Registry) Copy(ctx context.Context, ref string) error {
	from, err := name.NewTag(ref)
	if err != nil {
		return fmt.Errorf("copy image %q: %w", ref, err)
	}
	image, err := remote.Image(from, remote.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("copy image %q: %w", ref, err)
	}
	return r.Push(ctx, cluster.Image{Image: image, Ref: ref})
}

// Instead is a containers-registries.conf(5) by which tools such as opm and skopeo look here, and nowhere else, for what
// is named after another registry.
func (r *Registry) Instead(of string) string {
	return fmt.Sprintf("[[registry]]\nprefix = %q\nlocation = %q\ninsecure = true\n", of, r.Address())
}
