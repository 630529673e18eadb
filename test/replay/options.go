package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/test/replay/scaler"
	"github.com/kubedemo/memhog-operator/test/replay/trace"
	"github.com/kubedemo/memhog-operator/test/replay/world"
)

const usage = `Usage: go -C test run ./replay [flags] [TRACE.csv...]

Replays the recorded traces, or without any the built-in ones, and prints what became of the container under each policy.
With one trace and one policy it also tells the story: every decision, every kill. Paths are relative to the folder test.

Flags:
`

// options are what was asked for.
type options struct {
	traces   []trace.Trace
	policies []string
	source   world.Source
	scaler   scaler.Options
	// charts is the folder to draw one chart for each trace in; empty for none.
	charts string
	// markdown is the file to bring up to date; empty for none.
	markdown string
}

// defaults are what the documentation is written from.
func defaults() options {
	return options{
		traces:   trace.Builtin(),
		policies: scaler.Names(),
		source:   world.Sources()[0],
		scaler:   scaler.Options{Size: scaler.DefaultSize, Policy: scaler.DefaultPolicy()},
	}
}

// strategies that a size can be given by, by our operator.
const (
	rollout = "rollout"
	inPlace = "inplace"
)

func parseOptions(args []string, out io.Writer) (options, error) {
	o := defaults()
	var traces, policies string
	var sinceStart bool
	flags := flag.NewFlagSet("replay", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&traces, "trace", "", "built-in `traces`, separated by commas: "+strings.Join(traceNames(), ", ")+" (default: all)")
	flags.StringVar(&policies, "policy", "", "`policies`, separated by commas: "+strings.Join(scaler.Names(), ", ")+" (default: all)")
	flags.StringVar(&o.charts, "chart", "", "`folder` to draw replay-TRACE.svg in, for each trace")
	flags.StringVar(&o.markdown, "markdown", "", "`file` whose marked parts are written anew; goes with no other flag than --chart")
	flags.BoolVar(&sinceStart, "since-start", false,
		"the seconds of the recorded traces count from the start of the process, which begins anew when it is restarted")
	flags.Func("strategy", "how our operator changes a size: rollout (default) or inplace", o.setStrategy)
	flags.Func("source", "where samples come from: kubelet (default), cri or prometheus", func(name string) (err error) {
		o.source, err = world.SourceOf(name)
		return err
	})
	flags.Func("request", "memory `request` of the container (default 256Mi)", quantity(&o.scaler.Size.Request))
	flags.Func("limit", "memory `limit` of the container (default 384Mi)", quantity(&o.scaler.Size.Limit))
	policyFlags(flags, &o.scaler.Policy)
	flags.Usage = func() {
		fmt.Fprint(out, usage)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if err := o.check(flags); err != nil {
		return options{}, err
	}
	if err := o.choosePolicies(policies); err != nil {
		return options{}, err
	}
	if err := o.chooseTraces(traces, flags.Args(), sinceStart); err != nil {
		return options{}, err
	}
	return o, nil
}

// policyFlags are for trying another policy of ours.
func policyFlags(flags *flag.FlagSet, p *scaling.Policy) {
	flags.Float64Var(&p.Threshold, "threshold", p.Threshold, "of ours and the ancestor: part of the limit, above 0, at most 1")
	flags.Float64Var(&p.Multiplier, "multiplier", p.Multiplier, "of ours and the ancestor: factor of one raise, above 1")
	flags.DurationVar(&p.Cooldown, "cooldown", p.Cooldown, "of ours: least time between two changes")
	flags.BoolVar(&p.Forecasts, "forecast", p.Forecasts, "of ours: raise before the threshold when growth asks for it")
	flags.IntVar(&p.Budget.Raises, "raises", p.Budget.Raises, "of ours: raises allowed within 24 hours; 0 is any number")
}

func (o *options) setStrategy(name string) error {
	if name != rollout && name != inPlace {
		return fmt.Errorf("want %s or %s", rollout, inPlace)
	}
	o.scaler.InPlace = name == inPlace
	return nil
}

// quantity sets bytes from what a manifest would say.
func quantity(bytes *int64) func(string) error {
	return func(text string) error {
		q, err := resource.ParseQuantity(text)
		if err != nil || q.Value() < trace.MiB || q.Value() > world.Node {
			return errors.New("want a quantity of bytes from 1Mi to 16Gi, such as 256Mi")
		}
		*bytes = q.Value()
		return nil
	}
}

// check refuses what would make a wrong replay, and documentation of anything but the defaults.
func (o *options) check(flags *flag.FlagSet) error {
	p := o.scaler.Policy
	// The comparisons are written so that NaN fails them.
	switch {
	case o.scaler.Size.Request > o.scaler.Size.Limit:
		return errors.New("--request is above --limit")
	case !(p.Threshold > 0 && p.Threshold <= 1):
		return fmt.Errorf("--threshold %v: want a number above 0, at most 1", p.Threshold)
	case !(p.Multiplier > 1 && p.Multiplier <= 10):
		return fmt.Errorf("--multiplier %v: want a number above 1, at most 10", p.Multiplier)
	case p.Budget.Raises < 0 || p.Cooldown < 0:
		return errors.New("--raises and --cooldown cannot be negative")
	case o.markdown == "":
		return nil
	case flags.NArg() > 0:
		return errors.New("--markdown is for the built-in traces only")
	}
	var err error
	flags.Visit(func(f *flag.Flag) {
		if f.Name != "markdown" && f.Name != "chart" {
			err = fmt.Errorf("--markdown writes what comes of the defaults: leave out --%s", f.Name)
		}
	})
	return err
}

func (o *options) choosePolicies(list string) error {
	if list == "" {
		return nil
	}
	o.policies = strings.Split(list, ",")
	for _, name := range o.policies {
		if err := scaler.Check(name); err != nil {
			return err
		}
	}
	return nil
}

func (o *options) chooseTraces(list string, files []string, sinceStart bool) error {
	if list == "" && len(files) == 0 {
		return nil
	}
	o.traces = nil
	names, builtin := traceNames(), trace.Builtin()
	for _, name := range strings.Split(list, ",") {
		switch i := slices.Index(names, name); {
		case i >= 0:
			o.traces = append(o.traces, builtin[i])
		case list != "":
			return fmt.Errorf("trace %q: want one of %s", name, strings.Join(names, ", "))
		}
	}
	for _, path := range files {
		t, err := trace.ReadFile(path, sinceStart)
		if err != nil {
			return err
		}
		o.traces = append(o.traces, t)
	}
	return nil
}

func traceNames() []string {
	var names []string
	for _, t := range trace.Builtin() {
		names = append(names, t.Name)
	}
	return names
}
