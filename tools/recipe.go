package tools

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// modulePath is this module's; it tells our go.mod from another one.
const modulePath = "github.com/kubedemo/memhog-operator/tools"

// recipe is a Program with everything resolved that its executable depends on.
type recipe struct {
	Program
	version   Version
	dir       string // of the family
	ldflags   string
	goVersion string
	key       string
	cache     string
}

// plan resolves names of programs and groups, in build order.
func plan(ctx context.Context, names ...string) ([]recipe, error) {
	list, err := Expand(names...)
	if err != nil {
		return nil, err
	}
	source, err := sourceDir()
	if err != nil {
		return nil, err
	}
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	// One go.mod and one question to the go command serve a whole family.
	families, goVersions := map[string]*pins{}, map[string]string{}
	var recipes []recipe
	for _, p := range list {
		if families[p.Family] == nil {
			dir := filepath.Join(source, p.Family)
			if families[p.Family], err = readPins(dir); err != nil {
				return nil, fmt.Errorf("reading the pins of %s: %w", p.Name, err)
			}
			if goVersions[p.Family], err = goVersion(ctx, dir); err != nil {
				return nil, err
			}
		}
		r, err := resolve(p, families[p.Family], goVersions[p.Family])
		if err != nil {
			return nil, fmt.Errorf("planning the build of %s: %w", p.Name, err)
		}
		r.cache = cache
		recipes = append(recipes, r)
	}
	return recipes, nil
}

func resolve(p Program, family *pins, goVersion string) (recipe, error) {
	r := recipe{Program: p, dir: family.dir, goVersion: goVersion}
	var err error
	if r.version, err = family.version(p.Package); err != nil {
		return r, err
	}
	if r.ldflags, err = linkFlags(p, r.version); err != nil {
		return r, err
	}
	r.key = fmt.Sprintf("%s-%s-%s", p.Name, r.version, r.digest(family))
	return r, nil
}

// digest covers everything that shapes the executable, so that a changed pin
// rebuilds the programs of its family and nothing else does.
func (r recipe) digest(family *pins) string {
	h := sha256.New()
	for _, part := range []string{
		string(family.modBytes), string(family.sumBytes), r.Package, strings.Join(r.Tags, ","), r.ldflags,
		fmt.Sprint(r.CGO), r.goVersion, runtime.GOOS, runtime.GOARCH,
	} {
		// The length keeps "ab"+"c" apart from "a"+"bc".
		_, _ = fmt.Fprintf(h, "%d:", len(part))
		_, _ = io.WriteString(h, part)
	}
	return fmt.Sprintf("%x", h.Sum(nil))[:12]
}

// path is where the executable is, or will be. Its own name comes last because
// some programs look at the name they were started by.
func (r recipe) path() string { return filepath.Join(r.cache, "bin", r.key, r.Name) }

func (r recipe) cached() bool {
	info, err := os.Stat(r.path())
	return err == nil && info.Mode().IsRegular()
}

// title names program and version for people.
func (r recipe) title() string { return r.Name + " " + string(r.version) }

// goCommand prepares a go command in the program's family, free of settings of
// the caller's shell that would change the result: the programs run here, on
// this machine, whatever the caller is cross-compiling.
func (r recipe) goCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = r.dir
	cgo := "CGO_ENABLED=0"
	if r.CGO {
		cgo = "CGO_ENABLED=1"
	}
	cmd.Env = append(os.Environ(), cgo, "GOFLAGS=-mod=readonly", "GOWORK=off",
		"GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH, "PWD="+r.dir)
	if r.cache != "" {
		// An interrupted go leaves its temporary files behind; there they are ours
		// to remove.
		cmd.Env = append(cmd.Env, "GOTMPDIR="+scratchDir(r.cache))
	}
	// In a process group of its own, go and its compilers get a ^C once, from us,
	// and not a second time from the terminal.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// goVersion asks for the toolchain a family is built with: its go.mod may
// select a newer one than ours.
func goVersion(ctx context.Context, dir string) (string, error) {
	out, err := recipe{dir: dir}.goCommand(ctx, "env", "GOVERSION").Output()
	if err != nil {
		return "", fmt.Errorf("asking go for its version in %s (is Go installed and in PATH?): %w", dir, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// sourceDir finds the folder of this package, which holds the families. Another
// module's program may call us from anywhere in the clone, and one built with
// -trimpath does not know its source's path: then look upwards from the
// working directory.
func sourceDir() (string, error) {
	if _, file, _, ok := runtime.Caller(0); ok && isSource(filepath.Dir(file)) {
		return filepath.Dir(file), nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for at := dir; ; at = filepath.Dir(at) {
		for _, candidate := range []string{at, filepath.Join(at, "tools")} {
			if isSource(candidate) {
				return candidate, nil
			}
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("no folder tools of memhog-operator at or above %s: start this inside a clone", dir)
		}
	}
}

func isSource(dir string) bool {
	content, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	return filepath.IsAbs(dir) && err == nil && strings.HasPrefix(string(content), "module "+modulePath+"\n")
}
