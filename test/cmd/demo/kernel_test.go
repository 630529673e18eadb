package main

import (
	"strings"
	"testing"
)

func TestTheKernelsWordIsTakenBeforeOthers(t *testing.T) {
	r := resized()
	// 287 MiB at 9.9 s and 289 MiB at 9.92 s; the new limit at 9.98 s, before the kubelet says so.
	r.sawKernel("memhog-1", sample{after(9.9), 287}, sample{after(9.9), 384})
	r.sawKernel("memhog-1", sample{after(9.92), 289}, sample{after(9.92), 384})
	r.sawKernel("memhog-1", sample{after(9.98), 295}, sample{after(9.98), 768})
	r.sawKernel("nobody", sample{after(9.98), 1}, sample{after(9.98), 1})
	r.pods[0].asked[1].at = after(9.95)
	if got := r.outcome().String(); !strings.Contains(got, "(crossing → decision 40 ms; decision → in force 30 ms)") {
		t.Errorf("outcome %s", got)
	}
}
