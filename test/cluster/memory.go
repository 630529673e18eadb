package cluster

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Memory is where the kernel keeps account of a container's memory.
type Memory struct {
	limit, usage, stat string // files
	inactive           string // the line of stat with what the kernel could take back at once
}

// Memory finds it by the container's ID as its status has it. It works on a cluster of ours only, whose node is this machine.
func (c *Cluster) Memory(containerID string) (Memory, error) {
	limit, err := c.LimitFile(containerID)
	if err != nil {
		return Memory{}, err
	}
	return memoryBeside(limit), nil
}

func memoryBeside(limit string) Memory {
	dir := filepath.Dir(limit)
	m := Memory{limit: limit, stat: filepath.Join(dir, "memory.stat")}
	m.usage, m.inactive = filepath.Join(dir, "memory.usage_in_bytes"), "total_inactive_file "
	if filepath.Base(limit) == "memory.max" {
		m.usage, m.inactive = filepath.Join(dir, "memory.current"), "inactive_file "
	}
	return m
}

// Limit reads the limit, in bytes.
func (m Memory) Limit() (int64, error) { return ReadLimit(m.limit) }

// WorkingSet reads what is in use and cannot be taken back at once, in bytes: what the kubelet, and the operator, call memory use.
func (m Memory) WorkingSet() (int64, error) {
	used, err := ReadLimit(m.usage)
	if err != nil {
		return 0, err
	}
	text, err := os.ReadFile(m.stat)
	if err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if value, found := strings.CutPrefix(lines.Text(), m.inactive); found {
			inactive, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", m.stat, err)
			}
			return max(0, used-inactive), nil
		}
	}
	return 0, fmt.Errorf("%s has no %s", m.stat, m.inactive)
}
