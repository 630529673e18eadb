package tools

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Need is something from outside Go that a build or a program needs of the
// machine. Exactly one of Program, PkgConfig and File says how to tell that it
// is there.
type Need struct {
	// Program is an executable in PATH, or in a folder for root's programs.
	Program string
	// PkgConfig is a C library as pkg-config knows it.
	PkgConfig string
	// File is an absolute path.
	File string
	// Package is the Debian package that brings it.
	Package string
}

// String names the need as a person would.
func (n Need) String() string {
	switch {
	case n.Program != "":
		return "program " + n.Program
	case n.PkgConfig != "":
		return "C library " + n.PkgConfig
	default:
		return "file " + n.File
	}
}

func (n Need) met(ctx context.Context) bool {
	switch {
	case n.Program != "":
		_, err := LookPath(n.Program)
		return err == nil
	case n.PkgConfig != "":
		return exec.CommandContext(ctx, "pkg-config", "--exists", n.PkgConfig).Run() == nil
	default:
		_, err := os.Stat(n.File)
		return err == nil
	}
}

// LookPath finds a program in PATH or in the folders for root's programs, which
// are not in everybody's PATH.
func LookPath(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path, nil
		}
	}
	return "", err
}

// machine is what EnsureDebian asks and does; tests have another one.
type machine struct {
	met  func(context.Context, Need) bool
	root bool
	apt  bool
	run  runner
}

// runner runs a program and returns what it prints.
type runner func(ctx context.Context, name string, args ...string) ([]byte, error)

// EnsureDebian sees to it that the needs are met: as root on a Debian it
// installs the packages that are lacking, elsewhere its error says what to type.
func EnsureDebian(ctx context.Context, out io.Writer, needs ...Need) error {
	_, err := exec.LookPath("apt-get")
	return machine{
		met:  func(ctx context.Context, n Need) bool { return n.met(ctx) },
		root: os.Geteuid() == 0,
		apt:  err == nil,
		run:  runNoninteractive,
	}.ensure(ctx, out, needs)
}

func runNoninteractive(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	return cmd.CombinedOutput()
}

func (m machine) ensure(ctx context.Context, out io.Writer, needs []Need) error {
	missing := m.missing(ctx, needs)
	if len(missing) == 0 {
		return nil
	}
	var packages, lacking []string
	for _, n := range missing {
		lacking = append(lacking, n.String())
		if !slices.Contains(packages, n.Package) {
			packages = append(packages, n.Package)
		}
	}
	names := strings.Join(packages, " ")
	if !m.apt {
		return fmt.Errorf("this machine lacks the %s; install what your system has for Debian's %s, then try again",
			strings.Join(lacking, ", the "), names)
	}
	if !m.root {
		return fmt.Errorf("this machine lacks the %s; type: sudo apt-get update && sudo apt-get install -y --no-install-recommends %s",
			strings.Join(lacking, ", the "), names)
	}
	say(out, "installing Debian's %s for the missing %s", names, strings.Join(lacking, ", "))
	if err := m.install(ctx, packages); err != nil {
		return fmt.Errorf("installing Debian's %s for the missing %s: %w", names, strings.Join(lacking, ", "), err)
	}
	if still := m.missing(ctx, needs); len(still) > 0 {
		return fmt.Errorf("the %s is still missing although Debian's %s is installed", still[0], still[0].Package)
	}
	return nil
}

func (m machine) missing(ctx context.Context, needs []Need) []Need {
	var missing []Need
	for _, n := range needs {
		if !m.met(ctx, n) && !slices.Contains(missing, n) {
			missing = append(missing, n)
		}
	}
	return missing
}

// install tries with the package lists that are there, since fetching them
// takes long; lists that are absent or outdated make it fail, and are fetched then.
func (m machine) install(ctx context.Context, packages []string) error {
	install := append([]string{
		"install", "-y", "-q", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300",
	}, packages...)
	if _, err := m.run(ctx, "apt-get", install...); err == nil {
		return nil
	}
	if output, err := m.run(ctx, "apt-get", "update", "-q"); err != nil {
		return aptError("update", output, err)
	}
	if output, err := m.run(ctx, "apt-get", install...); err != nil {
		return aptError("install", output, err)
	}
	return nil
}

func aptError(verb string, output []byte, err error) error {
	lines := strings.Split(string(bytes.TrimSpace(output)), "\n")
	lines = lines[max(0, len(lines)-10):]
	return fmt.Errorf("apt-get %s: %w\n    %s", verb, err, strings.Join(lines, "\n    "))
}
