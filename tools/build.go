package tools

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Build returns the path of each named program's executable (a group's name
// stands for its programs), and first builds those that the cache lacks.
// Progress goes to out.
func Build(ctx context.Context, out io.Writer, names ...string) (map[string]string, error) {
	recipes, err := plan(ctx, names...)
	if err != nil {
		return nil, err
	}
	if err := buildMissing(ctx, out, recipes); err != nil {
		return nil, err
	}
	paths := map[string]string{}
	for _, r := range recipes {
		paths[r.Name] = r.path()
	}
	return paths, nil
}

func buildMissing(ctx context.Context, out io.Writer, recipes []recipe) error {
	var missing []recipe
	var needs []Need
	var titles []string
	var cold time.Duration
	for _, r := range recipes {
		if !r.cached() {
			missing = append(missing, r)
			needs = append(needs, r.Needs...)
			titles = append(titles, r.title())
			cold += r.Cold
		}
	}
	if len(missing) == 0 {
		return nil
	}
	// Now, rather than after minutes of compiling.
	if err := EnsureDebian(ctx, out, needs...); err != nil {
		return err
	}
	say(out, "%s to build from source, once: about %s on 2 cores, less where Go has compiled parts before",
		strings.Join(titles, ", "), About(cold))
	for _, r := range missing {
		if err := r.build(ctx, out); err != nil {
			return err
		}
	}
	return nil
}

// build compiles one program into the cache.
func (r recipe) build(ctx context.Context, out io.Writer) error {
	unlock, err := lockCache(ctx, out, r.cache, r.title())
	if err != nil {
		return err
	}
	defer unlock()
	if r.cached() { // by whom we waited for
		return nil
	}
	tmp, err := scratch(r.cache)
	if err != nil {
		return fmt.Errorf("preparing to build %s: %w", r.title(), err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	unfinished := filepath.Join(tmp, r.Name)
	if err := r.compile(ctx, out, unfinished); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(r.path()), 0o755); err != nil {
		return fmt.Errorf("keeping %s: %w", r.title(), err)
	}
	if err := os.Rename(unfinished, r.path()); err != nil {
		return fmt.Errorf("keeping %s: %w", r.title(), err)
	}
	return nil
}

// compile downloads, compiles and links, and shows how far it is.
func (r recipe) compile(ctx context.Context, out io.Writer, to string) error {
	m := newMeter(out, r.title())
	defer m.close()

	m.phase("downloading modules", "modules", unknown)
	stale, err := r.stalePackages(ctx, m)
	if err != nil {
		return r.failed(ctx, out, m, err)
	}
	if len(stale) == 0 {
		m.say("linking %s, which Go has compiled before", r.title())
	} else {
		m.say("building %s: %d packages to compile, about %s on 2 cores", r.title(), len(stale), About(estimate(len(stale))))
	}
	m.compiling(len(stale))
	cmd := r.goCommand(ctx, r.args("build", "-v", "-ldflags", r.ldflags, "-o", to)...)
	lines := &lineWriter{each: func(line string) {
		switch {
		case strings.HasPrefix(line, downloading), line == r.Package:
		case stale[line]:
			m.compiled()
		default:
			m.note(line)
		}
	}}
	cmd.Stdout, cmd.Stderr = lines, lines
	err = cmd.Run()
	lines.flush()
	if err != nil {
		return r.failed(ctx, out, m, err)
	}
	say(out, "%s is built, in %s", r.title(), m.close().Round(time.Second))
	return nil
}

// estimate says how long the rest of a build takes, which the table cannot know:
// Go's build cache may hold any part of it. On two cores a package takes 0.17 s,
// the linker about 10 s: 300 packages make 61 s.
func estimate(packages int) time.Duration {
	return time.Duration(packages)*170*time.Millisecond + 10*time.Second
}

// downloading begins the line that go prints for each module it fetches.
const downloading = "go: downloading "

// stalePackages downloads the modules that the program needs, and tells which
// packages Go's build cache lacks: `go build -v` will name each of these as it
// compiles it. The main package is not among them: it always counts as stale
// until it is linked, and go does not always name it.
func (r recipe) stalePackages(ctx context.Context, m *meter) (map[string]bool, error) {
	cmd := r.goCommand(ctx, r.args("list", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}")...)
	var list bytes.Buffer
	lines := &lineWriter{each: func(line string) {
		if strings.HasPrefix(line, downloading) {
			m.step()
			return
		}
		m.note(line)
	}}
	cmd.Stdout, cmd.Stderr = &list, lines
	err := cmd.Run()
	lines.flush()
	if err != nil {
		return nil, err
	}
	stale := map[string]bool{}
	for s := bufio.NewScanner(&list); s.Scan(); {
		if s.Text() != "" && s.Text() != r.Package {
			stale[s.Text()] = true
		}
	}
	return stale, nil
}

// args adds what every go subcommand must agree on, or they would disagree
// about what is compiled already.
func (r recipe) args(subcommand string, more ...string) []string {
	args := []string{subcommand, "-trimpath", "-buildvcs=false"}
	if len(r.Tags) > 0 {
		args = append(args, "-tags", strings.Join(r.Tags, ","))
	}
	return append(append(args, more...), r.Package)
}

// State is what List tells about a program.
type State struct {
	Program
	// Version is the pinned version.
	Version Version
	// Path is where the executable is kept.
	Path string
	// Cached says that it has been built.
	Cached bool
}

// List tells the state of every program, and builds nothing.
func List(ctx context.Context) ([]State, error) {
	recipes, err := plan(ctx, ProgramNames()...)
	if err != nil {
		return nil, err
	}
	var states []State
	for _, r := range recipes {
		states = append(states, State{Program: r.Program, Version: r.version, Path: r.path(), Cached: r.cached()})
	}
	return states, nil
}

// Source returns the folder, in Go's module cache, of the module that a program is built from: for what a module holds
// beside code, such as the manifests that go with a program.
func Source(ctx context.Context, name string) (string, error) {
	recipes, err := plan(ctx, name)
	if err != nil {
		return "", err
	}
	if len(recipes) != 1 {
		return "", fmt.Errorf("the source of %q: want one program's name", name)
	}
	r := recipes[0]
	out, err := r.goCommand(ctx, r.args("list", "-f", "{{.Module.Dir}}")...).Output()
	if err != nil {
		return "", fmt.Errorf("find the source of %s: %w", r.title(), err)
	}
	return strings.TrimSpace(string(out)), nil
}
