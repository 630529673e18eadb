package tools

import (
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

func parsePins(t *testing.T, gomod string) *pins {
	t.Helper()
	mod, err := modfile.Parse("go.mod", []byte(gomod), nil)
	if err != nil {
		t.Fatal(err)
	}
	return &pins{dir: "/fixture", mod: mod, modBytes: []byte(gomod), sumBytes: []byte("sum")}
}

func TestVersionOfPackage(t *testing.T) {
	family := parsePins(t, `module fixture
require (
	example.com/a v1.2.3
	example.com/a/nested v0.1.0
	example.com/old v1.0.0
	example.com/local v1.0.0
)
replace example.com/old => example.com/new v2.0.0-rc.1
replace example.com/local => ../local
`)
	for _, c := range []struct {
		reason, pkg, want string
	}{
		{"the module's root", "example.com/a", "v1.2.3"},
		{"a folder of the module", "example.com/a/cmd/x", "v1.2.3"},
		{"the longest module path wins", "example.com/a/nested/cmd", "v0.1.0"},
		{"a name that merely begins alike is another module", "example.com/ab", ""},
		{"what is built is the replacement", "example.com/old/cmd", "v2.0.0-rc.1"},
		{"a replacement by a folder has no version of its own", "example.com/local", "v1.0.0"},
	} {
		got, err := family.version(c.pkg)
		if string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: version(%q) = %q, %v, want %q", c.reason, c.pkg, got, err, c.want)
		}
	}
}

func TestLinkFlags(t *testing.T) {
	for _, c := range []struct {
		reason, flags string
		version       Version
		want          string
	}{
		{"no flags but the ones for size", "", "v1.0.0", "-s -w"},
		{"the version itself", "-X v={{.}}", "v1.37.2", "-s -w -X v=v1.37.2"},
		{"without its v", "-X v={{.Bare}}", "v1.4.0", "-s -w -X v=1.4.0"},
		{"its parts", "-X a={{.Major}} -X i={{.Minor}}", "v1.37.2", "-s -w -X a=1 -X i=37"},
		{"Prometheus hides its release in the minor number", "-X v={{.Prometheus}}", "v0.316.0", "-s -w -X v=3.16.0"},
		{"and in the patch number", "-X v={{.Prometheus}}", "v0.305.1", "-s -w -X v=3.5.1"},
		{"another module is no Prometheus", "-X v={{.Prometheus}}", "v1.2.0", ""},
		{"a placeholder nobody knows", "-X v={{.Patch}}", "v1.2.0", ""},
	} {
		got, err := linkFlags(Program{Name: "fixture", LDFlags: c.flags}, c.version)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v, want %q", c.reason, got, err, c.want)
		}
	}
}

func TestKeyChangesWithWhatShapesTheExecutable(t *testing.T) {
	const gomod = "module fixture\nrequire example.com/a v1.2.3\n"
	type inputs struct {
		program   Program
		family    *pins
		goVersion string
	}
	base := func() inputs {
		return inputs{
			program:   Program{Name: "x", Package: "example.com/a/cmd/x", Tags: []string{"one"}, LDFlags: "-X v={{.}}"},
			family:    parsePins(t, gomod),
			goVersion: "go1.26.8",
		}
	}
	key := func(in inputs) string {
		r, err := resolve(in.program, in.family, in.goVersion)
		if err != nil {
			t.Fatal(err)
		}
		return r.key
	}
	before := key(base())
	if !strings.HasPrefix(before, "x-v1.2.3-") {
		t.Errorf("key %q does not show name and version", before)
	}
	for _, c := range []struct {
		reason  string
		change  func(*inputs)
		rebuilt bool
	}{
		{"nothing", func(*inputs) {}, false},
		{"a better estimate", func(in *inputs) { in.program.Cold = 1 }, false},
		{"another need", func(in *inputs) { in.program.Needs = []Need{{Program: "gcc"}} }, false},
		{"the clone is elsewhere", func(in *inputs) { in.family.dir = "/elsewhere" }, false},
		{"the pin", func(in *inputs) { in.family = parsePins(t, strings.ReplaceAll(gomod, "v1.2.3", "v1.2.4")) }, true},
		{"a dependency's pin", func(in *inputs) { in.family = parsePins(t, gomod+"require example.com/b v1.0.0\n") }, true},
		{"a checksum", func(in *inputs) { in.family.sumBytes = []byte("other") }, true},
		{"a tag", func(in *inputs) { in.program.Tags = []string{"two"} }, true},
		{"a linker flag", func(in *inputs) { in.program.LDFlags = "" }, true},
		{"cgo", func(in *inputs) { in.program.CGO = true }, true},
		{"the Go version", func(in *inputs) { in.goVersion = "go1.26.9" }, true},
		{"the package", func(in *inputs) { in.program.Package = "example.com/a/cmd/y" }, true},
	} {
		in := base()
		c.change(&in)
		if rebuilt := key(in) != before; rebuilt != c.rebuilt {
			t.Errorf("changed %s: rebuilt = %v, want %v", c.reason, rebuilt, c.rebuilt)
		}
	}
}
