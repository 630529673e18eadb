package controllers

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
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
			o := &unstructured.Unstructured{}
			must(t, yaml.Unmarshal([]byte(strings.Replace(ancestorManifest, tc.replace, tc.by, 1)), &o.Object))
			o.SetNamespace(namespace)
			o.SetName("")
			o.SetGenerateName("johnny-cache-")
			err := live.Create(t.Context(), o)
			if len(tc.want) == 0 {
				must(t, err)
				return
			}
			if err == nil {
				t.Fatal("accepted")
			}
			mustContain(t, err.Error(), tc.want...)
		})
	}
}
