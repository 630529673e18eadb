package tools

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// Version is a module's version, like v1.37.2. Its methods are what a
// Program's LDFlags template may ask for; {{.}} is the version itself.
type Version string

// Bare is the version without the leading v: 1.37.2.
func (v Version) Bare() string { return strings.TrimPrefix(string(v), "v") }

// Major is the first number: 1 of v1.37.2.
func (v Version) Major() string { return v.part(0) }

// Minor is the second number: 37 of v1.37.2.
func (v Version) Minor() string { return v.part(1) }

func (v Version) part(i int) string {
	return strings.SplitN(strings.TrimPrefix(semver.Canonical(string(v)), "v"), ".", 3)[i]
}

// Prometheus is the release that a version of Prometheus' module stands for:
// the module v0.316.0 is the release 3.16.0.
func (v Version) Prometheus() (string, error) {
	minor, err := strconv.Atoi(v.Minor())
	if err != nil || v.Major() != "0" || minor < 100 {
		return "", fmt.Errorf("module version %q is not of Prometheus' form v0.316.0", v)
	}
	_, patch, _ := strings.Cut(strings.TrimPrefix(v.Bare(), "0."), ".")
	return fmt.Sprintf("%d.%d.%s", minor/100, minor%100, patch), nil
}

// pins is what a family's folder says: which modules, in which versions.
type pins struct {
	dir      string
	mod      *modfile.File
	modBytes []byte
	sumBytes []byte
}

func readPins(dir string) (*pins, error) {
	path := filepath.Join(dir, "go.mod")
	modBytes, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	sumBytes, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil {
		return nil, err
	}
	mod, err := modfile.Parse(path, modBytes, nil)
	if err != nil {
		return nil, err
	}
	return &pins{dir: dir, mod: mod, modBytes: modBytes, sumBytes: sumBytes}, nil
}

// version finds the module that holds a package, and what version it is pinned
// at. The longest matching module path wins, as it does for the go command.
func (p *pins) version(pkg string) (Version, error) {
	var found module.Version
	for _, r := range p.mod.Require {
		if holds(r.Mod.Path, pkg) && len(r.Mod.Path) > len(found.Path) {
			found = r.Mod
		}
	}
	if found.Path == "" {
		return "", fmt.Errorf("%s requires no module that holds package %q", filepath.Join(p.dir, "go.mod"), pkg)
	}
	for _, r := range p.mod.Replace {
		if r.Old.Path == found.Path && (r.Old.Version == "" || r.Old.Version == found.Version) && r.New.Version != "" {
			return Version(r.New.Version), nil
		}
	}
	return Version(found.Version), nil
}

func holds(modulePath, pkg string) bool {
	return pkg == modulePath || strings.HasPrefix(pkg, modulePath+"/")
}

// linkFlags fills a program's LDFlags in; -s -w leaves out the symbol table and
// debug information, a third of each executable.
func linkFlags(p Program, v Version) (string, error) {
	t, err := template.New(p.Name).Parse("-s -w " + p.LDFlags)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if err := t.Execute(&b, v); err != nil {
		return "", err
	}
	return strings.TrimSpace(b.String()), nil
}
