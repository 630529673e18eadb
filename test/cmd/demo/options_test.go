package main

import (
	"flag"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseOptions(t *testing.T) {
	base := options{agent: true, rate: 64, deadline: 4 * time.Minute, linger: 8 * time.Second, chart: "dist/demo.png"}
	tests := []struct {
		reason string
		args   []string
		env    map[string]string
		want   func(*options)
		err    string
	}{
		{reason: "defaults", want: func(*options) {}},
		{
			reason: "everything from the environment",
			env:    map[string]string{"METRICS": "prometheus", "KEEP": "1", "RATE": "0.5"},
			want:   func(o *options) { o.prometheus, o.agent, o.keep, o.rate = true, false, true, 0.5 },
		},
		{
			reason: "without agents growth is slower",
			env:    map[string]string{"AGENT": "off"},
			want:   func(o *options) { o.agent, o.rate = false, 4 },
		},
		{
			reason: "agents may be asked for where they are not what is shown",
			env:    map[string]string{"METRICS": "prometheus", "AGENT": "on"},
			want:   func(o *options) { o.prometheus = true },
		},
		{
			reason: "the story of a rollout is slower",
			env:    map[string]string{"STRATEGY": "Rollout"},
			want:   func(o *options) { o.strategy, o.agent, o.rate = "Rollout", false, 2 },
		},
		{
			reason: "unless a rate is given",
			env:    map[string]string{"STRATEGY": "Rollout", "RATE": "3"},
			want:   func(o *options) { o.strategy, o.agent, o.rate = "Rollout", false, 3 },
		},
		{
			reason: "flags",
			args:   []string{"-deadline=10m", "-linger=1s", "-chart=/tmp/x.png"},
			want: func(o *options) {
				o.deadline, o.linger, o.chart = 10*time.Minute, time.Second, "/tmp/x.png"
			},
		},
		{
			reason: "one's own cluster, with images",
			env:    map[string]string{"KUBECONFIG": "k", "IMG": "a", "MEMHOG_IMG": "b"},
			want:   func(o *options) { o.ownCluster, o.operatorImage, o.memhogImage = true, "a", "b" },
		},
		{reason: "an image is missing", env: map[string]string{"KUBECONFIG": "k", "IMG": "a"}, err: "set MEMHOG_IMG"},
		{
			reason: "Prometheus' image is missing",
			env:    map[string]string{"KUBECONFIG": "k", "IMG": "a", "MEMHOG_IMG": "b", "METRICS": "prometheus"},
			err:    "set PROMETHEUS_IMG",
		},
		{reason: "an unknown source", env: map[string]string{"METRICS": "influx"}, err: `METRICS is "influx"`},
		{reason: "half an agent", env: map[string]string{"AGENT": "half"}, err: `AGENT is "half"`},
		{reason: "an unknown strategy", env: map[string]string{"STRATEGY": "Restart"}, err: `STRATEGY is "Restart"`},
		{reason: "no boolean", env: map[string]string{"KEEP": "maybe"}, err: `KEEP is "maybe"`},
		{reason: "too fast", env: map[string]string{"RATE": "5000"}, err: `RATE is "5000"`},
		{reason: "no number", env: map[string]string{"RATE": "NaN"}, err: `RATE is "NaN"`},
		{reason: "a stray argument", args: []string{"now"}, err: `unexpected argument "now"`},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			flags := flag.NewFlagSet("demo", flag.ContinueOnError)
			flags.SetOutput(io.Discard)
			got, err := parseOptions(flags, test.args, func(name string) string { return test.env[name] })
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want one with %q", err, test.err)
				}
				return
			}
			want := base
			test.want(&want)
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(options{})); diff != "" || err != nil {
				t.Errorf("options (-want +got), error %v:\n%s", err, diff)
			}
		})
	}
}
