package cluster

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/api/resource"
)

// checkMachine says what this machine lacks to run a cluster.
func checkMachine() error {
	if os.Geteuid() != 0 {
		return errors.New("a cluster needs root, for namespaces and cgroups of its own: run this with sudo, or " + useYourOwn)
	}
	if _, err := exec.LookPath("go"); err != nil {
		return fmt.Errorf("a cluster is built from source, which needs Go: %w; %s", err, useYourOwn)
	}
	if _, err := hierarchies(); err != nil {
		return fmt.Errorf("a cluster needs cgroups: %w; %s", err, useYourOwn)
	}
	return nil
}

// makeOwnFolder makes a folder, or takes an existing one that is nobody else's:
// its path may be guessed, in a folder where everybody may write.
func makeOwnFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var s unix.Stat_t
	if err := unix.Lstat(dir, &s); err != nil {
		return fmt.Errorf("state folder %s: %w", dir, err)
	}
	if s.Mode&unix.S_IFMT != unix.S_IFDIR || int(s.Uid) != os.Geteuid() {
		return fmt.Errorf("state folder %s: it is not a folder of this user", dir)
	}
	return os.Chmod(dir, 0o700)
}

// chooseSnapshotter takes overlayfs for containers' file systems, unless the
// state folder is on one itself, as in a container: they don't stack.
func chooseSnapshotter(dir string) (string, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return "", fmt.Errorf("file system of %s: %w", dir, err)
	}
	if fs.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return "native", nil
	}
	return "overlayfs", nil
}

// reservedMemory is what must be withheld from Pods, so that the node offers as
// much as asked for: "" where it offers everything.
func reservedMemory(offered string) (string, error) {
	if offered == "" {
		return "", nil
	}
	want := resource.MustParse(offered)
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return "", err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		value, ok := strings.CutPrefix(lines.Text(), "MemTotal:")
		if !ok {
			continue
		}
		total, err := resource.ParseQuantity(strings.TrimSuffix(strings.TrimSpace(value), " kB") + "Ki")
		if err != nil {
			return "", fmt.Errorf("/proc/meminfo: %w", err)
		}
		// The kubelet withholds this much by itself.
		total.Sub(resource.MustParse(evictionMemory))
		if total.Cmp(want) < 0 {
			return "", fmt.Errorf("node memory %s: the machine can offer only %s", offered, total.String())
		}
		total.Sub(want)
		return total.String(), nil
	}
	return "", errors.New("/proc/meminfo does not tell MemTotal")
}
