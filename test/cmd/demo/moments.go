package main

import (
	"fmt"
	"time"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// moment is a time that the chart marks.
type moment struct {
	at   time.Time
	text string
	// after is how long after the moment before it came, where that is too soon to be told from the axis.
	after time.Duration
}

// moments lists what matters of a raise: when the threshold was crossed, unless the raise came first, when the new size
// was asked for, and when it was there. In place the last two are one mark, which a reader could not tell apart.
func (r *record) moments(x raise) []moment {
	var list []moment
	crossed := moment{at: x.crossed, text: fmt.Sprintf("crossed %.4g %%", 100*r.threshold)}
	if !x.foreseen() {
		list = append(list, crossed)
	}
	if r.inPlace {
		resized := moment{at: x.done, text: fmt.Sprintf("resized in place to %.0f MiB", x.to.limitMiB())}
		if soon := x.done.Sub(x.crossed); !x.foreseen() && soon < time.Second {
			resized.after = soon
		}
		return append(list, resized)
	}
	list = append(list, moment{at: x.decided, text: "Deployment raised"}, moment{at: x.done, text: "new Pod Ready"})
	if x.foreseen() {
		list = append(list, crossed)
	}
	return list
}

// moments marks what matters of each raise with vertical lines. They can be less than a second apart, so each line of a
// raise is higher than the one before it, and has its label at its top, where no other line is in the way.
func (c *chart) moments() error {
	for _, x := range c.record.outcome().raises {
		foot, top := c.record.threshold*x.from.limitMiB(), x.from.limitMiB()+0.12*c.top
		for _, moment := range c.record.moments(x) {
			if moment.at.IsZero() {
				continue
			}
			at := c.seconds(moment.at)
			style := draw.LineStyle{Color: grey, Width: vg.Points(1)}
			if err := c.line(plotter.XYs{{X: at, Y: foot}, {X: at, Y: top}}, style, ""); err != nil {
				return err
			}
			when := fmt.Sprintf("%.1f s", at)
			if moment.after > 0 {
				when = short(moment.after) + " later"
			}
			if err := c.label(at, top, moment.text+", "+when); err != nil {
				return err
			}
			top += 0.06 * c.top
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
