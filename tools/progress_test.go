package tools

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

func TestLineWriter(t *testing.T) {
	var got []string
	w := &lineWriter{each: func(line string) { got = append(got, line) }}
	for _, part := range []string{"a", "b\nc\n\nd", "\nunfinished"} {
		if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
			t.Errorf("Write(%q) = %d, %v", part, n, err)
		}
	}
	w.flush()
	if want := []string{"ab", "c", "", "d", "unfinished"}; !slices.Equal(got, want) {
		t.Errorf("lines %q, want %q", got, want)
	}
}

func TestMeterWithoutATerminal(t *testing.T) {
	m := newMeter(&bytes.Buffer{}, "kubelet v1.37.2")
	defer m.close()
	expect := func(want string) {
		t.Helper()
		if got := m.state(); got != want {
			t.Errorf("state %q, want %q", got, want)
		}
	}
	m.phase("downloading modules", "modules", unknown)
	m.step()
	expect("downloading modules, 1 modules")
	m.compiling(2)
	expect("compiling, 0 of 2 packages")
	m.compiled()
	expect("compiling, 1 of 2 packages")
	m.compiled()
	expect(linking)
	m.compiling(0)
	expect(linking)
}

func TestMeterKeepsTheLastLines(t *testing.T) {
	m := newMeter(&bytes.Buffer{}, "kubelet v1.37.2")
	defer m.close()
	for range 3 * tail {
		m.note("line")
	}
	if len(m.notes) != tail {
		t.Errorf("%d lines kept, want %d", len(m.notes), tail)
	}
}

func TestAbout(t *testing.T) {
	for d, want := range map[time.Duration]string{
		5 * time.Second:   "5 s",
		89 * time.Second:  "89 s",
		100 * time.Second: "2 min",
		6 * time.Minute:   "6 min",
	} {
		if got := About(d); got != want {
			t.Errorf("About(%s) = %q, want %q", d, got, want)
		}
	}
}
