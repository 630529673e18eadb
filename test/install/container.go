package install

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// SetImage makes a container of a workload's template run an image, which is pulled only where the node lacks it.
func SetImage(workload *unstructured.Unstructured, container, image string) error {
	return editContainer(workload, container, func(container map[string]any) {
		container["image"] = image
		container["imagePullPolicy"] = "IfNotPresent"
	})
}

// SetEnv gives an environment variable of a container of a workload's template a value.
func SetEnv(workload *unstructured.Unstructured, container, name, value string) error {
	return editContainer(workload, container, func(container map[string]any) {
		variables, _ := container["env"].([]any)
		for _, v := range variables {
			if variable, isMap := v.(map[string]any); isMap && variable["name"] == name {
				variable["value"] = value
				return
			}
		}
		container["env"] = append(variables, map[string]any{"name": name, "value": value})
	})
}

func editContainer(workload *unstructured.Unstructured, name string, edit func(map[string]any)) error {
	path := []string{"spec", "template", "spec", "containers"}
	containers, _, err := unstructured.NestedSlice(workload.Object, path...)
	if err != nil {
		return fmt.Errorf("%s: %w", title(workload), err)
	}
	for _, c := range containers {
		if container, isMap := c.(map[string]any); isMap && container["name"] == name {
			edit(container)
			return unstructured.SetNestedSlice(workload.Object, containers, path...)
		}
	}
	return fmt.Errorf("%s has no container %q", title(workload), name)
}
