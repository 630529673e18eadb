package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/kubedemo/memhog-operator/test/document"
)

// page and picture are what a result is written into.
const (
	page    = "in-place.md"
	picture = "in-place-latency.svg"
)

// quantile is the value that a part of the sorted values does not exceed, by the nearest rank: the 0.99 quantile of 50 values
// is the 50th.
func quantile(sorted []time.Duration, part float64) time.Duration {
	return sorted[max(0, int(math.Ceil(part*float64(len(sorted))))-1)]
}

// milliseconds is a duration as the tables have it.
func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.0f ms", float64(d)/float64(time.Millisecond))
}

// report prints what was measured and, where there is a folder for it, writes it into the documentation.
func report(took []time.Duration, folder string) error {
	table := fmt.Sprintf(`| resizes | median | p90 | p99 | slowest |
| --- | --- | --- | --- | --- |
| %d | %s | %s | %s | %s |
`, len(took), milliseconds(quantile(took, 0.5)), milliseconds(quantile(took, 0.9)), milliseconds(quantile(took, 0.99)),
		milliseconds(took[len(took)-1]))
	fmt.Printf("from the operator's decision to the limit in the container's cgroup, %d containers, %d processors:\n%s",
		growers, runtime.NumCPU(), table)
	if folder == "" {
		return nil
	}
	return errors.Join(writePart(filepath.Join(folder, page), "measured", table), drawLatencies(took, filepath.Join(folder, picture)))
}

// publish prints a table of what was measured of agents and, where there is a folder for it, writes it there: as data, as a part of
// the page about agents, and as a picture.
func publish(folder, data string, measured any, part, table string, draw func() error) error {
	fmt.Print(table)
	if folder == "" {
		return nil
	}
	text, err := json.MarshalIndent(measured, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(folder, data), append(text, '\n'), 0o644),
		writePart(filepath.Join(folder, agentPage), part, table),
		draw(),
	)
}

// writePart writes a part of a page, in place of what stands there.
func writePart(path, part, content string) error {
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	after, err := document.ReplacePart(string(before), part, content)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(after), 0o644)
}

// drawLatencies draws which part of the resizes was through after how long.
func drawLatencies(took []time.Duration, path string) error {
	const width, height = 18 * vg.Centimeter, 8 * vg.Centimeter
	p := plot.New()
	document.Sans(&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label)
	p.BackgroundColor = color.White
	p.Title.Text = "From the decision to the limit in the cgroup"
	p.X.Label.Text, p.Y.Label.Text = "milliseconds", "resizes that were through (%)"
	p.X.Min, p.Y.Min, p.Y.Max = 0, 0, 100
	points := plotter.XYs{{X: 0, Y: 0}}
	for i, d := range took {
		x := float64(d) / float64(time.Millisecond)
		points = append(points,
			plotter.XY{X: x, Y: 100 * float64(i) / float64(len(took))}, plotter.XY{X: x, Y: 100 * float64(i+1) / float64(len(took))})
	}
	line, err := plotter.NewLine(points)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	line.LineStyle = draw.LineStyle{Color: color.RGBA{R: 0x1f, G: 0x6f, B: 0xc4, A: 0xff}, Width: vg.Points(2)}
	p.Add(plotter.NewGrid(), line)
	return writePicture(p, width, height, path)
}

// writePicture writes a chart as SVG.
func writePicture(p *plot.Plot, width, height vg.Length, path string) error {
	canvas := vgsvg.New(width, height)
	const margin = 8
	p.Draw(draw.Crop(draw.New(canvas), margin, -margin, margin, -margin))
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = canvas.WriteTo(file)
	return errors.Join(err, file.Close())
}
