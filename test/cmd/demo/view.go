package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/guptarohit/asciigraph"
)

// view shows the record while it grows.
type view interface {
	// show is called often; now decides what there is to see.
	show(r *record, now time.Time)
	// close is called once, when nothing more is coming.
	close(r *record, now time.Time)
}

// plain prints a line every few seconds and a line for all news: for a file or a pipe, without escape codes.
type plain struct {
	out   io.Writer
	every time.Duration
	last  time.Time
	told  int
}

func (p *plain) show(r *record, now time.Time) {
	for ; p.told < len(r.news); p.told++ {
		n := r.news[p.told]
		fmt.Fprintf(p.out, "%s  %s\n", clock(r, n.at), n.text)
	}
	if now.Sub(p.last) >= p.every {
		p.last = now
		fmt.Fprintf(p.out, "%s  %s; %s\n", clock(r, now), usageLine(r, now), kubeletLine(r, now))
	}
}

func (p *plain) close(r *record, now time.Time) {
	p.every = time.Second // a last line, unless there was one just now
	p.show(r, now)
}

// clock is the time since the beginning of the story, as minutes and seconds.
func clock(r *record, at time.Time) string {
	elapsed := max(0, at.Sub(r.begin))
	return fmt.Sprintf("%02d:%02d", int(elapsed.Minutes()), int(elapsed.Seconds())%60)
}

// usageLine tells use, limit and percent of the Pod that serves.
func usageLine(r *record, now time.Time) string {
	pod := r.serving(now)
	if pod == nil {
		return "no Pod yet"
	}
	limit := pod.held.at(now).limitMiB()
	used, found := latest(pod.own, now)
	if !found {
		return fmt.Sprintf("Pod/%s is starting, limit %.0f MiB", pod.name, limit)
	}
	line := fmt.Sprintf("memhog uses %.1f MiB of %.0f MiB, %.1f %%", used.mib, limit, 100*used.mib/limit)
	if used.mib >= r.threshold*limit {
		line += fmt.Sprintf(", above the threshold of %.4g %%", 100*r.threshold)
	}
	return line
}

// kubeletLine tells the newest sample that the operator can have.
func kubeletLine(r *record, now time.Time) string {
	if r.reader == "" {
		return "the node's agent looks for itself"
	}
	if pod := r.serving(now); pod != nil {
		if s, found := latest(pod.kubelet, now); found {
			return fmt.Sprintf("%s reads from the kubelet: %.1f MiB, %.0f s old", r.reader, s.mib, now.Sub(s.at).Seconds())
		}
	}
	return "the kubelet has no sample yet"
}

const (
	newsLines = 8  // lines of news in a frame
	axisWidth = 16 // columns left and right of the chart for the axis and its labels
	leastSpan = time.Minute
	indent    = "       " // as wide as the clock and the space after it
)

// frame draws everything for a terminal of so many columns and rows.
func frame(r *record, now time.Time, columns, rows int, color bool) string {
	lines := wrap(clock(r, now)+"  "+usageLine(r, now), columns)
	lines = append(lines, wrap(indent+kubeletLine(r, now), columns)...)
	lines = append(lines, "")
	// Besides the chart's own rows there are the lines above, the news, and five for axis, legend and space.
	if height := min(16, rows-len(lines)-newsLines-6); height >= 4 {
		lines = append(lines, strings.Split(graph(r, now, columns-axisWidth, height, color), "\n")...)
		lines = append(lines, "")
	}
	var told []string
	for _, n := range r.news {
		told = append(told, wrap(clock(r, n.at)+"  "+n.text, columns)...)
	}
	lines = append(lines, told[max(0, len(told)-newsLines):]...)
	return strings.Join(lines, "\n") + "\n"
}

func graph(r *record, now time.Time, width, height int, color bool) string {
	used, limit, span := r.series(now, max(width, 20))
	options := []asciigraph.Option{
		asciigraph.Height(height), asciigraph.LowerBound(0), asciigraph.UpperBound(r.goal().limitMiB()),
		asciigraph.XAxisRange(0, span.Seconds()), asciigraph.XAxisTickCount(5),
		asciigraph.XAxisValueFormatter(func(v float64) string { return fmt.Sprintf("%.0f s", v) }),
		asciigraph.YAxisValueFormatter(func(v float64) string { return fmt.Sprintf("%4.0f MiB", v) }),
		asciigraph.SeriesLegends("memory limit", "memory used, as memhog logs it"),
	}
	if color {
		options = append(options, asciigraph.SeriesColors(asciigraph.Red, asciigraph.DodgerBlue))
	} else {
		options = append(options, asciigraph.SeriesChars(asciigraph.CreateCharSet("-"), asciigraph.CreateCharSet("*")))
	}
	return asciigraph.PlotMany([][]float64{limit, used}, options...)
}

// series samples use and limit of the Pod that serves, in so many even steps over the time shown. Times to come, and
// times without a value, are NaN.
func (r *record) series(now time.Time, steps int) (used, limit []float64, span time.Duration) {
	span = max(leastSpan, now.Sub(r.begin))
	for i := range steps {
		at := r.begin.Add(span * time.Duration(i) / time.Duration(steps-1))
		u, l := math.NaN(), math.NaN()
		if pod := r.serving(at); pod != nil && !at.After(now) {
			l = pod.held.at(at).limitMiB()
			if s, found := latest(pod.own, at); found {
				u = s.mib
			}
		}
		used, limit = append(used, u), append(limit, l)
	}
	return used, limit, span
}

// wrap breaks a line at its spaces, and indents what follows. A terminal that wrapped by itself would spoil a drawing
// in place, so a word that is too long is cut.
func wrap(line string, columns int) []string {
	var lines []string
	for utf8.RuneCountInString(line) > columns {
		runes := []rune(line)
		at := columns
		for at > len(indent) && runes[at] != ' ' {
			at--
		}
		if at == len(indent) {
			return append(lines, string(runes[:max(0, columns)]))
		}
		lines = append(lines, string(runes[:at]))
		line = indent + strings.TrimSpace(string(runes[at:]))
	}
	return append(lines, line)
}
