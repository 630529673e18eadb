package agent

import (
	"fmt"
	"os"
	"slices"
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

func TestOnlyWhatWasNeverWrittenToIsLetGo(t *testing.T) {
	const smaps = `00400000-00500000 r-xp 00000000 08:01 1 /memhog operator
Size: 1024 kB
Anonymous: 0 kB
VmFlags: rd ex mr mw me
00500000-00600000 r--p 00100000 08:01 1 /memhog operator
Anonymous: 0 kB
00600000-00700000 r--p 00200000 08:01 1 /memhog operator
Anonymous: 8 kB
00700000-00800000 rw-p 00300000 08:01 1 /memhog operator
Anonymous: 0 kB
00800000-00900000 r--p 00000000 08:01 2 /lib/memhog operator
Anonymous: 0 kB
c000000000-c000400000 rw-p 00000000 00:00 0
Anonymous: 0 kB
`
	found, err := constant(strings.NewReader(smaps), "/memhog operator")
	must(t, err)
	if want := []mapping{{0x400000, 0x500000}, {0x500000, 0x600000}}; !slices.Equal(found, want) {
		t.Errorf("%x, want %x", found, want)
	}
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
