package agent

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ReleaseCode lets go of the pages of the program's own code and constants that were touched while it started: most of what the
// process holds by then, and mostly of the other role that is in the same program. They stay in the page cache, and what is needed
// is mapped again when it is. Nothing else is touched: these pages were never written to.
func ReleaseCode() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("release code: %w", err)
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("release code: %w", err)
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var begin, end uintptr
		var may string
		line := lines.Text()
		if _, err := fmt.Sscanf(line, "%x-%x %s", &begin, &end, &may); err != nil || !strings.HasSuffix(line, program) {
			continue
		}
		if may != "r-xp" && may != "r--p" {
			continue // data, which differs from what is in the file
		}
		if _, _, failed := unix.Syscall(unix.SYS_MADVISE, begin, end-begin, unix.MADV_DONTNEED); failed != 0 {
			return fmt.Errorf("release code: %w", failed)
		}
	}
	return nil
}
