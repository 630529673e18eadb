package cgroup

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// memberVariable makes the test's executable a process in a control group.
const memberVariable = "MEMHOG_CGROUP_MEMBER"

// member does what it reads, line by line, and answers each line once it is done:
//   - touch BYTES: use that much more memory;
//   - write PATH BYTES: write that much into a file, which stays in the cache;
//   - cross PATH RATE: fill memory to beyond the alarm's threshold at that rate, watching the usage at PATH, and answer with
//     the time at which it was reached;
//   - release 0: free that again.
func member(in io.Reader, out io.Writer) error {
	var crossing []byte
	for lines := bufio.NewScanner(in); lines.Scan(); {
		words := strings.Fields(lines.Text())
		size, err := strconv.Atoi(words[len(words)-1])
		if err != nil {
			return err
		}
		answer := any("done")
		switch words[0] {
		case "touch":
			err = touch(size)
		case "write":
			err = fillFile(words[1], size)
		case "cross":
			var crossed time.Time
			crossing, crossed, err = cross(words[1], size)
			answer = crossed.UnixNano()
		case "release":
			err = syscall.Munmap(crossing)
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(out, answer)
	}
	return nil
}

func touch(size int) error {
	memory, err := reserve(size)
	if err != nil {
		return err
	}
	for i := 0; i < size; i += os.Getpagesize() {
		memory[i] = 1
	}
	return nil
}

// reserve takes addresses, without memory for them as yet.
func reserve(size int) ([]byte, error) {
	return syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
}

// fillFile leaves the file open: what is in the cache of a disk goes with the last that has it open.
func fillFile(path string, size int) error {
	fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_CREAT, 0o600)
	if err != nil {
		return err
	}
	for block := make([]byte, 1<<20); size > 0; size -= len(block) {
		if _, err := syscall.Write(fd, block); err != nil {
			return err
		}
	}
	return syscall.Fsync(fd)
}

// process is a member as its test sees it.
type process struct {
	cmd *exec.Cmd
	in  io.Writer
	out *bufio.Reader
}

// startIn starts a process in a group: with version 2 it is born there, with version 1 it is moved before it does anything.
func startIn(t testing.TB, h *Hierarchy, group string) *process {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), memberVariable+"=yes")
	cmd.Stderr = os.Stderr
	if h.files.version == 2 {
		folder, err := os.Open(group)
		if err != nil {
			t.Fatal(err)
		}
		defer folder.Close()
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(folder.Fd())}
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if h.files.version == 1 {
		set(t, filepath.Join(group, "cgroup.procs"), strconv.Itoa(cmd.Process.Pid))
	}
	return &process{cmd: cmd, in: in, out: bufio.NewReader(out)}
}

// do tells the process something, and waits until it is done.
func (p *process) do(t testing.TB, format string, args ...any) string {
	t.Helper()
	answer, err := p.try(format, args...)
	if err != nil {
		t.Fatalf("%s: %v", fmt.Sprintf(format, args...), err)
	}
	return strings.TrimSpace(answer)
}

func (p *process) try(format string, args ...any) (string, error) {
	fmt.Fprintf(p.in, format+"\n", args...)
	return p.out.ReadString('\n')
}
