package controllers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// The ancestor's manifest, to the letter.
const ancestorManifest = `
apiVersion: kubedemo.com/v1
kind: AppMonitor
metadata:
  name: johnny-cache
spec:
  memThresholdPercent: 75   # act when memory used / memory limit reaches this
  memMultiplier: 2          # factor for the new memory requests and limits
`

func TestTheAPIServerChecksAppMonitors(t *testing.T) {
	const (
		threshold = "memThresholdPercent must be greater than 0 and at most 100 (percent of the memory limit)"
		factor    = "memMultiplier must be greater than 1 and at most 10"
	)
	namespace := newNamespace(t)
	for _, tc := range []struct {
		reason, replace, by string
		want                []string // parts of the refusal; none when it is accepted
	}{
		{"the ancestor's manifest applies unchanged", "", "", nil},
		{"a threshold may be as small as one likes", ": 75 ", ": 0.01 ", nil},
		{"a threshold may be a whole hundred", ": 75 ", ": 100 ", nil},
		{"a threshold may be any real number between", ": 75 ", ": 66.6 ", nil},
		{"a multiplier may be 1.5", ": 2 ", ": 1.5 ", nil},
		{"a multiplier may be 10", ": 2 ", ": 10 ", nil},
		{"a threshold of 0 would always act", ": 75 ", ": 0 ", []string{"spec.memThresholdPercent", "0", threshold}},
		{"a threshold is not negative", ": 75 ", ": -5 ", []string{"spec.memThresholdPercent", "-5", threshold}},
		{"a threshold above the limit would never act", ": 75 ", ": 100.5 ", []string{"spec.memThresholdPercent", "100.5", threshold}},
		{"a multiplier of 1 would change nothing", ": 2 ", ": 1 ", []string{"spec.memMultiplier", factor}},
		{"a multiplier below 1 would shrink", ": 2 ", ": 0.5 ", []string{"spec.memMultiplier", "0.5", factor}},
		{"a multiplier above 10 is a mistake", ": 2 ", ": 10.5 ", []string{"spec.memMultiplier", "10.5", factor}},
		{"a threshold is a number", ": 75 ", `: "75%" `, []string{"spec.memThresholdPercent", "must be of type number"}},
		{"a threshold is required", "memThresholdPercent: 75", "", []string{"spec.memThresholdPercent: Required value"}},
		{"a multiplier is required", "memMultiplier: 2", "", []string{"spec.memMultiplier: Required value"}},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			_, err := created(t, namespace, strings.Replace(ancestorManifest, tc.replace, tc.by, 1))
			mustAnswer(t, err, tc.want)
		})
	}
}

func TestTheAPIServerChecksPolicies(t *testing.T) {
	const (
		threshold = "memThresholdPercent must be greater than 0 and at most 100 (percent of the memory limit)"
		factor    = "memMultiplier must be greater than 1 and at most 10"
		ceiling   = "maxMemory must be at least 1Mi"
		ahead     = "forecast.horizon has no effect when forecast.mode is Disabled: set one of them only"
		idle      = "scaleDown.after has no effect unless scaleDown.mode is Enabled: set the mode to Enabled, or leave after out"
		boolean   = "must be of type string: \"boolean\""
	)
	namespace := newNamespace(t)
	for _, tc := range []struct {
		reason, spec string   // added to the ancestor's two fields
		want         []string // parts of the refusal; none when it is accepted
	}{
		{"everything at once", everything, nil},

		{"a selector by labels", "selector: {matchLabels: {tier: backend}}", nil},
		{"a selector by expressions", "selector: {matchExpressions: [{key: tier, operator: In, values: [a, b]}]}", nil},
		{"an empty selector", "selector: {}", nil},
		{"a selector is no word", "selector: tier=backend", []string{"spec.selector", "must be of type object"}},

		{"a mode may be Enforce", "mode: Enforce", nil},
		{"a mode may be DryRun", "mode: DryRun", nil},
		{"no other mode is known", "mode: Observe", []string{"spec.mode", `"Observe"`, `"Enforce", "DryRun"`}},

		{"a strategy may be Auto", "strategy: Auto", nil},
		{"a strategy may be InPlace", "strategy: InPlace", nil},
		{"a strategy may be Rollout", "strategy: Rollout", nil},
		{"no other strategy is known", "strategy: Recreate", []string{"spec.strategy", `"Recreate"`, `"Auto", "InPlace", "Rollout"`}},

		{"a ceiling may be 1Mi", "maxMemory: 1Mi", nil},
		{"a ceiling may be that in bytes", "maxMemory: 1048576", nil},
		{"a ceiling may be a text of bytes", `maxMemory: "1048576"`, nil},
		{"a ceiling may be beyond all machines", `maxMemory: "1E30"`, nil},
		{"a ceiling below 1Mi is a mistake", "maxMemory: 1023Ki", []string{"spec.maxMemory", "1023Ki", ceiling}},
		{"a ceiling of megabytes is smaller than one of Mi", "maxMemory: 1M", []string{"spec.maxMemory", "1M", ceiling}},
		{"a ceiling of a number below 1Mi is a mistake", "maxMemory: 1048575", []string{"spec.maxMemory", "1048575", ceiling}},
		{"a ceiling of 0 would raise nothing", "maxMemory: 0", []string{"spec.maxMemory", ceiling}},
		{"a ceiling is not negative", "maxMemory: -1Gi", []string{"spec.maxMemory", "-1Gi", ceiling}},
		{"a ceiling is a quantity", "maxMemory: plenty", []string{"spec.maxMemory", "plenty", "should match"}},
		{"a ceiling may be 32 long", `maxMemory: "` + strings.Repeat("0", 29) + `1Gi"`, nil},
		{"a ceiling is at most 32 long", `maxMemory: "` + strings.Repeat("0", 30) + `1Gi"`,
			[]string{"spec.maxMemory", "may not be more than 32"}},
		{"a ceiling is a whole number", "maxMemory: 1048576.5", []string{"spec.maxMemory", "must be of type integer,string"}},

		{"a container may override nothing", "containers: [{name: app}]", nil},
		{"a container may be on", `containers: [{name: app, mode: Enabled}]`, nil},
		{"a container that is off may keep the rest", `containers: [{name: app, mode: Disabled, memMultiplier: 3}]`, nil},
		{"no other mode of a container is known", "containers: [{name: app, mode: Auto}]",
			[]string{"spec.containers[0].mode", `"Auto"`, `"Enabled", "Disabled"`}},
		{"YAML takes Off for a boolean", "containers: [{name: app, mode: Off}]",
			[]string{"spec.containers[0].mode", boolean}},
		{"a container's threshold at the upper bound", "containers: [{name: app, memThresholdPercent: 100}]", nil},
		{"a container's threshold near the lower bound", "containers: [{name: app, memThresholdPercent: 0.01}]", nil},
		{"a container's threshold of 0", "containers: [{name: app, memThresholdPercent: 0}]",
			[]string{"spec.containers[0].memThresholdPercent", threshold}},
		{"a container's threshold above the limit", "containers: [{name: app, memThresholdPercent: 100.1}]",
			[]string{"spec.containers[0].memThresholdPercent", "100.1", threshold}},
		{"a container's multiplier at the upper bound", "containers: [{name: app, memMultiplier: 10}]", nil},
		{"a container's multiplier near the lower bound", "containers: [{name: app, memMultiplier: 1.01}]", nil},
		{"a container's multiplier of 1", "containers: [{name: app, memMultiplier: 1}]",
			[]string{"spec.containers[0].memMultiplier", factor}},
		{"a container's multiplier above 10", "containers: [{name: app, memMultiplier: 10.1}]",
			[]string{"spec.containers[0].memMultiplier", "10.1", factor}},
		{"a container's ceiling may be 1Mi", "containers: [{name: app, maxMemory: 1Mi}]", nil},
		{"a container's ceiling may be a number", "containers: [{name: app, maxMemory: 1048576}]", nil},
		{"a container's ceiling may be above the spec's", "maxMemory: 1Gi\n  containers: [{name: app, maxMemory: 2Gi}]", nil},
		{"a container's ceiling below 1Mi", "containers: [{name: app, maxMemory: 1048575}]",
			[]string{"spec.containers[0].maxMemory", "1048575", ceiling}},
		{"a container's ceiling below 1Mi, with a unit", "containers: [{name: app, maxMemory: 1000Ki}]",
			[]string{"spec.containers[0].maxMemory", "1000Ki", ceiling}},
		{"a container's ceiling is a quantity", "containers: [{name: app, maxMemory: plenty}]",
			[]string{"spec.containers[0].maxMemory", "plenty", "should match"}},
		{"a container's ceiling may be 32 long", `containers: [{name: app, maxMemory: "` + strings.Repeat("0", 29) + `1Gi"}]`, nil},
		{"a container's ceiling is at most 32 long", `containers: [{name: app, maxMemory: "` + strings.Repeat("0", 30) + `1Gi"}]`,
			[]string{"spec.containers[0].maxMemory", "may not be more than 32"}},
		{"a container has a name", "containers: [{memMultiplier: 3}]", []string{"spec.containers[0].name: Required value"}},
		{"a container's name is not empty", `containers: [{name: ""}]`, []string{"spec.containers[0].name", "at least 1 chars long"}},
		{"a container's name may have a digit and a dash", "containers: [{name: a-1}]", nil},
		{"a container's name may be 63 long", "containers: [{name: " + strings.Repeat("a", 63) + "}]", nil},
		{"a container's name is at most 63 long", "containers: [{name: " + strings.Repeat("a", 64) + "}]",
			[]string{"spec.containers[0].name", "may not be more than 63"}},
		{"a container's name is a DNS label", "containers: [{name: My_App}]",
			[]string{"spec.containers[0].name", "My_App", "should match"}},
		{"a container's name ends in no dash", "containers: [{name: app-}]",
			[]string{"spec.containers[0].name", "app-", "should match"}},
		{"a container has one entry", "containers: [{name: app}, {name: app}]",
			[]string{"spec.containers[1]: Duplicate value", `"name":"app"`}},
		{"30 containers", containers(30), nil},
		{"31 containers", containers(31), []string{"spec.containers", "must have at most 30 items"}},

		{"a forecast may be Auto", "forecast: {mode: Auto}", nil},
		{"a forecast may be Off", `forecast: {mode: Disabled}`, nil},
		{"a forecast may have a horizon only", "forecast: {horizon: 30s}", nil},
		{"no other mode of a forecast is known", `forecast: {mode: Enabled}`,
			[]string{"spec.forecast.mode", `"Enabled"`, `"Auto", "Disabled"`}},
		{"without a forecast a horizon means nothing", `forecast: {mode: Disabled, horizon: 30s}`,
			[]string{"spec.forecast.horizon", ahead}},

		{"a budget of one raise", "growthBudget: {raises: 1}", nil},
		{"a budget of 100 raises", "growthBudget: {raises: 100}", nil},
		{"a budget of none would never raise", "growthBudget: {raises: 0}",
			[]string{"spec.growthBudget.raises", "greater than or equal to 1"}},
		{"a budget of more than 100 raises is none", "growthBudget: {raises: 101}",
			[]string{"spec.growthBudget.raises", "101", "less than or equal to 100"}},
		{"raises are whole", "growthBudget: {raises: 1.5}", []string{"spec.growthBudget.raises", "must be of type integer"}},

		{"scaling down may be on", `scaleDown: {mode: Enabled}`, nil},
		{"scaling down may be off", `scaleDown: {mode: Disabled}`, nil},
		{"scaling down may be on, with a time", `scaleDown: {mode: Enabled, after: 48h}`, nil},
		{"no other mode of scaling down is known", "scaleDown: {mode: Auto}",
			[]string{"spec.scaleDown.mode", `"Auto"`, `"Enabled", "Disabled"`}},
		{"YAML takes On without quotes for a boolean", "scaleDown: {mode: On}", []string{"spec.scaleDown.mode", boolean}},
		{"a time alone does not turn scaling down on", "scaleDown: {after: 48h}", []string{"spec.scaleDown.after", idle}},
		{"a time means nothing when scaling down is off", `scaleDown: {mode: Disabled, after: 48h}`,
			[]string{"spec.scaleDown.after", idle}},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			_, err := created(t, namespace, ancestorManifest+"  "+tc.spec+"\n")
			mustAnswer(t, err, tc.want)
		})
	}
}

func TestTheAPIServerChecksDurations(t *testing.T) {
	namespace := newNamespace(t)
	for _, tc := range []struct {
		field, spec string
		accepted    []string // both bounds first
		refused     []string // just beyond them
		message     string
	}{
		{"spec.cooldown", "cooldown: %q", []string{"0s", "24h", "1m0s", "86400s", "86400000ms"},
			[]string{"24h0.001s", "86400.1s"}, "cooldown must be from 0s to 24h"},
		{"spec.forecast.horizon", "forecast: {horizon: %q}", []string{"1s", "1h", "1000ms"},
			[]string{"0.999s", "999ms", "1h0m0.001s"}, "forecast.horizon must be from 1s to 1h"},
		{"spec.growthBudget.window", "growthBudget: {window: %q}", []string{"1m", "720h", "2592000s", "1h30m"},
			[]string{"59.999s", "720h0m0.001s", "43201m"}, "growthBudget.window must be from 1m to 720h"},
		{"spec.scaleDown.after", `scaleDown: {mode: Enabled, after: %q}`, []string{"10m", "720h", "719h59m59.999999999s", "1.5h"},
			[]string{"9m59.999s", "721h"}, "scaleDown.after must be from 10m to 720h"},
	} {
		try := func(value string, want ...string) {
			t.Run(tc.field+" "+value, func(t *testing.T) {
				o, err := created(t, namespace, ancestorManifest+"  "+fmt.Sprintf(tc.spec, value)+"\n")
				mustAnswer(t, err, want)
				if err == nil { // What it accepts, a client must be able to read.
					must(t, runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &v1.AppMonitor{}))
				}
			})
		}
		for _, value := range tc.accepted {
			try(value)
		}
		for _, value := range tc.refused {
			try(value, tc.field, tc.message)
		}
		// All of these are durations for the API server's own parser, the last one of 25 minutes: its numbers wrap.
		for _, value := range []string{"1d", "1 day", "90", "1h 30m", "-1h", "1H", "+1h", "60000us", ".5h", "", "5124096h"} {
			try(value, tc.field, "should match")
		}
		try("0h0h0h0h0h0h0h0h0h0h0h0h0h0h0h30m", tc.field, "may not be more than 32")
	}
}

func TestTheAPIServerFillsInDefaults(t *testing.T) {
	namespace := newNamespace(t)
	for _, tc := range []struct {
		reason, spec string
		want         map[string]any
	}{
		{"the ancestor's manifest", "", map[string]any{}},
		{"empty policies", "containers: [{name: app}]\n  forecast: {}\n  growthBudget: {}\n  scaleDown: {}", map[string]any{
			"containers":   []any{map[string]any{"name": "app", "mode": "Enabled"}},
			"forecast":     map[string]any{"mode": "Auto"},
			"growthBudget": map[string]any{},
			"scaleDown":    map[string]any{"mode": "Disabled"},
		}},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			o, err := created(t, namespace, ancestorManifest+"  "+tc.spec+"\n")
			must(t, err)
			want := map[string]any{"memThresholdPercent": int64(75), "memMultiplier": int64(2), "mode": "Enforce", "strategy": "Auto"}
			for name, value := range tc.want {
				want[name] = value
			}
			if diff := cmp.Diff(want, o.Object["spec"]); diff != "" {
				t.Errorf("the stored spec (-want +got):\n%s", diff)
			}
			mustMeanTheSameWithoutDefaults(t, o)
		})
	}
}

// mustMeanTheSameWithoutDefaults holds the schema's defaults against those of the methods that read the spec.
func mustMeanTheSameWithoutDefaults(t *testing.T, o *unstructured.Unstructured) {
	t.Helper()
	stored := &v1.AppMonitor{}
	must(t, runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, stored))
	bare := stored.Spec.DeepCopy()
	bare.Mode, bare.Strategy = "", ""
	for i := range bare.Containers {
		bare.Containers[i].Mode = ""
	}
	if bare.Forecast != nil {
		bare.Forecast.Mode = ""
	}
	if bare.ScaleDown != nil {
		bare.ScaleDown.Mode = ""
	}
	meaning := func(s *v1.AppMonitorSpec) []any {
		after, lowers := s.ScaleDownAfter()
		return []any{s.ModeOrDefault(), s.StrategyOrDefault(), s.ContainerPolicy("app"), s.ForecastEnabled(), after, lowers}
	}
	if diff := cmp.Diff(meaning(bare), meaning(&stored.Spec)); diff != "" {
		t.Errorf("what the methods make of a spec without defaults, and of one with those of the schema:\n%s", diff)
	}
}

func TestTheAPIServerChecksTheAccount(t *testing.T) {
	size := v1.MemorySize{Request: ptr.To(resource.MustParse("256Mi")), Limit: resource.MustParse("384Mi")}
	decision := v1.Decision{
		Time: metav1.NewTime(time.Unix(1e9, 0)), Workload: "Deployment/memhog", Container: "memhog", Pod: "memhog-1",
		Action: v1.ActionRaise, Reason: "AboveThreshold", LimitedBy: "QuotaExceeded", DryRun: true, From: &size, To: &size,
		Used: ptr.To(resource.MustParse("300Mi")), Message: strings.Repeat("é", v1.MaxDecisionMessage),
	}
	change := v1.Change{
		Time: decision.Time, Action: v1.ActionRaise, Workload: decision.Workload, Container: decision.Container,
		Reason: decision.Reason, From: size, To: size,
	}
	namespace := newNamespace(t)
	for _, tc := range []struct {
		reason string
		mutate func(*v1.AppMonitorStatus)
		want   []string
	}{
		{"as many decisions as there may be, and messages as long", func(*v1.AppMonitorStatus) {}, nil},
		{"a decision of few words", func(s *v1.AppMonitorStatus) {
			s.Decisions = []v1.Decision{
				{Time: decision.Time, Workload: "Deployment/a", Container: "a", Action: v1.ActionHold, Reason: "AtMaximum"},
			}
		}, nil},
		{"a lowering", func(s *v1.AppMonitorStatus) {
			s.LastChange.Action, s.Decisions[0].Action = v1.ActionLower, v1.ActionLower
		}, nil},
		{"a rollback", func(s *v1.AppMonitorStatus) {
			s.LastChange.Action, s.Decisions[0].Action = v1.ActionRollback, v1.ActionRollback
		}, nil},
		{"one decision too many", func(s *v1.AppMonitorStatus) { s.Decisions = append(s.Decisions, decision) },
			[]string{"status.decisions", "must have at most 10 items"}},
		{"a message too long", func(s *v1.AppMonitorStatus) { s.Decisions[1].Message += "." },
			[]string{"status.decisions[1].message", "may not be more than 1024"}},
		{"an unknown action", func(s *v1.AppMonitorStatus) { s.Decisions[0].Action = "Shrink" },
			[]string{"status.decisions[0].action", `"Shrink"`, `"Hold", "Raise", "Lower", "Rollback"`}},
		{"a change that changed nothing", func(s *v1.AppMonitorStatus) { s.LastChange.Action = v1.ActionHold },
			[]string{"status.lastChange.action", `"Hold"`, `"Raise", "Lower", "Rollback"`}},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			monitor := &v1.AppMonitor{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "johnny-cache-"},
				Spec:       v1.AppMonitorSpec{MemThresholdPercent: 75, MemMultiplier: 2},
			}
			must(t, live.Create(t.Context(), monitor))
			monitor.Status.Held = 1
			monitor.Status.LastChange = change.DeepCopy()
			monitor.Status.Decisions = slices.Repeat([]v1.Decision{decision}, v1.MaxDecisions)
			tc.mutate(&monitor.Status)
			sent := monitor.Status.DeepCopy()
			err := live.Status().Update(t.Context(), monitor)
			mustAnswer(t, err, tc.want)
			if err != nil {
				return
			}
			must(t, live.Get(t.Context(), client.ObjectKeyFromObject(monitor), monitor))
			if diff := cmp.Diff(sent, &monitor.Status); diff != "" {
				t.Errorf("what was stored (-sent +stored):\n%s", diff)
			}
		})
	}
}

// everything is a spec that names all there is.
const everything = `selector: {matchLabels: {tier: backend}}
  mode: DryRun
  strategy: Rollout
  maxMemory: 4Gi
  containers:
  - {name: log-shipper, mode: Disabled}
  - {name: app, memThresholdPercent: 60, memMultiplier: 1.5, maxMemory: 8Gi}
  cooldown: 5m
  forecast: {mode: Auto, horizon: 30s}
  growthBudget: {raises: 5, window: 12h}
  scaleDown: {mode: Enabled, after: 48h}`

func containers(n int) string {
	entries := make([]string, n)
	for i := range entries {
		entries[i] = fmt.Sprintf("{name: c%d, memThresholdPercent: 60, memMultiplier: 1.5, maxMemory: 8Gi}", i)
	}
	return "containers: [" + strings.Join(entries, ", ") + "]"
}

// created makes an object of the manifest, under another name each time.
func created(t *testing.T, namespace, manifest string) (*unstructured.Unstructured, error) {
	t.Helper()
	o := &unstructured.Unstructured{}
	must(t, yaml.Unmarshal([]byte(manifest), &o.Object))
	o.SetNamespace(namespace)
	o.SetName("")
	o.SetGenerateName("johnny-cache-")
	return o, live.Create(t.Context(), o)
}

// mustAnswer wants a refusal with these parts, or none when there are no parts.
func mustAnswer(t *testing.T, err error, want []string) {
	t.Helper()
	if len(want) == 0 {
		must(t, err)
		return
	}
	if err == nil {
		t.Fatal("accepted")
	}
	mustContain(t, err.Error(), want...)
}
