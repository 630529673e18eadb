package main

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// difference is a value that two versions of an object do not share.
type difference struct {
	path     string
	from, to any
}

func (d difference) String() string {
	return fmt.Sprintf("%s: %v → %v", d.path, d.from, d.to)
}

// differences lists what differs between two versions of a Deployment, apart from its status and the bookkeeping that
// the API server, the Deployment's controller and the operator do in its metadata.
func differences(before, after *unstructured.Unstructured) []difference {
	return compare("", withoutBookkeeping(before), withoutBookkeeping(after))
}

func withoutBookkeeping(object *unstructured.Unstructured) map[string]any {
	content := object.DeepCopy().Object
	for _, path := range [][]string{
		{"status"},
		{"metadata", "managedFields"},
		{"metadata", "resourceVersion"},
		{"metadata", "generation"},
		{"metadata", "annotations", "deployment.kubernetes.io/revision"},
		{"metadata", "annotations", v1.RecordAnnotation},
		{"metadata", "annotations", v1.DurableSizeAnnotation},
	} {
		unstructured.RemoveNestedField(content, path...)
	}
	if annotations, found, _ := unstructured.NestedMap(content, "metadata", "annotations"); found && len(annotations) == 0 {
		unstructured.RemoveNestedField(content, "metadata", "annotations")
	}
	return content
}

func compare(path string, a, b any) []difference {
	switch a := a.(type) {
	case map[string]any:
		if b, isMap := b.(map[string]any); isMap {
			return compareMaps(path, a, b)
		}
	case []any:
		if b, isList := b.([]any); isList && len(a) == len(b) {
			var found []difference
			for i := range a {
				found = append(found, compare(fmt.Sprintf("%s[%s]", path, element(a[i], i)), a[i], b[i])...)
			}
			return found
		}
	}
	if reflect.DeepEqual(a, b) {
		return nil
	}
	return []difference{{strings.TrimPrefix(path, "."), a, b}}
}

func compareMaps(path string, a, b map[string]any) []difference {
	keys := maps.Clone(a)
	maps.Copy(keys, b)
	var found []difference
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		found = append(found, compare(path+"."+key, a[key], b[key])...)
	}
	return found
}

// element names an element of a list as people do, by its name where it has one.
func element(value any, i int) string {
	if fields, isMap := value.(map[string]any); isMap {
		if name, isString := fields["name"].(string); isString {
			return name
		}
	}
	return fmt.Sprint(i)
}

// onlyMemory is nil when the differences are the two memory values of the story's container and no others.
func onlyMemory(found []difference) error {
	resources := "spec.template.spec.containers[" + containerName + "].resources."
	want := map[string]bool{resources + "limits.memory": true, resources + "requests.memory": true}
	var errs []error
	for _, d := range found {
		if !want[d.path] {
			errs = append(errs, fmt.Errorf("it also differs in %s", d))
		}
		delete(want, d.path)
	}
	for _, path := range slices.Sorted(maps.Keys(want)) {
		errs = append(errs, fmt.Errorf("it does not differ in %s", path))
	}
	return errors.Join(errs...)
}
