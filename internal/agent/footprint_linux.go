package agent

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ReleaseCode lets go of the pages of the program's own code and constants that were touched while it started: most of what the
// process holds by then, and mostly of the other role that is in the same program. They stay in the page cache, and what is needed
// is mapped again when it is. Nothing else is touched: of a mapping that was ever written to, by the linker at the start, say, all stays.
func ReleaseCode() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("release code: %w", err)
	}
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return fmt.Errorf("release code: %w", err)
	}
	defer maps.Close()
	mappings, err := constant(maps, program)
	if err != nil {
		return fmt.Errorf("release code: %w", err)
	}
	for _, m := range mappings {
		if _, _, failed := unix.Syscall(unix.SYS_MADVISE, m.begin, m.end-m.begin, unix.MADV_DONTNEED); failed != 0 {
			return fmt.Errorf("release code: %w", failed)
		}
	}
	return nil
}

// mapping is a range of addresses.
type mapping struct{ begin, end uintptr }

// constant finds in a smaps file the mappings of a program that are as they are in the program's file.
func constant(smaps io.Reader, program string) ([]mapping, error) {
	var found []mapping
	var current mapping
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		line := lines.Text()
		var m mapping
		var may string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &m.begin, &m.end, &may); err == nil {
			current = mapping{}
			if strings.HasSuffix(line, " "+program) && (may == "r-xp" || may == "r--p") {
				current = m
			}
			continue
		}
		// What was written to is a copy, which belongs to no file.
		var kib int
		if _, err := fmt.Sscanf(line, "Anonymous: %d kB", &kib); err == nil && kib == 0 && current.end > 0 {
			found = append(found, current)
		}
	}
	return found, lines.Err()
}
