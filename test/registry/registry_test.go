package registry_test

import (
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubedemo/memhog-operator/test/cluster"
	"github.com/kubedemo/memhog-operator/test/registry"
)

func TestAnImageIsFoundByItsNameWithoutTheRegistrys(t *testing.T) {
	images, err := registry.Serve(t.Context(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = images.Close() }()
	made, err := random.Image(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := images.Push(t.Context(), cluster.Image{Image: made, Ref: "registry.example/some/name:v1"}); err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewTag(images.Address()+"/some/name:v1", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	found, err := remote.Image(ref, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	want, _ := made.Digest()
	if got, err := found.Digest(); err != nil || got != want {
		t.Errorf("found %v (%v), want %v", got, err, want)
	}
	if config := images.Instead("registry.example"); !strings.Contains(config, images.Address()) {
		t.Errorf("the configuration does not name %s:\n%s", images.Address(), config)
	}
}

func TestABadNameIsRefused(t *testing.T) {
	images, err := registry.Serve(t.Context(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = images.Close() }()
	if err := images.Push(t.Context(), cluster.Image{Ref: "Not A Name"}); err == nil {
		t.Error("it was pushed")
	}
}
