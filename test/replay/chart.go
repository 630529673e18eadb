package main

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/kubedemo/memhog-operator/test/replay/scaler"
	"github.com/kubedemo/memhog-operator/test/replay/trace"
)

const (
	chartWidth  = 26 * vg.Centimeter
	chartHeight = 10 * vg.Centimeter
	legendWidth = 5.5 * vg.Centimeter
	// buckets are the spans of time of which a chart shows the lowest and the highest value.
	buckets = 400
	// families have letters as wide as the font that places are computed with, except the last.
	families = "Liberation Sans,Arial,Helvetica,sans-serif"
)

var (
	pale = color.RGBA{R: 0xe4, G: 0xe4, B: 0xe4, A: 0xff}
	grey = color.RGBA{R: 0xa8, G: 0xa8, B: 0xa8, A: 0xff}
	sky  = color.RGBA{R: 0x8c, G: 0xb8, B: 0xe4, A: 0xff}

	// drawn are the policies whose limits are drawn. Where limits are equal, the wide line is seen beneath the narrow one.
	drawn = []struct {
		policy, name string
		color        color.Color
		width        vg.Length
	}{
		{scaler.Ancestor, "the ancestor's limit", color.RGBA{R: 0xe8, G: 0xae, B: 0x4a, A: 0xff}, 5},
		{scaler.VPA, "VPA's limit", color.RGBA{R: 0x3a, G: 0x96, B: 0x52, A: 0xff}, 2},
		{scaler.Ours, "our limit", color.RGBA{R: 0x1f, G: 0x6f, B: 0xc4, A: 0xff}, 2},
	}
)

// chartFile is the name of a trace's chart.
func chartFile(t trace.Trace) string { return "replay-" + t.Name + ".svg" }

// writeCharts draws each trace. The drawings are the same whenever they are made.
func writeCharts(o options, folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, t := range o.traces {
		path := filepath.Join(folder, chartFile(t))
		if err := writeChart(o, t, path); err != nil {
			return fmt.Errorf("chart %q: %w", path, err)
		}
	}
	return nil
}

func writeChart(o options, t trace.Trace, path string) error {
	p, err := drawTrace(o, t)
	if err != nil {
		return err
	}
	canvas := vgsvg.New(chartWidth, chartHeight)
	p.drawOn(draw.New(canvas))
	var drawing bytes.Buffer
	if _, err := canvas.WriteTo(&drawing); err != nil {
		return err
	}
	// A drawing names its font, and few viewers have that one.
	fonts := bytes.ReplaceAll(drawing.Bytes(), []byte("font-family:Liberation Sans"), []byte("font-family:"+families))
	return os.WriteFile(path, fonts, 0o644)
}

// chart is a plot with its legend beside it, where it hides nothing.
type chart struct {
	*plot.Plot
	legend plot.Legend
}

func (p chart) drawOn(canvas draw.Canvas) {
	canvas.SetColor(color.White)
	canvas.Fill(canvas.Path())
	const margin = 10
	p.Draw(draw.Crop(canvas, margin, -legendWidth-margin, margin, -margin))
	p.legend.Draw(draw.Crop(canvas, canvas.Max.X-legendWidth, 0, 0, -40))
}

func drawTrace(o options, t trace.Trace) (*chart, error) {
	p := &chart{Plot: plot.New(), legend: plot.NewLegend()}
	p.frame(t)
	if err := p.line(extremes(demand(t)), draw.LineStyle{Color: grey, Width: vg.Points(1)}, "demand"); err != nil {
		return nil, err
	}
	for _, d := range drawn {
		r, err := play(t, d.policy, o.source, o.scaler)
		if err != nil {
			return nil, err
		}
		if d.policy == scaler.Ours {
			err = p.line(extremes(r.uses), draw.LineStyle{Color: sky, Width: vg.Points(1)}, "use, with ours")
		}
		if err == nil {
			err = p.line(limitLine(r), draw.LineStyle{Color: d.color, Width: d.width}, d.name)
		}
		if err == nil {
			err = p.kills(r, d.color)
		}
		if err != nil {
			return nil, err
		}
	}
	p.Y.Min, p.Y.Max = math.Exp2(math.Floor(math.Log2(p.Y.Min))), math.Exp2(math.Ceil(math.Log2(p.Y.Max*1.01)))
	return p, nil
}

// demand is what the program would use if it were never stopped by anybody but itself.
func demand(t trace.Trace) []int64 {
	uses := make([]int64, t.Seconds)
	started := 0
	for second := range uses {
		if t.Restarts != nil && t.Restarts(second) {
			started = second
		}
		use := t.At(second, second-started)
		uses[second] = use.Anonymous + use.Reclaimable
	}
	return uses
}

func (p *chart) frame(t trace.Trace) {
	sans := font.Font{Typeface: "Liberation", Variant: "Sans"}
	for _, style := range []*text.Style{
		&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle,
		&p.X.Tick.Label, &p.Y.Tick.Label, &p.legend.TextStyle,
	} {
		size := style.Font.Size
		style.Font = sans
		style.Font.Size = size
	}
	p.BackgroundColor = color.White
	p.Title.Text = t.Name
	p.Title.TextStyle.Font.Size = vg.Points(14)
	p.Title.Padding = vg.Points(6)
	p.X.Label.Text, p.Y.Label.Text = "hours", "memory (MiB)"
	p.X.Tick.Marker = plot.TickerFunc(hours)
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(doublings)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = nil, pale
	p.Add(grid)
	p.legend.Top, p.legend.Left = true, true
	p.legend.Padding = vg.Points(3)
}

// hours marks hours: with the smallest of these steps that makes twelve intervals at most.
func hours(_, high float64) []plot.Tick {
	step := 0.0
	for _, step = range []float64{0.25, 0.5, 1, 2, 6, 12, 24, 48, 96} {
		if high/step <= 12 {
			break
		}
	}
	var ticks []plot.Tick
	for v := 0.0; v <= high; v += step {
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%.4g", v)})
	}
	return ticks
}

// doublings marks the powers of two: between two marks, memory doubles.
func doublings(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	for v := math.Exp2(math.Ceil(math.Log2(low))); v <= high; v *= 2 {
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%.0f", v)})
	}
	return ticks
}

func (p *chart) line(points plotter.XYs, style draw.LineStyle, name string) error {
	line, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	line.LineStyle = style
	p.Add(line)
	p.legend.Add(name, line)
	return nil
}

// extremes draws the lowest and the highest of each span; what does not run uses next to nothing.
func extremes(bytes []int64) plotter.XYs {
	var points plotter.XYs
	for b := range buckets {
		from, to := b*len(bytes)/buckets, (b+1)*len(bytes)/buckets
		if from == to {
			continue
		}
		low, high := from, from
		for i := from; i < to; i++ {
			if bytes[i] < bytes[low] {
				low = i
			}
			if bytes[i] > bytes[high] {
				high = i
			}
		}
		for _, i := range []int{min(low, high), max(low, high)} {
			points = append(points, place(i, bytes[i]))
		}
	}
	return points
}

// leastMebibytes is where a logarithmic axis ends.
const leastMebibytes = 32

func place(second int, bytes int64) plotter.XY {
	return plotter.XY{X: float64(second) / 3600, Y: max(float64(bytes)/trace.MiB, leastMebibytes)}
}

func limitLine(r result) plotter.XYs {
	var points plotter.XYs
	for i, l := range r.limits {
		end := r.seconds
		if i+1 < len(r.limits) {
			end = r.limits[i+1].second
		}
		points = append(points, place(l.second, l.bytes), place(end, l.bytes))
	}
	return points
}

// kills marks each OOM kill by a cross on the limit.
func (p *chart) kills(r result, c color.Color) error {
	if len(r.kills) == 0 {
		return nil
	}
	var points plotter.XYs
	for _, k := range r.kills {
		points = append(points, place(k.second, k.bytes))
	}
	crosses, err := plotter.NewScatter(points)
	if err != nil {
		return err
	}
	crosses.GlyphStyle = draw.GlyphStyle{Color: c, Radius: vg.Points(5), Shape: draw.CrossGlyph{}}
	p.Add(crosses)
	p.legend.Add(fmt.Sprintf("%s: %d OOM kills", r.policy, len(r.kills)), crosses)
	return nil
}
