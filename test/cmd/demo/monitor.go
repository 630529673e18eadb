package main

import (
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// monitor is what the story's AppMonitor says.
type monitor struct {
	object                *unstructured.Unstructured
	threshold, multiplier float64
}

// monitorIn finds the AppMonitor among objects, as the API server returned them.
func monitorIn(objects []*unstructured.Unstructured) (monitor, error) {
	for _, object := range objects {
		if object.GetKind() != "AppMonitor" {
			continue
		}
		threshold, errT := number(object, "spec", "memThresholdPercent")
		multiplier, errM := number(object, "spec", "memMultiplier")
		if err := errors.Join(errT, errM); err != nil {
			return monitor{}, fmt.Errorf("AppMonitor %q: %w", object.GetName(), err)
		}
		return monitor{object, threshold, multiplier}, nil
	}
	return monitor{}, errors.New("config/samples has no AppMonitor")
}

// number reads a field that JSON may hold as a whole or as a real number.
func number(object *unstructured.Unstructured, path ...string) (float64, error) {
	value, _, err := unstructured.NestedFieldNoCopy(object.Object, path...)
	if err != nil {
		return 0, err
	}
	switch value := value.(type) {
	case int64:
		return float64(value), nil
	case float64:
		return value, nil
	}
	return 0, fmt.Errorf("%v is %v, want a number", path, value)
}

// sizeOf is the size of the story's container in a Deployment.
func sizeOf(object *unstructured.Unstructured) (size, error) {
	var d appsv1.Deployment
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &d); err != nil {
		return size{}, fmt.Errorf("deployment %q: %w", object.GetName(), err)
	}
	s := sizeIn(d.Spec.Template.Spec.Containers)
	if s.limit == 0 {
		return size{}, fmt.Errorf("deployment %q: container %q has no memory limit", object.GetName(), containerName)
	}
	return s, nil
}
