package v1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// AppMonitorSpec says when the annotated Pods of the namespace get more memory, and how much more.
type AppMonitorSpec struct {
	// memThresholdPercent is the memory use, in percent of a container's memory
	// limit, at which its memory is raised. A real number greater than 0 and at
	// most 100. It is compared with the working set of each container of the Pod
	// on its own; a container without a memory limit is never raised.
	// Example: 75 raises a container with a limit of 384Mi as soon as it uses
	// 288Mi.
	// +kubebuilder:validation:Required
	// +kubebuilder:validation:XValidation:rule="self > 0.0 && self <= 100.0",message="memThresholdPercent must be greater than 0 and at most 100 (percent of the memory limit)"
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Threshold (percent)",xDescriptors="urn:alm:descriptor:com.tectonic.ui:number"
	MemThresholdPercent float64 `json:"memThresholdPercent"`

	// memMultiplier is the factor by which memory requests and limits grow in one
	// raise. A real number greater than 1 and at most 10. When one step would
	// leave the use at or above memThresholdPercent, the factor is applied again
	// until it does not. Results are rounded up to whole Mi.
	// Example: 2 raises a request of 256Mi to 512Mi and a limit of 384Mi to 768Mi;
	// 1.5 raises them to 384Mi and 576Mi.
	// +kubebuilder:validation:Required
	// +kubebuilder:validation:XValidation:rule="self > 1.0 && self <= 10.0",message="memMultiplier must be greater than 1 and at most 10"
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Multiplier",xDescriptors="urn:alm:descriptor:com.tectonic.ui:number"
	MemMultiplier float64 `json:"memMultiplier"`

	// selector narrows, by their labels, the annotated Pods of the namespace that
	// this AppMonitor owns. Default: every annotated Pod. It opts no Pod in that
	// lacks the annotation app-monitor.kubedemo.com/monitor, and claims none that
	// names another AppMonitor in it. A selector that cannot be understood owns no
	// Pods, and is told of by the condition Ready with the reason InvalidSelector.
	// Example: {matchLabels: {tier: backend}} leaves all Pods without the label
	// tier=backend alone.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Pod selector",xDescriptors="urn:alm:descriptor:com.tectonic.ui:selector:core:v1:Pod"
	Selector *metav1.LabelSelector `json:"selector,omitempty"`

	// mode says whether decisions are carried out. Default: Enforce. With DryRun
	// everything is observed, decided and reported just the same, and no workload
	// is touched: decisions in the status carry dryRun.
	// Example: DryRun, to see for a week what would happen before it does.
	// +kubebuilder:default=Enforce
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Mode",xDescriptors={"urn:alm:descriptor:com.tectonic.ui:select:Enforce","urn:alm:descriptor:com.tectonic.ui:select:DryRun"}
	Mode Mode `json:"mode,omitempty"`

	// strategy says how a container gets its new size. Default: Auto, in place
	// where that is possible and costs no restart, else by the rolling update of
	// the Pod's owner. InPlace never restarts anything: where it is not possible,
	// it holds with the reason InPlaceUnavailable. Rollout always takes the
	// rolling update. In place, what was learned is kept in the workload's
	// annotation app-monitor.kubedemo.com/durable-size, and new Pods start with it.
	// Example: Rollout, for a workload whose processes read their memory limit
	// only when they start.
	// +kubebuilder:default=Auto
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Strategy",xDescriptors={"urn:alm:descriptor:com.tectonic.ui:select:Auto","urn:alm:descriptor:com.tectonic.ui:select:InPlace","urn:alm:descriptor:com.tectonic.ui:select:Rollout"}
	Strategy Strategy `json:"strategy,omitempty"`

	// maxMemory is the ceiling of one container's memory limit: a quantity of
	// bytes, at least 1Mi. Default: no ceiling. A raise that would go above it is
	// cut to it; a container that has reached it and needs more is refused with
	// the reason AtMaximum. It never lowers a limit that is above it already. The
	// request keeps its proportion to the limit. An entry of containers may set
	// another ceiling, lower or higher, for its container.
	// Example: 1Gi ends the growth by 2 of a container of 384Mi at 768Mi and then
	// 1Gi.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="type(self) in [int] ? self >= 1048576 : quantity(self).compareTo(quantity('1Mi')) >= 0",message="maxMemory must be at least 1Mi"
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Maximum memory"
	MaxMemory *resource.Quantity `json:"maxMemory,omitempty"`

	// containers are exceptions for containers of certain names, in whichever
	// owned Pod they are; at most 30. Default: none, all containers are treated
	// alike. What an entry leaves out is that of the spec.
	// Example: [{name: log-shipper, mode: Disabled}, {name: app, maxMemory: 2Gi}].
	// +kubebuilder:validation:MaxItems=30
	// +listType=map
	// +listMapKey=name
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Containers"
	Containers []ContainerPolicy `json:"containers,omitempty"`

	// cooldown is the least time between two changes of the same workload by its
	// rolling update, or of the same container in place. A duration from 0s to
	// 24h. Default: 1m. Need that arises meanwhile is met when it ends. A container
	// that was OOM-killed is not made to wait for it, nor in place one that would
	// reach its limit before; where a node agent looks after it, nor in place one
	// that has reached memThresholdPercent and, filling at the guaranteed rate,
	// could be full before; at 256Mi a second and with 1m that is every one with
	// less than 15Gi left. With 0s the next change may follow as soon as the last
	// one is through.
	// Example: 5m, for a workload that takes minutes to warm up after a restart.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=duration
	// +kubebuilder:validation:Pattern=`^([0-9]{1,8}(\.[0-9]+)?(ms|s)|[0-9]{1,5}(\.[0-9]+)?(m|h))+$`
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self >= duration('0s') && self <= duration('24h')",message="cooldown must be from 0s to 24h"
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Cooldown",xDescriptors={"urn:alm:descriptor:com.tectonic.ui:text","urn:alm:descriptor:com.tectonic.ui:advanced"}
	Cooldown *metav1.Duration `json:"cooldown,omitempty"`

	// forecast raises a container that is growing so fast that it would reach its
	// limit before help could, even while its use is still below
	// memThresholdPercent. Default: on, with the horizon that the operator
	// measures.
	// Example: {horizon: 30s}.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Forecast",xDescriptors="urn:alm:descriptor:com.tectonic.ui:advanced"
	Forecast *Forecast `json:"forecast,omitempty"`

	// growthBudget tells growth from a leak: how often a container may be raised
	// within a time without its use levelling off in between. Default: the raises
	// that multiply its memory by 8 together, within 24h. It always applies;
	// maxMemory bounds the size, growthBudget the way there.
	// Example: {raises: 5, window: 12h}.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Growth budget",xDescriptors="urn:alm:descriptor:com.tectonic.ui:advanced"
	GrowthBudget *GrowthBudget `json:"growthBudget,omitempty"`

	// scaleDown gives back memory that was raised and is no longer needed.
	// Default: off, what was raised stays raised.
	// Example: {mode: Enabled, after: 48h}.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Scale down",xDescriptors="urn:alm:descriptor:com.tectonic.ui:advanced"
	ScaleDown *ScaleDown `json:"scaleDown,omitempty"`
}

// AppMonitor grows the memory of the annotated Pods of its namespace before
// the kernel kills them for want of it.
//
// A Pod opts in by the annotation app-monitor.kubedemo.com/monitor: "true" in
// its template, or with the name of one AppMonitor as the value. Of several
// AppMonitors that claim a Pod, the named one owns it, else the oldest of
// those whose selector matches it; the others say so in the condition
// Conflicted.
//
// The annotation app-monitor.kubedemo.com/paused: "true" on the AppMonitor or
// on a workload stops all action on it. What the operator changed of a
// workload it notes there, in the annotation app-monitor.kubedemo.com/record;
// without that, it takes the workload's sizes for those that were declared.
//
// The status tells what was decided last, refusals included, and why.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=am
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`,description="Enforce, or DryRun that touches nothing"
// +kubebuilder:printcolumn:name="Pods",type=integer,JSONPath=`.status.pods`,description="Running Pods that this AppMonitor owns"
// +kubebuilder:printcolumn:name="Raised",type=integer,JSONPath=`.status.raised`,description="Containers whose memory is raised"
// +kubebuilder:printcolumn:name="Held",type=integer,JSONPath=`.status.held`,description="Containers that need more memory and are refused it"
// +kubebuilder:printcolumn:name="Last Action",type=string,JSONPath=`.status.lastChange.action`,description="What the latest change was: Raise, Lower or Rollback"
// +kubebuilder:printcolumn:name="Since",type=date,JSONPath=`.status.lastChange.time`,description="Time since the latest change"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`,description="Whether the Pods are watched and can be acted on"
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,description="Why it is Ready or not"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Threshold",type=number,priority=1,JSONPath=`.spec.memThresholdPercent`,description="Percent of the memory limit at which memory is raised"
// +kubebuilder:printcolumn:name="Multiplier",type=number,priority=1,JSONPath=`.spec.memMultiplier`,description="Factor of one raise"
// +operator-sdk:csv:customresourcedefinitions:displayName="App Monitor",resources={{Deployment,apps/v1,""},{StatefulSet,apps/v1,""},{DaemonSet,apps/v1,""},{Pod,v1,""},{Event,events.k8s.io/v1,""}}
type AppMonitor struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says when the annotated Pods of the namespace get more memory, and how
	// much more. memThresholdPercent and memMultiplier are all it needs. Whatever
	// else is left out has a default that is safe: use that never stops growing is
	// taken for a leak and no longer followed, and nothing is changed more than
	// once a minute, but for what would be OOM-killed meanwhile. A duration is one or more numbers with a
	// unit each, ms, s, m or h: 90s, 1h30m, 1.5h.
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
