package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/test/replay/trace"
)

func TestOptionsAreRead(t *testing.T) {
	o, err := parseOptions([]string{
		"--trace", "leak,burst", "--policy", "ours,none", "--strategy", "inplace", "--source", "cri", "--request", "1Gi",
		"--limit", "2Gi", "--multiplier", "1.5", "--raises", "6", "--forecast=false", "--cooldown", "30s", "--threshold", "0.8",
	}, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	if len(o.traces) != 2 || o.traces[0].Name != "leak" || o.traces[1].Name != "burst" {
		t.Errorf("%d traces, want leak and burst", len(o.traces))
	}
	if len(o.policies) != 2 || o.source.Name != "cri" || !o.scaler.InPlace {
		t.Errorf("policies %v, source %s, in place %v", o.policies, o.source.Name, o.scaler.InPlace)
	}
	if want := (scaling.Memory{Request: 1024 * trace.MiB, Limit: 2048 * trace.MiB}); o.scaler.Size != want {
		t.Errorf("size %+v, want %+v", o.scaler.Size, want)
	}
	p := o.scaler.Policy
	if p.Multiplier != 1.5 || p.Budget.Raises != 6 || p.Forecasts || p.Cooldown.Seconds() != 30 || p.Threshold != 0.8 {
		t.Errorf("policy %+v", p)
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--trace", "guess"}, `trace "guess": want one of leak, step, burst`},
		{[]string{"--policy", "guess"}, `policy "guess": want one of none, ancestor`},
		{[]string{"--strategy", "guess"}, "want rollout or inplace"},
		{[]string{"--source", "guess"}, `source "guess": want one of kubelet, cri, prometheus`},
		{[]string{"--limit", "lots"}, "want a quantity of bytes from 1Mi to 16Gi"},
		{[]string{"--limit", "128Mi"}, "--request is above --limit"},
		{[]string{"--threshold", "NaN"}, "--threshold NaN: want a number above 0, at most 1"},
		{[]string{"--multiplier", "1"}, "--multiplier 1: want a number above 1, at most 10"},
		{[]string{"--raises", "-1"}, "cannot be negative"},
		{[]string{"--markdown", "x.md", "--raises", "5"}, "leave out --raises"},
		{[]string{"--markdown", "x.md", "mine.csv"}, "--markdown is for the built-in traces only"},
		{[]string{"missing.csv"}, "missing.csv"},
	} {
		_, err := parseOptions(test.args, &bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: error %v, want %q in it", test.args, err, test.want)
		}
	}
}
