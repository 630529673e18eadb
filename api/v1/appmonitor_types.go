package v1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AppMonitorSpec says when the annotated Pods of the namespace get more memory, and how much more.
type AppMonitorSpec struct {
	// memThresholdPercent is the memory use, in percent of a container's memory limit, at which its memory is raised.
	// A real number greater than 0 and at most 100. It is compared with the working set of each container of the
	// Pod on its own; a container without a memory limit is never raised.
	// Example: 75 raises a container with a limit of 384Mi as soon as it uses 288Mi.
	// +kubebuilder:validation:Required
	// +kubebuilder:validation:XValidation:rule="self > 0.0 && self <= 100.0",message="memThresholdPercent must be greater than 0 and at most 100 (percent of the memory limit)"
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Threshold (percent)",xDescriptors="urn:alm:descriptor:com.tectonic.ui:number"
	MemThresholdPercent float64 `json:"memThresholdPercent"`

	// memMultiplier is the factor by which memory requests and limits grow in one raise. A real number greater than 1
	// and at most 10. When one step would leave the use at or above memThresholdPercent, the factor is applied again
	// until it does not. Results are rounded up to whole Mi.
	// Example: 2 raises a request of 256Mi to 512Mi and a limit of 384Mi to 768Mi; 1.5 raises them to 384Mi and 576Mi.
	// +kubebuilder:validation:Required
	// +kubebuilder:validation:XValidation:rule="self > 1.0 && self <= 10.0",message="memMultiplier must be greater than 1 and at most 10"
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Multiplier",xDescriptors="urn:alm:descriptor:com.tectonic.ui:number"
	MemMultiplier float64 `json:"memMultiplier"`
}

// AppMonitorStatus is the operator's account of one AppMonitor. It holds no live byte counts, so that it is written
// only when something happened.
type AppMonitorStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Observed generation"
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// pods is the number of running Pods that this AppMonitor owns.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Pods"
	Pods int32 `json:"pods"`

	// raised is the number of containers, in the templates of these Pods' workloads, whose memory the operator has
	// raised, and which nobody else has set since.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Raised containers"
	Raised int32 `json:"raised"`

	// lastRaise is the latest raise made for this AppMonitor.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Last raise"
	LastRaise *Raise `json:"lastRaise,omitempty"`

	// conditions of the AppMonitor: Ready, MetricsAvailable and Conflicted.
	// +listType=map
	// +listMapKey=type
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Conditions",xDescriptors="urn:alm:descriptor:io.kubernetes.conditions"
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Raise is one completed change of a workload's template.
type Raise struct {
	// time at which the API server accepted the change.
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Time of the last raise"
	Time metav1.Time `json:"time"`

	// workload that was changed, as kind/name. Example: Deployment/memhog.
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Workload of the last raise"
	Workload string `json:"workload"`

	// container whose memory was raised.
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Container of the last raise"
	Container string `json:"container"`

	// reason of the decision. Example: AboveThreshold.
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Reason of the last raise"
	Reason string `json:"reason"`

	// from is the size that the container ran with in its Pod.
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Size before the last raise"
	From MemorySize `json:"from"`

	// to is the size that it was given in the workload's template.
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Size after the last raise"
	To MemorySize `json:"to"`
}

// MemorySize is the memory that a container asks for and may use.
type MemorySize struct {
	// request is the container's memory request.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Memory request"
	Request *resource.Quantity `json:"request,omitempty"`

	// limit is the container's memory limit.
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Memory limit"
	Limit resource.Quantity `json:"limit"`
}

// AppMonitor grows the memory of the annotated Pods of its namespace before the kernel kills them for want of it.
// A Pod opts in by the annotation app-monitor.kubedemo.com/monitor: "true" in its template, or with the name of one
// AppMonitor as the value. Of several AppMonitors that claim a Pod, the named one owns it, else the oldest.
// The annotation app-monitor.kubedemo.com/paused: "true" on the AppMonitor or on a workload stops all action on it.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=am
// +kubebuilder:printcolumn:name="Threshold",type=number,JSONPath=`.spec.memThresholdPercent`,description="Percent of the memory limit at which memory is raised"
// +kubebuilder:printcolumn:name="Multiplier",type=number,JSONPath=`.spec.memMultiplier`,description="Factor of one raise"
// +kubebuilder:printcolumn:name="Pods",type=integer,JSONPath=`.status.pods`,description="Running Pods that this AppMonitor owns"
// +kubebuilder:printcolumn:name="Raised",type=integer,JSONPath=`.status.raised`,description="Containers whose memory is raised"
// +kubebuilder:printcolumn:name="Last Raise",type=date,JSONPath=`.status.lastRaise.time`,description="Time since the latest raise"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +operator-sdk:csv:customresourcedefinitions:displayName="App Monitor",resources={{Deployment,apps/v1,""},{Pod,v1,""},{Event,events.k8s.io/v1,""}}
type AppMonitor struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says when memory is raised and by how much.
	// +kubebuilder:validation:Required
	Spec AppMonitorSpec `json:"spec"`

	// status is the operator's account.
	// +optional
	Status AppMonitorStatus `json:"status,omitempty"`
}

// AppMonitorList is a list of AppMonitors.
// +kubebuilder:object:root=true
type AppMonitorList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []AppMonitor `json:"items"`
}
