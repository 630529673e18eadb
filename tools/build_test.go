package tools

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const helloSource = `package main

var version = "unset"

func main() { println("hello", version) }
`

// fixture is a recipe for a module of one file, which takes a moment to build.
func fixture(t *testing.T, source string) recipe {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"go.mod": "module example.com/hello\n\ngo 1.26.0\n", "go.sum": "", "main.go": source,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return recipe{
		Program: Program{Name: "hello", Package: "example.com/hello", Cold: time.Second},
		version: "v1.0.0", dir: dir, ldflags: "-X main.version=v1.0.0", key: "hello-v1.0.0-key", cache: t.TempDir(),
	}
}

func TestBuildKeepsTheExecutable(t *testing.T) {
	r := fixture(t, helloSource)
	var out bytes.Buffer
	if err := buildMissing(t.Context(), &out, []recipe{r}); err != nil {
		t.Fatal(err, out.String())
	}
	said, err := exec.Command(r.path()).CombinedOutput()
	if err != nil || string(said) != "hello v1.0.0\n" {
		t.Errorf("the program says %q, %v: the linker flag has not arrived", said, err)
	}
	for _, want := range []string{"hello v1.0.0 to build from source, once: about 1 s on 2 cores", "hello v1.0.0 is built"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("progress lacks %q:\n%s", want, out.String())
		}
	}
	out.Reset()
	if err := buildMissing(t.Context(), &out, []recipe{r}); err != nil || out.Len() > 0 {
		t.Errorf("what is cached needs no build, but: %v\n%s", err, out.String())
	}
}

func TestBuildAtTheSameTime(t *testing.T) {
	r := fixture(t, helloSource)
	outs, errs := make([]bytes.Buffer, 3), make([]error, 3)
	var wg sync.WaitGroup
	for i := range outs {
		wg.Go(func() { errs[i] = r.build(t.Context(), &outs[i]) })
	}
	wg.Wait()
	built := 0
	for i := range outs {
		if errs[i] != nil {
			t.Error(errs[i])
		}
		if strings.Contains(outs[i].String(), "is built") {
			built++
		}
	}
	if built != 1 {
		t.Errorf("built %d times, want once", built)
	}
}

func TestFailedBuild(t *testing.T) {
	r := fixture(t, "package main\n\nfunc main() { undefinedFunction() }\n")
	var out bytes.Buffer
	err := buildMissing(t.Context(), &out, []recipe{r})
	if err == nil {
		t.Fatal("a program that does not compile was built")
	}
	for _, want := range []string{"hello v1.0.0", "example.com/hello", "compiling"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %q: %v", want, err)
		}
	}
	if !strings.Contains(out.String(), "undefined: undefinedFunction") {
		t.Errorf("the compiler's own words are missing:\n%s", out.String())
	}
	if r.cached() {
		t.Error("a failed build left an executable")
	}
	if _, err := os.Stat(scratchDir(r.cache)); !os.IsNotExist(err) {
		t.Error("a failed build left temporary files")
	}
}

func TestInterruptedBuild(t *testing.T) {
	r := fixture(t, helloSource)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := buildMissing(ctx, &bytes.Buffer{}, []recipe{r})
	if err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
		t.Errorf("an interrupted build ends with %v", err)
	}
	if r.cached() {
		t.Error("an interrupted build left an executable")
	}
}

func TestCauseOfFailure(t *testing.T) {
	r := recipe{dir: "/clone/tools/x"}
	for output, want := range map[string]string{
		"write /tmp/b: no space left on device":                    "disk is full",
		"go: a@v1: missing go.sum entry for module":                "go -C /clone/tools/x mod tidy",
		"go: a@v1: reading https://proxy/a.zip: 403 Forbidden":     "refuses a module",
		"go: a@v1: dial tcp: lookup modules.example.org: no route": "check the network",
		"compile: signal: killed":                                  "lack of memory",
		"go: go.mod requires go >= 1.99 (running go 1.26.8; ...)":  "too old",
		"main.go:3: undefined: x":                                  "",
	} {
		if got := r.cause(output); !strings.Contains(got, want) || (want == "") != (got == "") {
			t.Errorf("cause of %q: %q, want %q in it", output, got, want)
		}
	}
}

func TestEstimate(t *testing.T) {
	for packages, want := range map[int]time.Duration{
		1:    10*time.Second + 170*time.Millisecond,
		300:  61 * time.Second,
		2078: 363*time.Second + 260*time.Millisecond,
	} {
		if got := estimate(packages); got != want {
			t.Errorf("%d packages to compile: estimate %s, want %s", packages, got, want)
		}
	}
}
