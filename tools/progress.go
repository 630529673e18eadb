package tools

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

const (
	// unknown is the total of a phase whose length nobody can tell.
	unknown = -1
	// linking is the last phase. A main package has a few files, so it gets no
	// phase of its own, but it is where a compile error may still occur.
	linking = "compiling main and linking"
	// plainEvery is how often a build reports to a log: often enough to see that
	// it lives, seldom enough to keep a CI log short.
	plainEvery = 20 * time.Second
	// tail is how many lines of output are kept to explain a failure.
	tail = 30
)

// meter shows how far a build is: a bar on a terminal, else a line now and then.
type meter struct {
	out   io.Writer
	title string
	start time.Time
	bar   bool
	stop  chan struct{}

	mu     sync.Mutex
	label  string
	unit   string
	done   int
	total  int
	shown  *progressbar.ProgressBar
	notes  []string
	closed bool
}

func newMeter(out io.Writer, title string) *meter {
	m := &meter{out: out, title: title, start: time.Now(), bar: isTerminal(out), stop: make(chan struct{})}
	every := plainEvery
	if m.bar {
		every = 200 * time.Millisecond // clock and spinner must move while one package takes long
	}
	go m.refresh(every)
	return m
}

func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (m *meter) refresh(every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-m.stop:
			return
		case <-ticker.C:
			m.show()
		}
	}
}

func (m *meter) show() {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed, m.bar && m.shown == nil:
	case m.bar:
		m.draw()
	default:
		say(m.out, "  %s: %s after %s", m.title, m.state(), time.Since(m.start).Round(time.Second))
	}
}

// state is the plain form of the bar: "compiling, 812 of 2079 packages".
func (m *meter) state() string {
	switch {
	case m.unit == "":
		return m.label
	case m.total == unknown:
		return fmt.Sprintf("%s, %d %s", m.label, m.done, m.unit)
	default:
		return fmt.Sprintf("%s, %d of %d %s", m.label, m.done, m.total, m.unit)
	}
}

// phase begins a new stretch of work of total steps.
func (m *meter) phase(label, unit string, total int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.label, m.unit, m.done, m.total = label, unit, 0, total
	if !m.bar {
		return
	}
	m.clear()
	m.shown = progressbar.NewOptions(total,
		progressbar.OptionSetWriter(m.out),
		progressbar.OptionSetWidth(24),
		progressbar.OptionSetElapsedTime(true),
		progressbar.OptionSetPredictTime(total != unknown),
		progressbar.OptionSpinnerType(14),
		progressbar.OptionClearOnFinish(),
		// Without it the library draws spinners on its own, also after their end.
		progressbar.OptionSetSpinnerChangeInterval(0),
	)
	m.draw()
}

// draw needs the lock, and a bar.
func (m *meter) draw() {
	m.shown.Describe(fmt.Sprintf("  %s: %s", m.title, m.state()))
}

// compiling begins the phase that takes longest; it ends in linking.
func (m *meter) compiling(packages int) {
	if packages == 0 {
		m.phase(linking, "", unknown)
		return
	}
	m.phase("compiling", "packages", packages)
}

// compiled counts a package. After the last one only the linker is left, which
// cannot tell how far it is.
func (m *meter) compiled() {
	m.step()
	if m.done == m.total {
		m.phase(linking, "", unknown)
	}
}

// step counts one unit of the phase as done.
func (m *meter) step() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done++
	if m.shown != nil {
		_ = m.shown.Set(m.done)
	}
}

// note keeps a line of output for the case that the build fails.
func (m *meter) note(line string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.notes = append(m.notes, line)
	if len(m.notes) > tail {
		m.notes = m.notes[1:]
	}
}

// say prints a line above the bar.
func (m *meter) say(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clear()
	say(m.out, format, args...)
}

// close takes the bar away and returns how long the build took. Closing twice is fine.
func (m *meter) close() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.closed = true
		close(m.stop)
		m.clear()
	}
	return time.Since(m.start)
}

// clear needs the lock.
func (m *meter) clear() {
	if m.shown == nil {
		return
	}
	_ = m.shown.Clear()
	m.shown = nil
}

// lineWriter hands what is written to it on, line by line.
type lineWriter struct {
	each func(line string)
	rest []byte
}

// Write implements io.Writer.
func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		line, rest, complete := bytes.Cut(w.rest, []byte("\n"))
		if !complete {
			return len(p), nil
		}
		w.each(string(line))
		w.rest = rest
	}
}

// flush hands on a last line that had no end.
func (w *lineWriter) flush() {
	if len(w.rest) > 0 {
		w.each(string(w.rest))
		w.rest = nil
	}
}

// say prints a line of progress. Losing one is no reason to fail a build.
func say(out io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, format+"\n", args...)
}

// About rounds an estimate to what one would say aloud: 35s, 2 min.
func About(d time.Duration) string {
	if d < 90*time.Second {
		return fmt.Sprintf("%d s", int(d.Seconds()))
	}
	return fmt.Sprintf("%d min", int(d.Round(time.Minute).Minutes()))
}
