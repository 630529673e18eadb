package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// screen draws frames over each other in a terminal. What was printed before stays above them.
type screen struct {
	out   io.Writer
	size  func() (columns, rows int)
	color bool
	drawn int // lines of the last frame
}

// newView is a screen where out is a terminal, and plain lines where it is not.
func newView(out *os.File) view {
	fd := int(out.Fd())
	if !term.IsTerminal(fd) || os.Getenv("TERM") == "dumb" {
		return &plain{out: out, every: 5 * time.Second}
	}
	return &screen{out: out, color: os.Getenv("NO_COLOR") == "", size: func() (int, int) {
		columns, rows, err := term.GetSize(fd)
		if err != nil || columns < 1 || rows < 1 {
			return 80, 24
		}
		return columns, rows
	}}
}

func (s *screen) show(r *record, now time.Time) {
	columns, rows := s.size()
	text := frame(r, now, columns, rows, s.color)
	if s.drawn > 0 {
		// Up to the first line of the last frame, and clear from there, in one write so that nothing flickers.
		text = fmt.Sprintf("\x1b[%dA\x1b[J", s.drawn) + text
	}
	s.drawn = strings.Count(text, "\n")
	_, _ = io.WriteString(s.out, text)
}

// close leaves the last frame where it is.
func (s *screen) close(r *record, now time.Time) {
	s.show(r, now)
	s.drawn = 0
}
