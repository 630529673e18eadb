package main

import (
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

func TestChart(t *testing.T) {
	half := rescued()
	half.pods = half.pods[:1]
	tests := []struct {
		reason string
		record *record
	}{
		{"a rescue", rescued()},
		{"a story that ended before the rescue", half},
		{"a story that ended before it began", newRecord(begin, before, goal, 0.75)},
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

func TestTicksStayFew(t *testing.T) {
	for _, high := range []float64{10, 60, 200, 5000} {
		ticks := every(20)(0, high)
		if len(ticks) < 1 || len(ticks) > 11 {
			t.Errorf("%d ticks up to %v", len(ticks), high)
		}
	}
}
