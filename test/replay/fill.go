package main

import (
	"fmt"

	"github.com/kubedemo/memhog-operator/test/replay/scaler"
	"github.com/kubedemo/memhog-operator/test/replay/trace"
	"github.com/kubedemo/memhog-operator/test/replay/world"
)

// Rates that are tried, in MiB a second.
const (
	rateStep = 0.25
	rateMost = 64
)

// fill is a program that fills its memory at a steady rate, from 64 MiB on.
type fill struct {
	name string
	// rest is the seconds before it begins, and top what it ends with in MiB.
	rest int
	top  float64
}

// fills need one raise, one raise of a program that has been quiet for long, and three raises.
var fills = []fill{
	{"to 560 MiB, from the start", 0, 560},
	{"to 560 MiB, after 10 minutes of rest", 600, 560},
	{"to 2240 MiB, from the start", 0, 2240},
}

func (f fill) at(rate float64) trace.Trace {
	const bottom = 64
	return trace.Trace{
		Name:    "fill",
		Seconds: f.rest + int((f.top-bottom)/rate) + 60,
		At: func(_, age int) trace.Use {
			used := min(f.top, bottom+rate*float64(max(0, age-f.rest)))
			return trace.Use{Anonymous: int64(used * trace.MiB)}
		},
	}
}

// fillTable is the fastest growth that each policy gets the container through without an OOM kill.
func fillTable() (string, error) {
	columns := []struct {
		name, policy       string
		inPlace, forecasts bool
	}{
		{scaler.Ancestor, scaler.Ancestor, false, false},
		{scaler.VPA, scaler.VPA, false, false},
		{"ours, rollout", scaler.Ours, false, true},
		{"the same without forecast", scaler.Ours, false, false},
		{"ours, inplace", scaler.Ours, true, true},
		{"the same without forecast", scaler.Ours, true, false},
	}
	header := []string{"growth", "source"}
	for _, c := range columns {
		header = append(header, c.name)
	}
	var rows [][]string
	for _, f := range fills {
		for _, source := range world.Sources() {
			row := []string{f.name, source.Name}
			for _, c := range columns {
				o := defaults().scaler
				o.InPlace, o.Policy.Forecasts = c.inPlace, c.forecasts
				rate, err := fastest(f, c.policy, source, o)
				if err != nil {
					return "", err
				}
				row = append(row, rate)
			}
			rows = append(rows, row)
		}
	}
	return markdownTable(header, []int{0, 1}, rows), nil
}

// fastest is the highest rate up to which nothing is killed, whenever within its period the source measures.
func fastest(f fill, policy string, source world.Source, o scaler.Options) (string, error) {
	for rate := rateStep; rate <= rateMost; rate += rateStep {
		for _, s := range source.Phases() {
			r, err := play(f.at(rate), policy, s, o)
			if err != nil {
				return "", err
			}
			switch {
			case r.OOMKills == 0:
			case rate == rateStep:
				return fmt.Sprintf("< %.2f MiB/s", rateStep), nil
			default:
				return fmt.Sprintf("%.2f MiB/s", rate-rateStep), nil
			}
		}
	}
	return fmt.Sprintf("≥ %d MiB/s", rateMost), nil
}
