//go:build unix

package cgroup

import (
	"errors"
	"io/fs"
	"syscall"
)

// file is one of the kernel's files, read from its start each time. It is not an os.File, which would have the kernel report
// every change of some of these files to the Go runtime, and would read each twice, to see its end.
type file struct {
	path   string
	fd     int
	opened bool
	closed bool
}

func at(path string) file { return file{path: path} }

func (f *file) open() error {
	fd, err := syscall.Open(f.path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return gone(&fs.PathError{Op: "open", Path: f.path, Err: err})
	}
	f.fd, f.opened = fd, true
	return nil
}

// read fills the buffer, which is to be large enough for all there is.
func (f *file) read(buffer []byte) ([]byte, error) {
	if f.closed {
		return nil, &fs.PathError{Op: "read", Path: f.path, Err: fs.ErrClosed}
	}
	if !f.opened {
		if err := f.open(); err != nil {
			return nil, err
		}
	}
	for {
		n, err := syscall.Pread(f.fd, buffer, 0)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return nil, gone(&fs.PathError{Op: "read", Path: f.path, Err: err})
		default:
			return buffer[:n], nil
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
