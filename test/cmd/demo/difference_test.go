package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

const applied = `
metadata: {name: memhog, generation: 1, resourceVersion: "10"}
spec:
  replicas: 1
  template:
    spec:
      containers:
      - name: sidecar
        image: sidecar:dev
      - name: memhog
        image: memhog:dev
        resources: {requests: {memory: 256Mi}, limits: {memory: 384Mi}}
`

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	content := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &content); err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: content}
}

func TestDifferences(t *testing.T) {
	const container = "spec.template.spec.containers[memhog]"
	tests := []struct {
		reason string
		change func(map[string]any)
		want   []string
		bad    string
	}{
		{
			reason: "a rescue and its bookkeeping",
			change: func(o map[string]any) {
				raiseMemory(o)
				o["status"] = map[string]any{"replicas": int64(1)}
				set(o, "2", "metadata", "annotations", "deployment.kubernetes.io/revision")
				set(o, "{}", "metadata", "annotations", "app-monitor.kubedemo.com/record")
				set(o, "{}", "metadata", "annotations", "app-monitor.kubedemo.com/durable-size")
				set(o, int64(2), "metadata", "generation")
				set(o, "11", "metadata", "resourceVersion")
				set(o, []any{"x"}, "metadata", "managedFields")
			},
			want: []string{container + ".resources.limits.memory: 384Mi → 768Mi", container + ".resources.requests.memory: 256Mi → 512Mi"},
		},
		{
			reason: "nothing was raised",
			change: func(map[string]any) {},
			bad: "it does not differ in " + container + ".resources.limits.memory\n" +
				"it does not differ in " + container + ".resources.requests.memory",
		},
		{
			reason: "something else was changed, too",
			change: func(o map[string]any) {
				raiseMemory(o)
				set(o, int64(2), "spec", "replicas")
				set(o, "me", "metadata", "annotations", "owner")
			},
			want: []string{
				"metadata.annotations: <nil> → map[owner:me]",
				"spec.replicas: 1 → 2",
				container + ".resources.limits.memory: 384Mi → 768Mi", container + ".resources.requests.memory: 256Mi → 512Mi",
			},
			bad: "it also differs in metadata.annotations: <nil> → map[owner:me]\nit also differs in spec.replicas: 1 → 2",
		},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			now := object(t, applied)
			test.change(now.Object)
			found := differences(object(t, applied), now)
			var got []string
			for _, d := range found {
				got = append(got, d.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("differences (-want +got):\n%s", diff)
			}
			bad := ""
			if err := onlyMemory(found); err != nil {
				bad = err.Error()
			}
			if diff := cmp.Diff(test.bad, bad); diff != "" {
				t.Errorf("complaint (-want +got):\n%s", diff)
			}
		})
	}
}

func raiseMemory(o map[string]any) {
	containers, _, _ := unstructured.NestedSlice(o, "spec", "template", "spec", "containers")
	set(containers[1].(map[string]any), "512Mi", "resources", "requests", "memory")
	set(containers[1].(map[string]any), "768Mi", "resources", "limits", "memory")
	set(o, containers, "spec", "template", "spec", "containers")
}

func set(o map[string]any, value any, path ...string) {
	if err := unstructured.SetNestedField(o, value, path...); err != nil {
		panic(err)
	}
}
