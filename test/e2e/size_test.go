package e2e

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// sizes prints the memory of containers as request/limit: 256Mi/384Mi 32Mi/none.
func sizes(containers []corev1.Container) string {
	all := make([]string, 0, len(containers))
	for _, c := range containers {
		all = append(all, amount(c.Resources.Requests)+"/"+amount(c.Resources.Limits))
	}
	return strings.Join(all, " ")
}

func amount(list corev1.ResourceList) string {
	if q, ok := list[corev1.ResourceMemory]; ok {
		return q.String()
	}
	return "none"
}

func compareSizes(want []string, containers []corev1.Container) error {
	if got := sizes(containers); got != strings.Join(want, " ") {
		return fmt.Errorf("sizes are %s", got)
	}
	return nil
}

// annotate sets an annotation, or removes it when the value is empty, as kubectl annotate does.
func annotate(t *testing.T, o client.Object, key, value string) {
	t.Helper()
	before, _ := o.DeepCopyObject().(client.Object)
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[key] = value
	if value == "" {
		delete(annotations, key)
	}
	o.SetAnnotations(annotations)
	must(t, env.client.Patch(t.Context(), o, client.MergeFrom(before)))
}
