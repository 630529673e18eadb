package cluster

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Memory is where the kernel keeps account of a container's memory. Its files stay open: it is read a thousand times a second by
// those who measure, beside those whom they measure.
type Memory struct {
	limit, usage, stat *os.File
	inactive           string // the line of stat with what the kernel could take back at once
}

// Memory opens it by the container's ID as its status has it. It works on a cluster of ours only, whose node is this machine.
func (c *Cluster) Memory(containerID string) (*Memory, error) {
	limit, err := c.LimitFile(containerID)
	if err != nil {
		return nil, err
	}
	return openMemory(limit)
}

// openMemory opens the files beside that of the limit.
func openMemory(limit string) (*Memory, error) {
	usage, inactive := "memory.usage_in_bytes", "total_inactive_file "
	if filepath.Base(limit) == "memory.max" {
		usage, inactive = "memory.current", "inactive_file "
	}
	m := &Memory{inactive: inactive}
	for name, file := range map[string]**os.File{filepath.Base(limit): &m.limit, usage: &m.usage, "memory.stat": &m.stat} {
		var err error
		if *file, err = os.Open(filepath.Join(filepath.Dir(limit), name)); err != nil {
			return nil, errors.Join(err, m.Close())
		}
	}
	return m, nil
}

// Close closes the files.
func (m *Memory) Close() error {
	var errs []error
	for _, file := range []*os.File{m.limit, m.usage, m.stat} {
		if file != nil {
			errs = append(errs, file.Close())
		}
	}
	return errors.Join(errs...)
}

// Limit reads the limit, in bytes.
func (m *Memory) Limit() (int64, error) { return readNumber(m.limit) }

// Usage reads all that counts towards the limit, in bytes.
func (m *Memory) Usage() (int64, error) { return readNumber(m.usage) }

// Inactive reads what of the usage can be taken back at once, in bytes. What is left is what the kubelet, and the operator, call
// memory use. The kernel has to add up for it, so it is not read as often as the others.
func (m *Memory) Inactive() (int64, error) {
	text := make([]byte, 16<<10)
	n, err := m.stat.ReadAt(text, 0)
	if n == 0 {
		return 0, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(text[:n])); lines.Scan(); {
		if value, found := strings.CutPrefix(lines.Text(), m.inactive); found {
			return strconv.ParseInt(value, 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", m.stat.Name(), m.inactive)
}

func readNumber(file *os.File) (int64, error) {
	var text [32]byte
	n, err := file.ReadAt(text[:], 0)
	if n == 0 {
		return 0, err
	}
	number, err := strconv.ParseInt(string(bytes.TrimSpace(text[:n])), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file.Name(), err)
	}
	return number, nil
}
