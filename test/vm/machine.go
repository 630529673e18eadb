package vm

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/kubedemo/memhog-operator/tools"
)

// qemu is the program that is the machine.
const qemu = "qemu-system-x86_64"

// machine is what it takes to boot.
type machine struct {
	qemu, kernel, initramfs string
}

// prepare gets everything together: qemu and a kernel of Debian's, and in dir an initramfs with a test's executable as the
// first process.
func prepare(ctx context.Context, out io.Writer, dir, test string) (machine, error) {
	if err := tools.EnsureDebian(ctx, out, tools.Need{Program: qemu, Package: "qemu-system-x86"}); err != nil {
		return machine{}, err
	}
	path, err := tools.LookPath(qemu)
	if err != nil {
		return machine{}, err
	}
	debian, err := tools.Kernel(ctx, out)
	if err != nil {
		return machine{}, err
	}
	kernel, err := only(filepath.Join(debian, "boot/vmlinuz-*"))
	if err != nil {
		return machine{}, err
	}
	init, err := os.ReadFile(test)
	if err != nil {
		return machine{}, err
	}
	driver, err := driver(ctx, debian, "block/brd")
	if err != nil {
		return machine{}, err
	}
	archive := initramfs([]node{
		{name: "dev", mode: folder},
		{name: "dev/console", mode: character, major: 5, minor: 1},
		{name: "init", mode: executable, data: init},
		{name: "brd.ko", mode: plainFile, data: driver},
	})
	m := machine{qemu: path, kernel: kernel, initramfs: filepath.Join(dir, "initramfs")}
	return m, os.WriteFile(m.initramfs, archive, 0o644)
}

// driver reads a driver that Debian does not build into its kernel. From Debian 13 on these files are compressed.
func driver(ctx context.Context, debian, name string) ([]byte, error) {
	path, err := only(filepath.Join(debian, "lib/modules/*/kernel/drivers", name+".ko*"))
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(path, ".xz") {
		return os.ReadFile(path)
	}
	plain, err := exec.CommandContext(ctx, "xz", "--decompress", "--stdout", path).Output()
	if err != nil {
		return nil, fmt.Errorf("xz --decompress %s: %w", path, err)
	}
	return plain, nil
}

// only is the one file of a pattern.
func only(pattern string) (string, error) {
	files, err := filepath.Glob(pattern)
	if err != nil {
		return "", err
	}
	if len(files) != 1 {
		return "", fmt.Errorf("there is not one file %s but %q", pattern, files)
	}
	return files[0], nil
}

// boot runs the machine until it switches itself off, and returns what its console has printed, also with an error. The
// kernel hands its first process variables as they stand among the parameters, and arguments as they stand after two dashes.
func (m machine) boot(ctx context.Context, variables string, arguments ...string) (string, error) {
	// A panic is to end the machine, rather than to be looked at forever.
	parameters := "console=ttyS0 quiet loglevel=1 panic=-1 " + variables + " -- " + strings.Join(arguments, " ")
	cmd := exec.CommandContext(ctx, m.qemu,
		"-accel", "tcg", "-cpu", "max", "-m", "1024",
		"-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot",
		"-kernel", m.kernel, "-initrd", m.initramfs, "-append", parameters)
	var console, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &console, &complaints
	err := cmd.Run()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", qemu, err, complaints.String())
	}
	return console.String(), err
}
