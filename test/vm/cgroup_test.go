package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/kubedemo/memhog-operator/tools"
)

// patience is how long a machine may take that takes seconds on an idle one. A test in it that hangs ends a minute before, and
// says where it was.
const patience = 5 * time.Minute

// TestControlGroups runs the tests of internal/cgroup that need a kernel on each version of control groups.
func TestControlGroups(t *testing.T) {
	if testing.Short() {
		t.Skip("boots virtual machines")
	}
	m := guest(t)
	for _, version := range []int{1, 2} {
		t.Run(fmt.Sprintf("Version%d", version), func(t *testing.T) {
			console, err := bootGuest(t, m, version, "-test.v", "-test.run=^TestKernel", "-test.timeout="+(patience-time.Minute).String())
			tell(t, console, err)
		})
	}
}

// BenchmarkControlGroups runs the benchmarks of internal/cgroup there, and prints what they print. An emulated processor is
// some ten times slower than a real one: it is for comparisons, and for what only a version has.
func BenchmarkControlGroups(b *testing.B) {
	m := guest(b)
	for _, version := range []int{1, 2} {
		console, err := bootGuest(b, m, version, "-test.run=NONE", "-test.bench=.", "-test.benchtime=20x")
		b.Logf("version %d:\n%s", version, console)
		if err != nil || !read(console).passed {
			b.Errorf("the guest does not say that its benchmarks have passed: %v", err)
		}
	}
}

// guest compiles the tests of internal/cgroup, and gets together a machine that runs them.
func guest(t testing.TB) machine {
	t.Helper()
	if lacking := missing(); lacking != "" {
		skip(t, lacking)
	}
	dir := t.TempDir()
	test := filepath.Join(dir, "cgroup.test")
	compile := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", test, "./internal/cgroup")
	compile.Dir = "../.."
	// As the first process of a machine it finds no C library.
	compile.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("compile the guest: %v\n%s", err, output)
	}
	m, err := prepare(t.Context(), os.Stderr, dir, test)
	if errors.Is(err, tools.ErrNoApt) {
		skip(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func bootGuest(t testing.TB, m machine, version int, arguments ...string) (console string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return m.boot(ctx, fmt.Sprintf("MEMHOG_CGROUP_VERSION=%d", version), arguments...)
}

// tell makes each of the guest's tests one of this machine's. One that was left out has failed: the guest is there for it.
func tell(t *testing.T, console string, err error) {
	t.Helper()
	got := read(console)
	for _, r := range got.results {
		t.Run(r.test, func(t *testing.T) {
			if r.outcome != "PASS" {
				t.Errorf("the guest says %s", r.outcome)
			}
		})
	}
	if err != nil {
		t.Error(err)
	}
	if !got.passed || len(got.results) == 0 {
		t.Errorf("the guest does not say that its tests have passed")
	}
	if t.Failed() {
		t.Logf("the guest's console:\n%s", console)
	}
}

// missing says why this machine cannot boot another.
func missing() string {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return "the virtual machine is one for Linux on amd64"
	}
	if _, err := tools.LookPath(qemu); err == nil {
		return ""
	}
	if _, err := tools.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return qemu + " is not installed, and only root of a Debian can install it"
	}
	return ""
}

func skip(t testing.TB, why string) {
	t.Helper()
	fmt.Fprintf(os.Stderr, "\n*** THE TESTS ON A KERNEL OF THEIR OWN ARE SKIPPED: %s ***\n\n", why)
	t.Skip(why)
}
