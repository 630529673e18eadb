package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

func TestTheCountsOfAStatusAreThereFromTheBeginning(t *testing.T) {
	w := newWorld(t)
	m := w.monitor("new", 75, 2)
	w.reconcile("new")
	if diff := cmp.Diff(map[string]int64{"pods": 0, "raised": 0, "held": 0}, counts(t, m)); diff != "" {
		t.Errorf("kubectl get would show no number (-want +got):\n%s", diff)
	}

	// As an operator leaves it that does not know of held yet.
	old := `{"status": {"raised": null, "held": null, "conditions": null}}`
	must(t, live.Status().Patch(t.Context(), m, client.RawPatch(types.MergePatchType, []byte(old))))
	settle(t, m)
	w.reconcile("new")
	if diff := cmp.Diff(map[string]int64{"pods": 0, "raised": 0, "held": 0}, counts(t, m)); diff != "" {
		t.Errorf("after an upgrade (-want +got):\n%s", diff)
	}
}

// counts are the numbers in the status, as the API server holds them.
func counts(t *testing.T, m *v1.AppMonitor) map[string]int64 {
	t.Helper()
	raw := &unstructured.Unstructured{}
	raw.SetGroupVersionKind(v1.GroupVersion.WithKind("AppMonitor"))
	must(t, live.Get(t.Context(), client.ObjectKeyFromObject(m), raw))
	found := map[string]int64{}
	for _, name := range []string{"pods", "raised", "held"} {
		n, ok, err := unstructured.NestedInt64(raw.Object, "status", name)
		must(t, err)
		if ok {
			found[name] = n
		}
	}
	return found
}
