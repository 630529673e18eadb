package main

import (
	"fmt"
	"time"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// moments marks, with vertical lines, when the threshold was crossed, when the Deployment was raised, and when the new
// Pod was Ready. They can be less than a second apart, so each line is higher than the one before it, and has its label
// at its top, where no other line is in the way.
func (c *chart) moments() error {
	o := c.record.outcome()
	for i, moment := range []struct {
		at   time.Time
		text string
	}{
		{o.crossed, fmt.Sprintf("crossed %.4g %%", 100*c.record.threshold)},
		{o.decided, "Deployment raised"},
		{o.ready, "new Pod Ready"},
	} {
		if moment.at.IsZero() {
			continue
		}
		x, top := c.seconds(moment.at), c.top*(0.56+0.06*float64(i))
		foot := c.record.threshold * c.record.before.limitMiB()
		style := draw.LineStyle{Color: grey, Width: vg.Points(1)}
		if err := c.line(plotter.XYs{{X: x, Y: foot}, {X: x, Y: top}}, style, ""); err != nil {
			return err
		}
		if err := c.label(x, top, fmt.Sprintf("%s, %.1f s", moment.text, x)); err != nil {
			return err
		}
	}
	return nil
}

// label writes beside a point, just below it: to its left, where that is inside of the chart.
func (c *chart) label(x, y float64, words string) error {
	labels, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{{X: x, Y: y}}, Labels: []string{words}})
	if err != nil {
		return err
	}
	style := c.Legend.TextStyle
	style.XAlign, style.YAlign = text.XRight, text.YTop
	labels.Offset.X = vg.Points(-4)
	const plotted = 0.9 // of the width: what is left is for the vertical axis
	if vg.Length(x/c.X.Max*plotted)*width < style.Width(words)-labels.Offset.X {
		style.XAlign = text.XLeft
		labels.Offset.X = vg.Points(4)
	}
	labels.TextStyle = []text.Style{style}
	c.Add(labels)
	return nil
}
