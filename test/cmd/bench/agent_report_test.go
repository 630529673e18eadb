package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWhatIsMeasuredOfAgentsIsWritten(t *testing.T) {
	folder := t.TempDir()
	page := filepath.Join(folder, agentPage)
	const empty = "a\n<!-- fill -->\n<!-- end of fill -->\nb\n<!-- cost -->\n<!-- end of cost -->\nc\n"
	if err := os.WriteFile(page, []byte(empty), 0o600); err != nil {
		t.Fatal(err)
	}
	agent := fill{Name: "agent", MiBPerSecond: 1100}
	agent.setReactions([]time.Duration{80 * time.Millisecond, 40 * time.Millisecond})
	slow := fill{Name: "kubelet, cAdvisor's stats", MiBPerSecond: 5.2, KilledAt: 5.6}
	slow.setReactions([]time.Duration{0, 12500 * time.Millisecond})
	rows := slow.into(agent.into(nil))
	if err := reportFills(append(rows, fill{Name: machineLimit, MiBPerSecond: 1100}), folder); err != nil {
		t.Fatal(err)
	}
	var costs []cost
	for _, n := range calmCounts {
		for _, rate := range calmRates {
			costs = append(costs, cost{Containers: n, MiBPerSecond: rate, CPUPercent: 0.5, RSSMiB: 30})
		}
	}
	if err := reportCosts(costs, folder); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	last := -1
	for _, want := range []string{
		"| no limit at all | 1100 MiB/s | – | – | – | – | – |",
		"| agent | 1100 MiB/s | never | 40 ms | 40 ms | 80 ms | 2 |",
		"| kubelet, cAdvisor's stats | 5.2 MiB/s | 5.6 MiB/s | foreseen | foreseen | 12.5 s | 2 |",
		"| 110 | 1024 MiB/s | 0.50 % of a core | 30.0 MiB |",
	} {
		at := strings.Index(string(text), want)
		if at <= last {
			t.Errorf("the page is\n%s\nwant it to have, in this order, %s", text, want)
		}
		last = at
	}
	again, err := readFills(folder)
	if err != nil || len(again) != 3 || again[1] != agent {
		t.Errorf("read again: %+v, %v", again, err)
	}
	for _, picture := range []string{fillPicture, costPicture} {
		if drawn, err := os.ReadFile(filepath.Join(folder, picture)); err != nil || !strings.Contains(string(drawn), "<svg") {
			t.Errorf("%s: %v", picture, err)
		}
	}
}

func TestReactionsBeginWithTheCrossing(t *testing.T) {
	at := func(ms int, used, limit int64) reading {
		return reading{time.UnixMilli(int64(ms)), used * mib, limit * mib}
	}
	run := growthRun{readings: []reading{
		at(0, 200, 384), at(10, 288, 384), at(50, 300, 384), at(60, 310, 768), at(100, 500, 768), at(110, 520, 1536), at(200, 1152, 1536),
	}}
	took := run.reactions()
	if len(took) != 2 || took[0] != 50*time.Millisecond || took[1] != 0 {
		t.Errorf("reactions %v, want 50 ms, and 0 for the one that came before the crossing", took)
	}
	full := growthRun{readings: []reading{at(0, 200, 0), at(1000, 220, 0), at(3000, 1500, 0), at(3460, 2680, 0)}}
	if got := full.rate(); got != 1000 {
		t.Errorf("it grew by %v MiB/s, want 1000: 2460 MiB in 2.46 s", got)
	}
}
