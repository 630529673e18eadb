//go:build unix

package cgroup

import (
	"errors"
	"io/fs"
	"syscall"
)

// file is one of the kernel's files, read from its start each time. It is not an os.File, which would have the Go runtime
// poll the file for events that never come, and would read it twice, to see its end. What is read stands in a buffer that is
// kept, too: one on the stack does not stay there with every compiler flag.
type file struct {
	path   string
	size   int
	buffer []byte
	fd     int
	opened bool
	closed bool
}

// at is a file that has at most that many bytes.
func at(path string, size int) file { return file{path: path, size: size} }

func (f *file) open() error {
	fd, err := syscall.Open(f.path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return gone(&fs.PathError{Op: "open", Path: f.path, Err: err})
	}
	f.fd, f.opened, f.buffer = fd, true, make([]byte, f.size)
	return nil
}

// read returns all there is, until the next read.
func (f *file) read() ([]byte, error) {
	if f.closed {
		return nil, &fs.PathError{Op: "read", Path: f.path, Err: fs.ErrClosed}
	}
	if !f.opened {
		if err := f.open(); err != nil {
			return nil, err
		}
	}
	for {
		n, err := syscall.Pread(f.fd, f.buffer, 0)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return nil, gone(&fs.PathError{Op: "read", Path: f.path, Err: err})
		default:
			return f.buffer[:n], nil
		}
	}
}

func (f *file) close() error {
	opened := f.opened
	f.opened, f.closed = false, true
	if !opened {
		return nil
	}
	if err := syscall.Close(f.fd); err != nil {
		return &fs.PathError{Op: "close", Path: f.path, Err: err}
	}
	return nil
}

func isRemoved(err error) bool { return errors.Is(err, syscall.ENODEV) }
