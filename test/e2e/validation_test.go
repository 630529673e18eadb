package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestTheAncestorsManifestIsAcceptedAsItIs(t *testing.T) {
	s := tell(t)
	johnny := s.sampleMonitor().now()
	if johnny.Spec.MemThresholdPercent != 75 || johnny.Spec.MemMultiplier != 2 {
		t.Errorf("johnny-cache became %+v", johnny.Spec)
	}
}

func TestWrongAppMonitorsAreRejectedWithAReason(t *testing.T) {
	s := tell(t)
	const (
		threshold = "memThresholdPercent must be greater than 0 and at most 100 (percent of the memory limit)"
		factor    = "memMultiplier must be greater than 1 and at most 10"
	)
	for _, wrong := range []struct {
		reason string
		spec   map[string]any
		want   []string
	}{
		{"a threshold of 0 would always act", map[string]any{"memThresholdPercent": 0, "memMultiplier": 2},
			[]string{"spec.memThresholdPercent", threshold}},
		{"a threshold above the limit would never act", map[string]any{"memThresholdPercent": 100.5, "memMultiplier": 2},
			[]string{"spec.memThresholdPercent", "100.5", threshold}},
		{"a multiplier of 1 would change nothing", map[string]any{"memThresholdPercent": 75, "memMultiplier": 1},
			[]string{"spec.memMultiplier", factor}},
		{"a multiplier above 10 is a mistake", map[string]any{"memThresholdPercent": 75, "memMultiplier": 10.5},
			[]string{"spec.memMultiplier", "10.5", factor}},
		{"a multiplier is required", map[string]any{"memThresholdPercent": 75}, []string{"spec.memMultiplier: Required value"}},
		{"a threshold is required", map[string]any{"memMultiplier": 2}, []string{"spec.memThresholdPercent: Required value"}},
		{"a spec is required", nil, []string{"spec: Required value"}},
	} {
		t.Run(wrong.reason, func(t *testing.T) {
			object := map[string]any{"apiVersion": "kubedemo.com/v1", "kind": "AppMonitor"}
			if wrong.spec != nil {
				object["spec"] = wrong.spec
			}
			monitor := &unstructured.Unstructured{Object: object}
			monitor.SetNamespace(s.namespace)
			monitor.SetName("wrong")
			err := env.client.Create(t.Context(), monitor, client.FieldOwner("kubectl"))
			if err == nil {
				t.Fatal("accepted")
			}
			t.Log(err)
			must(t, containsAll(err.Error(), wrong.want...))
		})
	}
}

// sampleManifest is the ancestor's AppMonitor, to the byte.
func sampleManifest(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(env.root, "config", "samples", "kubedemo_v1_appmonitor.yaml"))
	must(t, err)
	return text
}
