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

// patience is how long a machine may take that takes seconds on an idle one.
const patience = 5 * time.Minute

// TestControlGroups runs the tests of internal/cgroup that need a kernel on each version of control groups.
func TestControlGroups(t *testing.T) {
	if testing.Short() {
		t.Skip("boots virtual machines")
	}
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
	for _, version := range []int{1, 2} {
		t.Run(fmt.Sprintf("Version%d", version), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			console, err := m.boot(ctx, fmt.Sprintf("MEMHOG_CGROUP_VERSION=%d", version), "-test.v", "-test.run=^TestKernel")
			tell(t, console, err)
		})
	}
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
		return qemu + " is not installed, which only root of a Debian can do"
	}
	return ""
}

func skip(t *testing.T, why string) {
	t.Helper()
	fmt.Fprintf(os.Stderr, "\n*** THE TESTS ON A KERNEL OF THEIR OWN ARE SKIPPED: %s ***\n\n", why)
	t.Skip(why)
}
