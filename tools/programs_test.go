package tools

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/semver"
)

func TestEveryProgramIsPinned(t *testing.T) {
	source, err := sourceDir()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, p := range programs {
		t.Run(p.Name, func(t *testing.T) {
			if seen[p.Name] {
				t.Error("the name occurs twice")
			}
			seen[p.Name] = true
			family, err := readPins(filepath.Join(source, p.Family))
			if err != nil {
				t.Fatal(err)
			}
			isTool := false
			for _, tool := range family.mod.Tool {
				isTool = isTool || tool.Path == p.Package
			}
			if !isTool {
				t.Errorf("%s is no tool line of tools/%s/go.mod: `go mod tidy` there would drop it", p.Package, p.Family)
			}
			version, err := family.version(p.Package)
			if err != nil {
				t.Fatal(err)
			}
			if !semver.IsValid(string(version)) {
				t.Errorf("version %q is not a semantic version", version)
			}
			flags, err := linkFlags(p, version)
			if err != nil {
				t.Fatalf("the placeholders of %q do not resolve: %v", p.LDFlags, err)
			}
			if strings.Contains(flags, "{{") {
				t.Errorf("a placeholder is left in %q", flags)
			}
			if p.Cold <= 0 {
				t.Error("no estimate of the build time")
			}
		})
	}
}

func TestEveryToolLineIsAProgram(t *testing.T) {
	source, err := sourceDir()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(source, "*", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		family, err := readPins(filepath.Dir(file))
		if err != nil {
			t.Fatal(err)
		}
		for _, tool := range family.mod.Tool {
			if !slices.ContainsFunc(programs, func(p Program) bool { return p.Package == tool.Path }) {
				t.Errorf("%s names the tool %s, which no program is built from", file, tool.Path)
			}
		}
	}
}

func TestGroups(t *testing.T) {
	for _, name := range GroupNames() {
		if slices.Contains(ProgramNames(), name) {
			t.Errorf("%q is a group and a program", name)
		}
		if _, err := Expand(name); err != nil {
			t.Errorf("group %s: %v", name, err)
		}
	}
}

func TestExpand(t *testing.T) {
	for _, c := range []struct {
		reason string
		names  []string
		want   string
	}{
		{"a program stands for itself", []string{"runc"}, "runc"},
		{"a group stands for its programs, the one others reuse first", []string{"apiserver"}, "kube-apiserver kubectl etcd"},
		{"each program once, in build order", []string{"etcd", "apiserver", "etcd"}, "kube-apiserver kubectl etcd"},
		{"nothing asked, nothing given", nil, ""},
	} {
		list, err := Expand(c.names...)
		if err != nil {
			t.Errorf("%s: %v", c.reason, err)
		}
		var names []string
		for _, p := range list {
			names = append(names, p.Name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%s: Expand(%q) = %q, want %q", c.reason, c.names, got, c.want)
		}
	}
	if _, err := Expand("apiserver", "kubelt"); err == nil || !strings.Contains(err.Error(), `"kubelt"`) {
		t.Errorf("a misspelt name gives the error %v, want one that quotes it", err)
	}
}
