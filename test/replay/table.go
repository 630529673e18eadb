package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/test/replay/scaler"
	"github.com/kubedemo/memhog-operator/test/replay/trace"
)

var columns = []string{"trace", "policy", "OOM kills", "down", "restarts", "changes", "slack", "peak limit", "last decision"}

func (r result) cells() []string {
	return []string{
		r.trace, r.policy, fmt.Sprint(r.OOMKills), fmt.Sprintf("%.1f %%", 100*float64(r.DownSeconds)/float64(r.seconds)),
		fmt.Sprint(r.Restarts), fmt.Sprint(r.Changes), mebibytes(r.slack), mebibytes(r.peakLimit), r.last(),
	}
}

func mebibytes(bytes int64) string { return fmt.Sprintf("%d MiB", whole(bytes)) }

// whole rounds to MiB, as everything that is shown.
func whole(bytes int64) int64 { return (bytes + trace.MiB/2) / trace.MiB }

// writeTable writes for a terminal. Rows of one trace stand together, and name it once.
func writeTable(out io.Writer, results []result) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.ToUpper(strings.Join(columns, "\t")))
	for i, r := range results {
		cells := r.cells()
		if i > 0 && results[i-1].trace == r.trace {
			cells[0] = ""
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	return w.Flush()
}

// markdownTable writes all rows; numbers stand to the right.
func markdownTable(header []string, left []int, rows [][]string) string {
	var out strings.Builder
	align := make([]string, len(header))
	for i := range align {
		align[i] = "---:"
		if slices.Contains(left, i) {
			align[i] = "---"
		}
	}
	for _, row := range append([][]string{header, align}, rows...) {
		fmt.Fprintf(&out, "| %s |\n", strings.Join(row, " | "))
	}
	return out.String()
}

// story tells what happened, in the order in which it did.
func story(r result) string {
	type line struct {
		second int
		text   string
	}
	var lines []line
	for i, l := range r.limits {
		if i > 0 {
			lines = append(lines, line{l.second, "limit is " + mebibytes(l.bytes)})
		}
	}
	for _, k := range r.kills {
		lines = append(lines, line{k.second, "OOM-killed at " + mebibytes(k.bytes)})
	}
	for _, d := range r.account {
		lines = append(lines, line{d.Second, describe(d)})
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.second - b.second })
	var out strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&out, "%10s  %s\n", time.Duration(l.second)*time.Second, l.text)
	}
	if out.Len() > 0 {
		out.WriteByte('\n')
	}
	return out.String()
}

func describe(d scaler.Decision) string {
	text := fmt.Sprintf("%s, %s", d.Action, d.Reason)
	if d.Action == scaling.Hold {
		return text
	}
	text += fmt.Sprintf(" at %s used: request %s → %s, limit %s → %s", mebibytes(d.Used),
		mebibytes(d.From.Request), mebibytes(d.Target.Request), mebibytes(d.From.Limit), mebibytes(d.Target.Limit))
	if d.LimitedBy != "" {
		text += ", limited by " + string(d.LimitedBy)
	}
	return text
}
