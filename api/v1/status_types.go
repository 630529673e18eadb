package v1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// MaxDecisions is how many decisions a status holds.
	MaxDecisions = 10
	// MaxDecisionMessage is how many characters the message of a decision may have.
	MaxDecisionMessage = 1024
)

// AppMonitorStatus is the operator's account of one AppMonitor. It holds no live byte counts, so that it is written
// only when something happened: a number in it is what was so at the time that stands beside it.
type AppMonitorStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Observed generation"
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// pods is the number of running Pods that this AppMonitor owns.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Pods"
	Pods int32 `json:"pods"`

	// raised is the number of containers of these Pods' workloads whose memory
	// the operator has raised, in place or in the template, and which nobody
	// else has set since. Replicas count once.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Raised containers"
	Raised int32 `json:"raised"`

	// held is the number of containers that need more memory and are refused it:
	// by a ceiling, a quota, the growth budget or the like. The condition
	// Constrained says why.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Held containers"
	Held int32 `json:"held"`

	// lastChange is the latest change made for this AppMonitor: a raise, a
	// lowering, or the rollback of one that did not get through. A dry run makes
	// none.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Last change"
	LastChange *Change `json:"lastChange,omitempty"`

	// decisions are the latest things decided for this AppMonitor, newest first,
	// at most 10: changes, and refusals of memory that was needed. A decision that
	// stays the same is listed once, with the time at which it was made first.
	// +kubebuilder:validation:MaxItems=10
	// +listType=atomic
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Decisions"
	Decisions []Decision `json:"decisions,omitempty"`

	// conditions of the AppMonitor: Ready, MetricsAvailable, Conflicted,
	// Constrained and FastPath.
	// +listType=map
	// +listMapKey=type
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Conditions",xDescriptors="urn:alm:descriptor:io.kubernetes.conditions"
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Action is what was decided.
type Action string

const (
	// ActionHold leaves the container as it is.
	ActionHold Action = "Hold"
	// ActionRaise gives it more memory.
	ActionRaise Action = "Raise"
	// ActionLower takes back memory that it was given.
	ActionLower Action = "Lower"
	// ActionRollback takes back a change that did not get through.
	ActionRollback Action = "Rollback"
)

// Means is how a container was given another size.
// +kubebuilder:validation:Enum=InPlace;Restart;Rollout
type Means string

const (
	// MeansInPlace resized the running container, without a restart.
	MeansInPlace Means = "InPlace"
	// MeansRestart resized the container in its Pod, and restarted it because
	// its resizePolicy says so.
	MeansRestart Means = "Restart"
	// MeansRollout changed the workload's template, which replaced its Pods.
	MeansRollout Means = "Rollout"
)

// Change is one completed change of a workload.
type Change struct {
	// time at which the API server accepted the change or, in place, at which
	// the kubelet was seen to have made it.
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Time of the last change"
	Time metav1.Time `json:"time"`

	// action is what was done: Raise, Lower or Rollback.
	// +kubebuilder:validation:Enum=Raise;Lower;Rollback
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Last action"
	Action Action `json:"action"`

	// means by which it was done: InPlace, Restart or Rollout.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Means of the last change"
	Means Means `json:"means,omitempty"`

	// workload that was changed, as kind/name. Example: Deployment/memhog.
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Workload of the last change"
	Workload string `json:"workload"`

	// container whose memory was changed.
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Container of the last change"
	Container string `json:"container"`

	// reason of the decision. Example: AboveThreshold.
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Reason of the last change"
	Reason string `json:"reason"`

	// from is the size that the container had before.
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Size before the last change"
	From MemorySize `json:"from"`

	// to is the size that it was given.
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Size after the last change"
	To MemorySize `json:"to"`
}

// Decision is one thing decided about a container, with what it was decided on.
type Decision struct {
	// time of the decision.
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Time of the decision"
	Time metav1.Time `json:"time"`

	// workload decided about, as kind/name. Example: Deployment/memhog.
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Workload decided about"
	Workload string `json:"workload"`

	// container decided about.
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Container decided about"
	Container string `json:"container"`

	// pod whose container gave cause for the decision, where it was one.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Pod decided about",xDescriptors="urn:alm:descriptor:io.kubernetes:Pod"
	Pod string `json:"pod,omitempty"`

	// action decided on. Hold is a refusal: memory was needed, and reason says why
	// there is none.
	// +kubebuilder:validation:Enum=Hold;Raise;Lower;Rollback
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Action decided on"
	Action Action `json:"action"`

	// means that were decided on: InPlace, Restart or Rollout; absent for a Hold.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Means decided on"
	Means Means `json:"means,omitempty"`

	// reason of the decision. Example: AboveThreshold, or AtMaximum for a refusal.
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Reason of the decision"
	Reason string `json:"reason"`

	// limitedBy is the bound that cut a raise, when one did. Example:
	// QuotaExceeded.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Bound that cut the raise"
	LimitedBy string `json:"limitedBy,omitempty"`

	// dryRun is true when the decision was not carried out because the AppMonitor
	// only reports.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Dry run"
	DryRun bool `json:"dryRun,omitempty"`

	// from is the size that the container had when it was decided.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Size before the decision"
	From *MemorySize `json:"from,omitempty"`

	// to is the size that was decided on; absent for a Hold.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Size decided on"
	To *MemorySize `json:"to,omitempty"`

	// used is the memory in use when it was decided.
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Memory in use"
	Used *resource.Quantity `json:"used,omitempty"`

	// message gives what mattered for the decision in a sentence, in at most 1024
	// characters.
	// Example: 300Mi used of 384Mi is at or above 75%.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=status,displayName="Message of the decision"
	Message string `json:"message,omitempty"`
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
