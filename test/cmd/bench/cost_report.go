package main

import (
	"fmt"
	"image/color"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/kubedemo/memhog-operator/test/document"
)

const (
	costData    = "agent-cost.json"
	costPicture = "agent-cost.svg"
)

// reportCosts prints the result and, where there is a folder for it, writes it into the documentation.
func reportCosts(costs []cost, folder string) error {
	return publish(folder, costData, costs, "cost", costTable(costs), func() error {
		return drawCosts(costs, filepath.Join(folder, costPicture))
	})
}

func costTable(costs []cost) string {
	var b strings.Builder
	b.WriteString("| calm containers | guaranteed | processor | resident |\n| --- | --- | --- | --- |\n")
	for _, c := range costs {
		fmt.Fprintf(&b, "| %d | %d MiB/s | %.2f %% of a core | %.1f MiB |\n", c.Containers, c.MiBPerSecond, c.CPUPercent, c.RSSMiB)
	}
	fmt.Fprintf(&b, "\nContainers of %dMi that hold %d MiB; each row over %s.\n", calmLimit, calmUse, span)
	return b.String()
}

// drawCosts draws the processor's share over the number of containers, a line for each guaranteed rate.
func drawCosts(costs []cost, path string) error {
	const width, height = 18 * vg.Centimeter, 9 * vg.Centimeter
	p := plot.New()
	document.Sans(&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle)
	p.BackgroundColor = color.White
	p.Title.Text = "What an agent takes of its node"
	p.X.Label.Text, p.Y.Label.Text = "calm containers", "% of a core"
	p.X.Min, p.Y.Min = 0, 0
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	shades := []color.Color{
		color.RGBA{R: 0x8c, G: 0xb8, B: 0xe4, A: 0xff}, color.RGBA{R: 0x1f, G: 0x6f, B: 0xc4, A: 0xff},
		color.RGBA{R: 0x0e, G: 0x36, B: 0x60, A: 0xff},
	}
	for i, rate := range calmRates {
		var points plotter.XYs
		for _, c := range costs {
			if c.MiBPerSecond == rate {
				points = append(points, plotter.XY{X: float64(c.Containers), Y: c.CPUPercent})
			}
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		line.LineStyle = draw.LineStyle{Color: shades[i%len(shades)], Width: vg.Points(2)}
		dots.GlyphStyle = draw.GlyphStyle{Color: shades[i%len(shades)], Radius: vg.Points(3), Shape: draw.CircleGlyph{}}
		p.Add(line, dots)
		p.Legend.Add(fmt.Sprintf("%d MiB/s guaranteed", rate), line, dots)
		for _, point := range points {
			p.Y.Max = max(p.Y.Max, 1.5*point.Y) // room for the legend
		}
	}
	return writePicture(p, width, height, path)
}
