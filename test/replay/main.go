// Command replay feeds memory traces through the operator's own decisions, in a model of the world around it, and compares
// what becomes of the container with what other policies make of it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	switch err := run(os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	results, err := playAll(o)
	if err != nil {
		return err
	}
	if o.markdown != "" {
		if err := writeDocument(o.markdown, results); err != nil {
			return err
		}
	}
	if o.charts != "" {
		if err := writeCharts(o, o.charts); err != nil {
			return err
		}
	}
	if len(results) == 1 {
		fmt.Fprint(stdout, story(results[0]))
	}
	return writeTable(stdout, results)
}

// playAll plays every trace under every policy that was asked for, trace by trace.
func playAll(o options) ([]result, error) {
	var results []result
	for _, t := range o.traces {
		for _, policy := range o.policies {
			r, err := play(t, policy, o.source, o.scaler)
			if err != nil {
				return nil, err
			}
			results = append(results, r)
		}
	}
	return results, nil
}
