package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/kubedemo/memhog-operator/test/document"
)

// What the results of agents are written into.
const (
	agentPage   = "agent.md"
	fillData    = "agent-fill.json"
	fillPicture = "agent-fill.svg"
)

// fill is a row of the result.
type fill struct {
	Name string `json:"name"`
	// MiBPerSecond is the fastest growth that five containers of five survived, and KilledAt the slowest that one of them did not;
	// 0 when all survived what the machine can do.
	MiBPerSecond float64 `json:"mibPerSecond"`
	KilledAt     float64 `json:"killedAt,omitempty"`
	// The time from when the use crossed the threshold until the kernel had the new limit, over so many raises.
	Raises   int     `json:"raises,omitempty"`
	MinMS    float64 `json:"reactionMinMs"`
	MedianMS float64 `json:"reactionMedianMs"`
	P99MS    float64 `json:"reactionP99Ms"`
	// At is the growth in MiB a second of which these times are; 0 for all that was tried.
	At float64 `json:"reactionAtMibPerSecond,omitempty"`
}

func (f *fill) setReactions(took []time.Duration) {
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	ms := func(d time.Duration) float64 {
		return float64(d.Round(100*time.Microsecond)) / float64(time.Millisecond)
	}
	f.Raises, f.MinMS = len(took), ms(took[0])
	f.MedianMS, f.P99MS = ms(quantile(took, 0.5)), ms(quantile(took, 0.99))
}

// into puts the row in the place of the one of its name, or at the end.
func (f fill) into(rows []fill) []fill {
	if i := slices.IndexFunc(rows, func(r fill) bool { return r.Name == f.Name }); i >= 0 {
		rows[i] = f
		return rows
	}
	return append(rows, f)
}

// readFills reads what was measured before; nothing where there is no folder for it.
func readFills(folder string) ([]fill, error) {
	if folder == "" {
		return nil, nil
	}
	text, err := os.ReadFile(filepath.Join(folder, fillData))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var rows []fill
	if err := json.Unmarshal(text, &rows); err != nil {
		return nil, fmt.Errorf("%s: %w", fillData, err)
	}
	return rows, nil
}

// reportFills prints the result and, where there is a folder for it, writes it into the documentation.
func reportFills(rows []fill, folder string) error {
	slices.SortFunc(rows, func(a, b fill) int { return place(a.Name) - place(b.Name) })
	return publish(folder, fillData, rows, "fill", fillTable(rows), func() error {
		return drawFills(rows, filepath.Join(folder, fillPicture))
	})
}

// place is where a row stands: the machine first, and then the contenders in their order.
func place(name string) int {
	return slices.IndexFunc(contenders(), func(c contender) bool { return c.name == name })
}

func fillTable(rows []fill) string {
	var b strings.Builder
	b.WriteString("| who looks | survived | killed at | crossing → cgroup: least | median | p99 | raises |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- |\n")
	for _, r := range rows {
		killed, reactions := "never", "– | – | – | –"
		switch {
		case r.KilledAt > 0:
			killed = rate(r.KilledAt)
		case r.Name == machineLimit:
			killed = "–"
		}
		if r.Raises > 0 {
			reactions = fmt.Sprintf("%s | %s | %s | %d", inWords(r.MinMS), inWords(r.MedianMS), inWords(r.P99MS), r.Raises)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.Name, rate(r.MiBPerSecond), killed, reactions)
	}
	fmt.Fprintf(&b, "\n%d processors; five runs of five survived. Times are of all rates that were tried", runtime.NumCPU())
	for _, r := range rows {
		if r.At > 0 {
			fmt.Fprintf(&b, ", with %s of growth by %s", r.Name, rate(r.At))
		}
	}
	fmt.Fprintf(&b, ".\nOf fewer than %d raises, p99 is the slowest.\n", telling)
	return b.String()
}

// rate is a rate as people say it.
func rate(mibPerSecond float64) string {
	switch {
	case mibPerSecond == 0:
		return "none"
	case mibPerSecond < 100:
		return fmt.Sprintf("%.1f MiB/s", mibPerSecond)
	}
	return fmt.Sprintf("%.0f MiB/s", mibPerSecond)
}

// inWords is a time of so many milliseconds as people say it.
func inWords(ms float64) string {
	switch {
	case ms == 0:
		return "foreseen"
	case ms < 1000:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.1f s", ms/1000)
}

// drawFills draws what was survived, a line for each row.
func drawFills(rows []fill, path string) error {
	const width, height = 20 * vg.Centimeter, 8 * vg.Centimeter
	p := plot.New()
	document.Sans(&p.Title.TextStyle, &p.X.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label)
	p.BackgroundColor = color.White
	p.Title.Text = "The fastest growth that a container of 384Mi survives"
	p.X.Label.Text = "MiB per second"
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	p.X.Min, p.X.Max = 1, 10_000
	var names []string
	for i, r := range slices.Backward(rows) {
		names = append(names, r.Name)
		y, end := float64(len(rows)-1-i), max(1, r.MiBPerSecond)
		line, err := plotter.NewLine(plotter.XYs{{X: 1, Y: y}, {X: end, Y: y}})
		if err != nil {
			return err
		}
		line.LineStyle = draw.LineStyle{Color: color.RGBA{R: 0x1f, G: 0x6f, B: 0xc4, A: 0xff}, Width: vg.Points(12)}
		label, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{{X: end, Y: y}}, Labels: []string{rate(r.MiBPerSecond)}})
		if err != nil {
			return err
		}
		document.Sans(&label.TextStyle[0])
		label.TextStyle[0].YAlign = draw.YCenter
		label.Offset.X = vg.Points(8)
		p.Add(line, label)
	}
	p.NominalY(names...)
	return writePicture(p, width, height, path)
}
