package agent

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// resident is what the process holds of files, in KiB.
func resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	must(t, err)
	for line := range strings.Lines(string(text)) {
		var kib int
		if _, err := fmt.Sscanf(line, "RssFile: %d", &kib); err == nil {
			return kib
		}
	}
	t.Skip("this kernel does not say what a process holds of files")
	return 0
}

func TestTheProgramHoldsLessOfItselfAndGoesOn(t *testing.T) {
	before := resident(t)
	must(t, ReleaseCode())
	after := resident(t)
	t.Logf("%d KiB before, %d KiB after", before, after)
	if after >= before {
		t.Errorf("%d KiB before, %d KiB after", before, after)
	}
	w := newWorld(t)
	w.monitor()
	pod, _ := w.pod("memhog", 300)
	w.turn()
	w.wants(pod, "512Mi/768Mi")
}
