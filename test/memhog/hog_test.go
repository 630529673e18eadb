package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// runAsMemhog, when set, makes the test binary behave as memhog itself.
const runAsMemhog = "MEMHOG_TEST_RUN"

func TestMain(m *testing.M) {
	if os.Getenv(runAsMemhog) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// line is what a reader of memhog's log relies on.
type line struct {
	Time        time.Time `json:"time"`
	Msg         string    `json:"msg"`
	HeldMiB     float64   `json:"heldMiB"`
	ResidentMiB float64   `json:"residentMiB"`
}

func TestGrowMakesMemoryResident(t *testing.T) {
	const size = 64 * mib
	h, err := newHog(growth{rate: mib, ceiling: size})
	if err != nil {
		t.Fatal(err)
	}
	before := residentBytes()
	for reached := false; !reached; {
		reached = h.grow(size / 2)
	}
	// Other goroutines and the runtime may come and go by a few MiB.
	const slack = 8 * mib
	if grown := residentBytes() - before; grown < size/2-slack || grown > size/2+slack {
		t.Errorf("holding %d MiB made %d MiB resident", size/2/mib, grown/mib)
	}
	for at := int64(0); at < size/2; at += h.page {
		if h.reserved[at] == 0 && h.reserved[at+1] == 0 && h.reserved[at+2] == 0 {
			t.Fatalf("the page at byte %d is zero", at)
		}
	}
	if h.held != size/2 {
		t.Errorf("held %d bytes, want %d", h.held, size/2)
	}
}

func TestFollowHoldsAtTheCeiling(t *testing.T) {
	g := growth{start: 2 * mib, rate: 400 * mib, ceiling: 40 * mib}
	h, err := newHog(g)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var log bytes.Buffer
	follow(ctx, g, h, nil, slog.New(slog.NewJSONHandler(&log, nil)))

	var said []string
	for scanner := bufio.NewScanner(&log); scanner.Scan(); {
		var l line
		if err := json.Unmarshal(scanner.Bytes(), &l); err != nil {
			t.Fatalf("line %q: %v", scanner.Text(), err)
		}
		if l.Msg == "holding" && l.HeldMiB != 40 {
			t.Errorf("holding %v MiB, want 40", l.HeldMiB)
		}
		said = append(said, l.Msg)
	}
	if got := strings.Join(said, " "); got != "starting growing holding stopping" {
		t.Errorf("log says %q, want starting, growing, holding, stopping once each", got)
	}
}

func TestFollowEndsWhenTheCeilingWasHeld(t *testing.T) {
	g := growth{start: 2 * mib, rate: 400 * mib, ceiling: 4 * mib, pause: time.Millisecond, hold: time.Millisecond}
	h, err := newHog(g)
	if err != nil {
		t.Fatal(err)
	}
	follow(t.Context(), g, h, nil, slog.New(slog.DiscardHandler))
	if h.held != 4*mib || t.Context().Err() != nil {
		t.Errorf("it ended with %d bytes held, want 4 MiB, by itself (%v)", h.held, t.Context().Err())
	}
}

func TestASignalAsksForMore(t *testing.T) {
	g := growth{start: 2 * mib, ceiling: 2 * mib, signal: 20 * mib}
	h, err := newHog(g)
	if err != nil {
		t.Fatal(err)
	}
	signals := make(chan os.Signal, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, in := io.Pipe()
	go func() {
		follow(ctx, g, h, signals, slog.New(slog.NewJSONHandler(in, nil)))
		in.Close()
	}()
	var held []float64
	for scanner := bufio.NewScanner(out); scanner.Scan(); {
		var l line
		if err := json.Unmarshal(scanner.Bytes(), &l); err != nil {
			t.Fatalf("line %q: %v", scanner.Text(), err)
		}
		if l.Msg != "holding" {
			continue
		}
		if held = append(held, l.HeldMiB); len(held) == 1 {
			signals <- syscall.SIGUSR1
		} else {
			cancel()
		}
	}
	if len(held) != 2 || held[0] != 2 || held[1] != 20 {
		t.Errorf("held %v MiB, want 2 and, from the signal on, 20", held)
	}
}

func TestTerminationIsImmediate(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), runAsMemhog+"=1", "MEMHOG_START_MIB=1", "MEMHOG_RATE_MIB_PER_SECOND=0.1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	scanner := bufio.NewScanner(out)
	if !scanner.Scan() {
		t.Fatalf("memhog logged nothing: %v", scanner.Err())
	}
	asked := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for scanner.Scan() {
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("memhog did not exit with 0: %v", err)
	}
	if took := time.Since(asked); took > 2*time.Second {
		t.Errorf("memhog took %v to exit", took)
	}
}

func TestBadSettingsEndTheProgram(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), runAsMemhog+"=1", "MEMHOG_CEILING_MIB=lots")
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d (%v), want 1", code, err)
	}
	if want := `memhog: MEMHOG_CEILING_MIB is "lots"`; !strings.HasPrefix(string(out), want) {
		t.Errorf("memhog says %q, want it to begin with %q", out, want)
	}
}
