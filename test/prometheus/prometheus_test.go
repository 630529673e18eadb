package prometheus

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func TestObjectsTakeTheImage(t *testing.T) {
	for given, want := range map[string]string{"": Ref, "prom/prometheus:v3": "prom/prometheus:v3"} {
		objects, err := Objects(given)
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range objects {
			if object.GetNamespace() == "" && object.GetName() != Key.Namespace {
				t.Errorf("%s %q: cluster-wide objects carry the namespace's name", object.GetKind(), object.GetName())
			}
			if object.GetKind() != "Deployment" {
				continue
			}
			containers, _, _ := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers")
			if got := containers[0].(map[string]any)["image"]; got != want {
				t.Errorf("with image %q the container runs %v, want %q", given, got, want)
			}
		}
	}
}
