// Package v1 holds the kubedemo.com/v1 API: the AppMonitor, and the annotations by which Pods opt in.
// +kubebuilder:object:generate=true
// +groupName=kubedemo.com
package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion names the API group and version of the types in this package.
var GroupVersion = schema.GroupVersion{Group: "kubedemo.com", Version: "v1"}

// AddToScheme registers the types of this package.
var AddToScheme = schemeBuilder.AddToScheme

var schemeBuilder = runtime.NewSchemeBuilder(func(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &AppMonitor{}, &AppMonitorList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
})
