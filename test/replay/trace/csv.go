package trace

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A recording of more than a month would be replayed for minutes; more bytes than that no machine has.
const (
	mostSeconds = 31 * day
	mostBytes   = 1 << 50
)

// A recording's columns, by the names in its header.
const (
	columnSeconds     = "seconds"
	columnBytes       = "bytes"
	columnReclaimable = "reclaimable"
)

var headers = [][]string{{columnSeconds, columnBytes}, {columnSeconds, columnBytes, columnReclaimable}}

// row is one line of a recording.
type row struct {
	second float64
	use    Use
}

// ReadFile reads a recording. Its seconds count from the beginning of the recording, or, with sinceStart, from the start of
// the process: then the program begins anew when it is restarted.
func ReadFile(path string, sinceStart bool) (Trace, error) {
	file, err := os.Open(path)
	if err != nil {
		return Trace{}, err
	}
	defer file.Close()
	rows, err := read(file)
	if err != nil {
		return Trace{}, fmt.Errorf("%s: %w", path, err)
	}
	uses := perSecond(rows)
	t := Trace{
		Name:    strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)),
		Story:   "Recorded in " + filepath.Base(path) + ".",
		Seconds: len(uses),
		At:      func(second, _ int) Use { return uses[second] },
	}
	if sinceStart {
		t.At = func(_, age int) Use { return uses[age] }
	}
	return t, nil
}

func read(r io.Reader) ([]row, error) {
	reader := csv.NewReader(r)
	reader.TrimLeadingSpace = true
	header, err := reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("line 1: nothing in it, want the header %s", wanted())
	}
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(headers, func(h []string) bool { return slices.Equal(h, header) }) {
		return nil, fmt.Errorf("line 1: the header is %q, want %s", strings.Join(header, ","), wanted())
	}
	var rows []row
	for {
		fields, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err // names line and column itself
		}
		line, _ := reader.FieldPos(0)
		next, err := parse(fields, header, line, rows)
		if err != nil {
			return nil, err
		}
		rows = append(rows, next)
	}
	if len(rows) < 2 {
		return nil, fmt.Errorf("%d lines after the header, want at least 2", len(rows))
	}
	return rows, nil
}

func wanted() string {
	var all []string
	for _, h := range headers {
		all = append(all, strconv.Quote(strings.Join(h, ",")))
	}
	return strings.Join(all, " or ")
}

// parse reads one line; its time must be after that of the line before.
func parse(fields, header []string, line int, before []row) (row, error) {
	var r row
	for i, field := range fields {
		low, most := "from 0", float64(mostBytes)
		n, err := strconv.ParseFloat(field, 64)
		// The comparisons are written so that NaN fails them.
		good := err == nil && n >= 0
		switch header[i] {
		case columnSeconds:
			most = mostSeconds
			if len(before) > 0 {
				last := before[len(before)-1].second
				good, low = good && n > last, "above "+decimal(last)
			}
			r.second = n
		case columnBytes:
			r.use.Anonymous = int64(n)
		case columnReclaimable:
			most = float64(r.use.Anonymous) // no more than all that is in use
			r.use.Reclaimable = int64(n)
		}
		if !good || !(n <= most) {
			return row{}, fmt.Errorf("line %d, column %d (%s): %q, want a number %s to %s",
				line, i+1, header[i], field, low, decimal(most))
		}
	}
	r.use.Anonymous -= r.use.Reclaimable
	return r, nil
}

func decimal(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// perSecond draws straight lines between the rows, from the first to the last.
func perSecond(rows []row) []Use {
	begin, end := rows[0].second, rows[len(rows)-1].second
	uses := make([]Use, 0, int(end-begin)+1)
	next := 1
	for at := begin; at <= end; at++ {
		for rows[next].second < at {
			next++
		}
		a, b := rows[next-1], rows[next]
		part := (at - a.second) / (b.second - a.second)
		uses = append(uses, Use{
			Anonymous:   between(a.use.Anonymous, b.use.Anonymous, part),
			Reclaimable: between(a.use.Reclaimable, b.use.Reclaimable, part),
		})
	}
	return uses
}

func between(a, b int64, part float64) int64 { return a + int64(part*float64(b-a)) }
