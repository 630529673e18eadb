package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
)

// The most that the kernel has to say. A memory.stat has some 2 KiB today, and gains lines from release to release.
const (
	sizeOfNumber = 32
	sizeOfStat   = 8192
)

// Group is an open control group. It keeps one descriptor for each file that was read, and reads without allocating memory.
// It is for one goroutine at a time. Errors of a group that is gone wrap fs.ErrNotExist.
type Group struct {
	names              *files
	usage, limit, stat file
}

// Memory is what a group uses, in bytes.
type Memory struct {
	// Usage is all memory that counts towards the limit, caches of files included.
	Usage int64
	// InactiveFile is the part of the caches that was not used of late, which the kernel takes back first.
	InactiveFile int64
}

// WorkingSet is what the kubelet calls so: the usage without the part that the kernel takes back before anything else.
func (m Memory) WorkingSet() int64 { return max(0, m.Usage-m.InactiveFile) }

// Open opens the group of a folder. Usage and limit are opened at once, memory.stat when it is first read.
func (h *Hierarchy) Open(folder string) (*Group, error) {
	g := &Group{
		names: &h.files,
		usage: at(filepath.Join(folder, h.files.usage), sizeOfNumber),
		limit: at(filepath.Join(folder, h.files.limit), sizeOfNumber),
		stat:  at(filepath.Join(folder, h.files.stat), sizeOfStat),
	}
	if err := errors.Join(g.usage.open(), g.limit.open()); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

// Usage is the memory that counts towards the limit, in bytes.
func (g *Group) Usage() (int64, error) { return g.usage.number() }

// Limit is the most that the group may use, in bytes; math.MaxInt64 where it may use all there is.
func (g *Group) Limit() (int64, error) {
	limit, err := g.limit.number()
	if err == nil && limit >= unlimited {
		limit = math.MaxInt64
	}
	return limit, err
}

// unlimited is what no machine has, 4 EiB: version 1 says in place of no limit the largest number that is a whole number of
// pages, which are not of one size everywhere.
const unlimited = 1 << 62

// Memory is the usage, and what of it the kernel takes back first.
func (g *Group) Memory() (Memory, error) {
	usage, err := g.usage.number()
	if err != nil {
		return Memory{}, err
	}
	text, err := g.stat.read()
	if err != nil {
		return Memory{}, err
	}
	m := Memory{Usage: usage}
	if m.InactiveFile, err = g.stat.value(text, g.names.inactiveFile); err != nil {
		return Memory{}, err
	}
	return m, nil
}

// Close closes the files. A group that is closed cannot be read again.
func (g *Group) Close() error {
	return errors.Join(g.usage.close(), g.limit.close(), g.stat.close())
}

// number reads a file that holds one number, or the word max.
func (f *file) number() (int64, error) {
	text, err := f.read()
	if err != nil {
		return 0, err
	}
	text = bytes.TrimSuffix(text, []byte("\n"))
	if string(text) == "max" {
		return math.MaxInt64, nil
	}
	n, ok := parse(text)
	if !ok {
		return 0, fmt.Errorf("%s holds no number: %q", f.path, text)
	}
	return n, nil
}

// value takes a figure from what was read of a file of lines such as "inactive_file 4096".
func (f *file) value(text []byte, key string) (int64, error) {
	for len(text) > 0 {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte("\n"))
		name, figure, _ := bytes.Cut(line, []byte(" "))
		if string(name) != key {
			continue
		}
		if n, ok := parse(figure); ok {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%s holds no figure %s", f.path, key)
}

// parse is strconv.ParseInt for digits alone, without the string that the latter would have to be given.
func parse(digits []byte) (int64, bool) {
	var n int64
	for _, d := range digits {
		if d < '0' || d > '9' || n > (math.MaxInt64-int64(d-'0'))/10 {
			return 0, false
		}
		n = n*10 + int64(d-'0')
	}
	return n, len(digits) > 0
}

// gone makes the kernel's word for a group that was removed while its files were open into that for a file that is not there.
func gone(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) && isRemoved(path.Err) {
		return &fs.PathError{Op: path.Op, Path: path.Path, Err: fs.ErrNotExist}
	}
	return err
}
