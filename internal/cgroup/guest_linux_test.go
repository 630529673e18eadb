package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"
	"unsafe"
)

const (
	// versionVariable stands on the command line of the machine's kernel, which hands it on: 1 or 2.
	versionVariable = "MEMHOG_CGROUP_VERSION"
	// moduleFile is the driver of a disk in memory, the one part of the kernel that is not built in.
	moduleFile = "/brd.ko"
	disk       = "/dev/ram0"
)

// inGuest is true in a virtual machine that was started for these tests alone, see test/vm.
func inGuest() bool { return os.Getpid() == 1 && os.Getenv(versionVariable) != "" }

// runGuest is all that the machine does. Its last line says how it went, and then it switches itself off.
func runGuest(m *testing.M) {
	code := 1
	if err := setUpGuest(); err != nil {
		fmt.Println("set up the machine:", err)
	} else {
		code = m.Run()
	}
	fmt.Printf("\nmemhog guest: exit code %d\n", code)
	syscall.Sync()
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
}

// setUpGuest mounts what a machine with one of the two versions of control groups has mounted.
func setUpGuest() error {
	type mount struct{ kind, at, options string }
	mounts := []mount{
		{kind: "proc", at: "/proc"},
		{kind: "sysfs", at: "/sys"},
		{kind: "devtmpfs", at: "/dev"},
		{kind: "tmpfs", at: "/tmp"},
	}
	if os.Getenv(versionVariable) == "1" {
		mounts = append(mounts,
			mount{kind: "tmpfs", at: "/sys/fs/cgroup"},
			mount{kind: "cgroup", at: "/sys/fs/cgroup/memory", options: "memory"},
			mount{kind: "cgroup2", at: "/sys/fs/cgroup/unified"})
	} else {
		mounts = append(mounts, mount{kind: "cgroup2", at: "/sys/fs/cgroup"})
	}
	for _, m := range mounts {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return err
		}
		// The kernel may have mounted /dev itself.
		if err := syscall.Mount(m.kind, m.at, m.kind, 0, m.options); err != nil && !errors.Is(err, syscall.EBUSY) {
			return &fs.PathError{Op: "mount " + m.kind, Path: m.at, Err: err}
		}
	}
	if os.Getenv(versionVariable) == "2" {
		root := &Hierarchy{root: "/sys/fs/cgroup", files: version2}
		if err := share(root, root.root); err != nil {
			return err
		}
	}
	return loadModule(moduleFile, "rd_nr=1 rd_size=131072")
}

func loadModule(path, parameters string) error {
	image, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	words, err := syscall.BytePtrFromString(parameters)
	if err != nil {
		return err
	}
	_, _, errno := syscall.Syscall(syscall.SYS_INIT_MODULE,
		uintptr(unsafe.Pointer(&image[0])), uintptr(len(image)), uintptr(unsafe.Pointer(words)))
	if errno != 0 {
		return &fs.PathError{Op: "load module", Path: path, Err: errno}
	}
	return nil
}
