package tools

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrNoApt says that a machine has no apt-get, from which Debian's packages come.
var ErrNoApt = errors.New("this machine has no apt-get")

// kernelPackage depends on the package of the newest kernel for virtual
// machines, whose name has that kernel's version in it.
const kernelPackage = "linux-image-cloud-amd64"

// Kernel returns a folder with Debian's kernel for virtual machines: boot/vmlinuz-*
// and lib/modules. It is downloaded and unpacked into the cache when that has
// none, but not installed, which would make it a kernel of this machine.
func Kernel(ctx context.Context, out io.Writer) (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "debian", kernelPackage)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return "", fmt.Errorf("downloading Debian's %s: %w", kernelPackage, ErrNoApt)
	}
	unlock, err := lockCache(ctx, out, cache, "the folder "+kernelPackage)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil { // by whom we waited for
		return dir, nil
	}
	tmp, err := scratch(cache)
	if err != nil {
		return "", fmt.Errorf("preparing to unpack Debian's %s: %w", kernelPackage, err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	say(out, "downloading Debian's %s, once", kernelPackage)
	if err := unpackKernel(ctx, tmp, runNoninteractive); err != nil {
		return "", fmt.Errorf("unpacking Debian's %s: %w", kernelPackage, err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	return dir, os.Rename(filepath.Join(tmp, "root"), dir)
}

// unpackKernel leaves the kernel in the folder root of tmp. Like an installation
// it tries with the package lists that are there, and fetches them when that fails.
func unpackKernel(ctx context.Context, tmp string, run runner) error {
	file, err := downloadKernel(ctx, tmp, run)
	if err != nil {
		if output, err := run(ctx, "apt-get", "update", "-q"); err != nil {
			return aptError("update", output, err)
		}
		file, err = downloadKernel(ctx, tmp, run)
	}
	if err != nil {
		return err
	}
	if output, err := run(ctx, "dpkg-deb", "--extract", file, filepath.Join(tmp, "root")); err != nil {
		return fmt.Errorf("dpkg-deb --extract %s: %w\n    %s", file, err, output)
	}
	return nil
}

// downloadKernel returns the path of the package's file.
func downloadKernel(ctx context.Context, tmp string, run runner) (string, error) {
	depends, err := run(ctx, "apt-cache", "depends", kernelPackage)
	if err != nil {
		return "", fmt.Errorf("apt-cache depends %s: %w\n    %s", kernelPackage, err, depends)
	}
	_, after, _ := strings.Cut(string(depends), "Depends: ")
	name, _, _ := strings.Cut(after, "\n")
	if name == "" {
		return "", fmt.Errorf("apt knows of no package that %s depends on", kernelPackage)
	}
	// apt-get downloads into the folder that it runs in.
	if output, err := run(ctx, "env", "--chdir="+tmp, "apt-get", "download", "-q", name); err != nil {
		return "", aptError("download", output, err)
	}
	files, err := filepath.Glob(filepath.Join(tmp, name+"_*.deb"))
	if err != nil || len(files) != 1 {
		return "", fmt.Errorf("apt-get download %s left the files %q", name, files)
	}
	return files[0], nil
}
