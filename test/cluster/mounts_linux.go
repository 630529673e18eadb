package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// prepareMounts gives the node folders of its own where Kubernetes' programs
// insist on fixed paths, and takes from it what it could change for the whole
// machine. It runs in a new mount namespace, with which all of this vanishes.
func prepareMounts(l layout) error {
	// Private first, so that nothing below reaches the machine; then shared
	// among the node's own namespaces, as volumes with propagation need it.
	if err := mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE); err != nil {
		return err
	}
	if err := mount("", "/", "", unix.MS_REC|unix.MS_SHARED); err != nil {
		return err
	}
	if err := mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC); err != nil {
		return err
	}
	if err := protectSysctls(l); err != nil {
		return err
	}
	if err := mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV); err != nil {
		return err
	}
	if err := shadow("/var/lib", l.Dir, map[string]string{
		"kubelet":    l.data(kubelet),
		"containerd": l.data(containerd),
	}); err != nil {
		return err
	}
	return bind(l.path("logs", "var"), "/var/log")
}

// pretended are kernel-wide settings that the kubelet insists on, with the values
// that it wants to see. It sees them, and the machine keeps its own.
var pretended = map[string]string{
	"/proc/sys/kernel/keys/root_maxbytes": "25000000",
	"/proc/sys/kernel/keys/root_maxkeys":  "1000000",
	"/proc/sys/kernel/panic":              "10",
	"/proc/sys/kernel/panic_on_oops":      "1",
	"/proc/sys/vm/overcommit_memory":      "1",
	"/proc/sys/vm/panic_on_oom":           "0",
}

// protectSysctls makes the kernel-wide settings read-only; those of the network
// belong to the node's own namespace and stay writable.
func protectSysctls(l layout) error {
	for _, dir := range []string{"/proc/sys/kernel", "/proc/sys/vm"} {
		if err := mount(dir, dir, "", unix.MS_BIND); err != nil {
			return err
		}
		if err := mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(l.data("sysctl"), 0o755); err != nil {
		return err
	}
	for _, setting := range sortedKeys(pretended) {
		file := filepath.Join(l.data("sysctl"), filepath.Base(setting))
		if err := os.WriteFile(file, []byte(pretended[setting]+"\n"), 0o644); err != nil {
			return err
		}
		if err := mount(file, setting, "", unix.MS_BIND); err != nil {
			return err
		}
	}
	return nil
}

// shadow covers dir, so that entries may be added to it without creating them on
// the machine: what was in it is bound back, and the added entries lead to
// folders elsewhere.
func shadow(dir, keep string, added map[string]string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	// Through this file the covered folder stays reachable.
	covered, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer covered.Close()
	if err := mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV); err != nil {
		return err
	}
	for _, e := range entries {
		if _, replaced := added[e.Name()]; replaced || !e.IsDir() {
			continue
		}
		to := filepath.Join(dir, e.Name())
		if err := os.Mkdir(to, 0o755); err != nil {
			return err
		}
		from := fmt.Sprintf("/proc/self/fd/%d/%s", covered.Fd(), e.Name())
		if err := mount(from, to, "", unix.MS_BIND|unix.MS_REC); err != nil {
			return err
		}
	}
	for _, name := range sortedKeys(added) {
		to := filepath.Join(dir, name)
		if err := os.Mkdir(to, 0o755); err != nil {
			return err
		}
		if err := bind(added[name], to); err != nil {
			return err
		}
	}
	_, err = os.Stat(keep)
	return err
}

func bind(from, to string) error {
	if err := os.MkdirAll(from, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return mount(from, to, "", unix.MS_BIND)
}

func mount(source, target, fstype string, flags uintptr) error {
	if err := unix.Mount(source, target, fstype, flags, ""); err != nil {
		return fmt.Errorf("mount %q on %s: %w", source, target, err)
	}
	return nil
}
