package cluster

import (
	"archive/tar"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestBuildImage(t *testing.T) {
	extra := filepath.Join(t.TempDir(), "extra")
	if err := os.WriteFile(extra, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	spec := ImageSpec{
		Ref: "localhost/probe:test", ModuleDir: "..", Package: "./cluster/testdata/probe",
		Files: map[string]string{"/etc/extra": extra},
	}
	first, err := BuildImage(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	second, err := BuildImage(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	one, err := first.Digest()
	if err != nil {
		t.Fatal(err)
	}
	two, err := second.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if one != two {
		t.Errorf("the same program gave two images, %s and %s", one, two)
	}
	config, err := first.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if got := config.Config; got.User != NonRoot || len(got.Entrypoint) != 1 || got.Entrypoint[0] != "/probe" {
		t.Errorf("user %q, entrypoint %q, want %q and /probe", got.User, got.Entrypoint, NonRoot)
	}
	layers, err := first.Layers()
	if err != nil {
		t.Fatal(err)
	}
	if len(layers) != 1 {
		t.Fatalf("%d layers, want 1", len(layers))
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	got := map[string]int64{}
	for r := tar.NewReader(content); ; {
		header, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got[header.Name] = header.Mode
	}
	if len(got) != 2 || got["probe"] != 0o755 || got["etc/extra"] != 0o644 {
		t.Errorf("files and modes in the image: %v", got)
	}
}

func TestBuildImageRefuses(t *testing.T) {
	for _, tt := range []struct {
		reason string
		spec   ImageSpec
	}{
		{"no name", ImageSpec{Package: "./cluster/testdata/probe", ModuleDir: ".."}},
		{"nothing to put in", ImageSpec{Ref: "localhost/x:1"}},
		{"a package that does not exist", ImageSpec{Ref: "localhost/x:1", ModuleDir: "..", Package: "./nowhere"}},
		{"a binary that does not exist", ImageSpec{Ref: "localhost/x:1", Binary: "/nowhere"}},
	} {
		if _, err := BuildImage(t.Context(), tt.spec); err == nil {
			t.Errorf("%s: want an error", tt.reason)
		}
	}
}
