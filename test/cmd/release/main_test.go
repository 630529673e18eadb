package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubedemo/memhog-operator/test/install"
	"github.com/kubedemo/memhog-operator/test/olm"
)

func TestAddReleaseToEveryChannel(t *testing.T) {
	const template = `schema: olm.template.basic
entries:
- schema: olm.package
  name: memhog-operator
- schema: olm.channel
  name: stable
  entries:
  - name: memhog-operator.v0.1.0
- schema: olm.channel
  name: candidate
  entries:
  - name: memhog-operator.v0.1.0
- schema: olm.bundle
  image: ghcr.io/kubedemo/memhog-operator-bundle:v0.1.0
`
	const want = `schema: olm.template.basic
entries:
- schema: olm.package
  name: memhog-operator
- schema: olm.channel
  name: stable
  entries:
  - name: memhog-operator.v0.1.0
  - name: memhog-operator.v0.2.0
    replaces: memhog-operator.v0.1.0
- schema: olm.channel
  name: candidate
  entries:
  - name: memhog-operator.v0.1.0
  - name: memhog-operator.v0.2.0
    replaces: memhog-operator.v0.1.0
- schema: olm.bundle
  image: ghcr.io/kubedemo/memhog-operator-bundle:v0.1.0
- schema: olm.bundle
  image: ghcr.io/kubedemo/memhog-operator-bundle:v0.2.0
`
	got, err := addRelease(template, "0.1.0", "0.2.0")
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v, template (-want +got):\n%s", err, diff)
	}
	if again, err := addRelease(got, "0.1.0", "0.2.0"); again != got || err != nil {
		t.Errorf("added twice, error %v:\n%s", err, again)
	}
}

// TestReleaseEditsThisRepository catches a file that no longer is as the release wants it.
func TestReleaseEditsThisRepository(t *testing.T) {
	from, err := install.Root()
	if err != nil {
		t.Fatal(err)
	}
	before, err := olm.Released(from)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	files := map[string]string{
		"Makefile":                     "VERSION = 77.0.0",
		"CHANGELOG.md":                 "## [77.0.0] - 2030-01-02\n",
		"config/catalog/template.yaml": "memhog-operator-bundle:v77.0.0",
		"docs/install.md":              "memhog-operator-bundle:v77.0.0",
		"config/manifests/bases/memhog-operator.clusterserviceversion.yaml": `createdAt: "2030-01-02T00:00:00Z"`,
	}
	for file := range files {
		text, err := os.ReadFile(filepath.Join(from, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, file)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, file), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := release(root, before.Version, "77.0.0", "2030-01-02"); err != nil {
		t.Fatal(err)
	}
	for file, want := range files {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), want) {
			t.Errorf("%s does not say %q", file, want)
		}
	}
}

func TestAVersionIsWanted(t *testing.T) {
	for _, args := range [][]string{nil, {"v1.0.0"}, {"1.0"}, {"1.0.0", "1.0.1"}} {
		if err := run(args, time.Time{}); err == nil {
			t.Errorf("%q was taken for a version", args)
		}
	}
}
