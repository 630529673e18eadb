package main

import (
	"errors"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/kubedemo/memhog-operator/test/document"
)

var (
	blue   = color.RGBA{R: 0x1f, G: 0x6f, B: 0xc4, A: 0xff}
	red    = color.RGBA{R: 0xc0, G: 0x30, B: 0x2b, A: 0xff}
	amber  = color.RGBA{R: 0xd9, G: 0x8a, B: 0x10, A: 0xff}
	grey   = color.RGBA{R: 0x70, G: 0x70, B: 0x70, A: 0xff}
	pale   = color.RGBA{R: 0xe4, G: 0xe4, B: 0xe4, A: 0xff}
	dashes = []vg.Length{vg.Points(6), vg.Points(4)}
	dots   = []vg.Length{vg.Points(2), vg.Points(3)}
)

// width and height of the picture.
const (
	width  = 24 * vg.Centimeter
	height = 13 * vg.Centimeter
)

// chart draws the record as a PNG: use against limit and threshold, and the moments that matter.
type chart struct {
	*plot.Plot
	record *record
	top    float64 // of the vertical axis, in MiB
}

// writeChart writes the chart of the whole record.
func writeChart(r *record, title, path string) error {
	c := &chart{Plot: plot.New(), record: r, top: math.Ceil(r.goal().limitMiB()*1.05/64) * 64}
	c.frame(title)
	for _, add := range []func() error{c.limits, c.projection, c.usage, c.moments} {
		if err := add(); err != nil {
			return fmt.Errorf("chart %q: %w", path, err)
		}
	}
	if err := c.write(path); err != nil {
		return fmt.Errorf("chart %q: %w", path, err)
	}
	return nil
}

func (c *chart) write(path string) error {
	canvas := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(144))
	const margin = 10
	c.Draw(draw.Crop(draw.New(canvas), margin, -1.5*margin, margin, -margin))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := (vgimg.PngCanvas{Canvas: canvas}).WriteTo(file); err != nil {
		return errors.Join(err, file.Close())
	}
	return file.Close()
}

func (c *chart) frame(title string) {
	document.Sans(&c.Title.TextStyle, &c.X.Label.TextStyle, &c.Y.Label.TextStyle,
		&c.X.Tick.Label, &c.Y.Tick.Label, &c.Legend.TextStyle)
	c.BackgroundColor = color.White
	c.Title.Text = title
	c.Title.TextStyle.Font.Size = vg.Points(14)
	c.Title.Padding = vg.Points(8)
	c.X.Label.Text = "time since the Deployment was applied (seconds)"
	c.Y.Label.Text = "memory (MiB)"
	c.X.Min, c.X.Max = 0, c.seconds(c.record.end)
	c.Y.Min, c.Y.Max = 0, c.top
	c.X.Tick.Marker, c.Y.Tick.Marker = steps(10, 20, 50), steps(128, 256)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = nil, pale
	c.Add(grid)
	// Below the use there is room: it starts at half of the limit.
	c.Legend.Top, c.Legend.Left = false, false
	c.Legend.XOffs, c.Legend.YOffs = vg.Points(-10), vg.Points(6)
	c.Legend.Padding = vg.Points(2)
}

// steps marks the multiples of one of these steps, or of ten times, a tenth … of one: the smallest that makes ten marks
// at most. A single step gives 128, 1280 …; 10, 20, 50 give 1, 2, 5, 10 ….
func steps(choices ...float64) plot.TickerFunc {
	return func(low, high float64) []plot.Tick {
		step := math.Inf(1)
		for _, choice := range choices {
			decades := math.Ceil(math.Log10((high - low) / choice / 10))
			step = min(step, choice*math.Pow(10, decades))
		}
		var ticks []plot.Tick
		for v := math.Ceil(low/step) * step; v <= high; v += step {
			ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%.4g", v)})
		}
		return ticks
	}
}

// seconds is a time as a place on the horizontal axis.
func (c *chart) seconds(at time.Time) float64 { return at.Sub(c.record.begin).Seconds() }

// line adds a line to the plot, and to the legend where it has a name.
func (c *chart) line(points plotter.XYs, style draw.LineStyle, name string) error {
	line, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	line.LineStyle = style
	c.Add(line)
	if name != "" {
		c.Legend.Add(name, line)
	}
	return nil
}

// limits draws limit and threshold of the Pod that serves. The limit is one line of steps.
func (c *chart) limits() error {
	served := c.record.served(c.record.end)
	if len(served) == 0 {
		return nil
	}
	var limit plotter.XYs
	for _, s := range served {
		limit = append(limit, c.level(s, 1)...)
	}
	style := draw.LineStyle{Color: red, Width: vg.Points(2.2)}
	if err := c.line(limit, style, "memory limit of the Pod that serves"); err != nil {
		return err
	}
	name := fmt.Sprintf("threshold, %.4g %% of the limit", 100*c.record.threshold)
	for _, s := range served {
		style := draw.LineStyle{Color: amber, Width: vg.Points(1.4), Dashes: dashes}
		if err := c.line(c.level(s, c.record.threshold), style, name); err != nil {
			return err
		}
		name = ""
	}
	return nil
}

// level is a level line at a part of the limit, as long as a Pod served with it.
func (c *chart) level(s service, part float64) plotter.XYs {
	mib := part * s.size.limitMiB()
	return plotter.XYs{{X: c.seconds(s.from), Y: mib}, {X: c.seconds(s.to), Y: mib}}
}

// usage draws each Pod's own count as a line, and the kubelet's samples as dots.
func (c *chart) usage() error {
	name := "memory used, as memhog logs it"
	var seen plotter.XYs
	for _, pod := range c.record.pods {
		points := c.points(pod.own)
		if len(points) == 0 {
			continue
		}
		if pod.gone.IsZero() { // a size that is held is logged once
			points = append(points, plotter.XY{X: c.seconds(c.record.end), Y: points[len(points)-1].Y})
		}
		if err := c.line(points, draw.LineStyle{Color: blue, Width: vg.Points(2.2)}, name); err != nil {
			return err
		}
		name = ""
		seen = append(seen, c.points(pod.kubelet)...)
	}
	scatter, err := plotter.NewScatter(seen)
	if err != nil || len(seen) == 0 {
		return err
	}
	scatter.GlyphStyle = draw.GlyphStyle{Color: blue, Radius: vg.Points(3.6), Shape: draw.RingGlyph{}}
	c.Add(scatter)
	c.Legend.Add("the kubelet's samples, which "+c.record.reader+" reads", scatter)
	return nil
}

func (c *chart) points(samples []sample) plotter.XYs {
	var points plotter.XYs
	for _, s := range samples {
		if x := c.seconds(s.at); x >= 0 && !s.at.After(c.record.end) {
			points = append(points, plotter.XY{X: x, Y: s.mib})
		}
	}
	return points
}

// projection marks where the kernel would have killed memhog without the operator, unless it was killed all the same:
// where its use reached the first limit or, when its Pod ended before that, where it would have at the rate it grew with.
func (c *chart) projection() error {
	if len(c.record.oomKilled) > 0 || len(c.record.pods) == 0 || len(c.record.pods[0].own) < 3 {
		return nil
	}
	limit := c.record.plan[0].limitMiB()
	if at := c.record.crossing(limit); !at.IsZero() {
		return c.cross(plotter.XY{X: c.seconds(at), Y: limit}, "without the operator: OOM kill")
	}
	own := c.record.pods[0].own
	first, last := own[max(1, len(own)-11)], own[len(own)-1] // the first of all is from before the start was reached
	rate := (last.mib - first.mib) / last.at.Sub(first.at).Seconds()
	if rate <= 0 || len(c.record.pods) < 2 {
		return nil
	}
	death := plotter.XY{X: c.seconds(last.at) + (limit-last.mib)/rate, Y: limit}
	if death.X > c.X.Max {
		c.X.Max = death.X * 1.04
	}
	points := plotter.XYs{{X: c.seconds(last.at), Y: last.mib}, death}
	style := draw.LineStyle{Color: grey, Width: vg.Points(1.6), Dashes: dots}
	if err := c.line(points, style, "projection: OOM kill without the operator"); err != nil {
		return err
	}
	return c.cross(death, "")
}

// cross marks a point, and names it in the legend where it has a name.
func (c *chart) cross(at plotter.XY, name string) error {
	cross, err := plotter.NewScatter(plotter.XYs{at})
	if err != nil {
		return err
	}
	cross.GlyphStyle = draw.GlyphStyle{Color: grey, Radius: vg.Points(5), Shape: draw.CrossGlyph{}}
	c.Add(cross)
	if name != "" {
		c.Legend.Add(name, cross)
	}
	return nil
}
