package main

import (
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"gonum.org/v1/plot"
)

func TestChart(t *testing.T) {
	half := rescued()
	half.pods = half.pods[:1]
	tests := []struct {
		reason string
		record *record
	}{
		{"a rescue", rescued()},
		{"a rescue in place", resized()},
		{"a story that ended before the rescue", half},
		{"a story that ended before it began", newRecord(begin, true, 0.75, before, goal)},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			test.record.end = after(60)
			path := filepath.Join(t.TempDir(), "folder", "chart.png")
			if err := writeChart(test.record, "memhog", path); err != nil {
				t.Fatal(err)
			}
			file, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			drawn, err := png.Decode(file)
			if err != nil {
				t.Fatal(err)
			}
			colors := map[any]bool{}
			for x := range drawn.Bounds().Dx() {
				for y := range drawn.Bounds().Dy() {
					colors[drawn.At(x, y)] = true
				}
			}
			if drawn.Bounds().Dx() < 1000 || len(colors) < 10 {
				t.Errorf("the picture is %v and has %d colors: is it empty?", drawn.Bounds(), len(colors))
			}
		})
	}
}

func TestTicks(t *testing.T) {
	tests := []struct {
		ticker      plot.TickerFunc
		high        float64
		step, count float64
	}{
		{steps(10, 20, 50), 7, 1, 8},
		{steps(10, 20, 50), 12, 2, 7},
		{steps(10, 20, 50), 60, 10, 7},
		{steps(10, 20, 50), 197, 20, 10},
		{steps(10, 20, 50), 1000, 100, 11},
		{steps(128), 832, 128, 7},
	}
	for _, test := range tests {
		ticks := test.ticker(0, test.high)
		if float64(len(ticks)) != test.count || ticks[1].Value != test.step {
			t.Errorf("up to %v: %v, want %v marks, each %v", test.high, ticks, test.count, test.step)
		}
	}
}
