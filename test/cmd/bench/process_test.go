package main

import (
	"os"
	"testing"
	"time"
)

func TestProcessorTimeIsRead(t *testing.T) {
	const stat = "4711 (a (odd) name) S 1 2 3 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 8 0 12345 1000 200"
	used, err := parseProcessorTime(stat)
	if err != nil || used != 3*time.Second {
		t.Errorf("%v, %v, want 3 s", used, err)
	}
	if _, err := parseProcessorTime("nothing"); err == nil {
		t.Error("nothing was taken for a time")
	}
	if _, err := processorTime(os.Getpid()); err != nil {
		t.Error(err)
	}
	if rss, err := residentMiB(os.Getpid()); err != nil || rss < 1 {
		t.Errorf("this process has %v MiB, %v", rss, err)
	}
}
