package v1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The API server must find every CEL rule cheap before it takes the CustomResourceDefinition. Up to Kubernetes 1.33 it
// supposes that a quantity is megabytes long, as it does not see the MaxLength of what may be a number, too. That is why
// there are 30 exceptions for containers and no more, and why a quantity's type is looked for in a list: the list costs
// nothing, `type(self) == int` as much as reading the quantity.
//
// A duration's digits are few because the API server also tries a parser of its own, which lets numbers wrap: it takes
// 5124096h for 25 minutes. Clients refuse to read such an object, and with it every list that holds it.

// Mode says whether decisions are carried out.
// +kubebuilder:validation:Enum=Enforce;DryRun
type Mode string

const (
	// ModeEnforce decides, reports and acts.
	ModeEnforce Mode = "Enforce"
	// ModeDryRun decides and reports, and touches no workload.
	ModeDryRun Mode = "DryRun"
)

// Strategy says how a container gets its new size.
// +kubebuilder:validation:Enum=Auto;InPlace;Rollout
type Strategy string

const (
	// StrategyAuto takes the gentlest way there is: in place, else the rolling update of the Pod's owner.
	StrategyAuto Strategy = "Auto"
	// StrategyInPlace never restarts anything.
	StrategyInPlace Strategy = "InPlace"
	// StrategyRollout is the rolling update of the Pod's owner.
	StrategyRollout Strategy = "Rollout"
)

// Switch turns a part of the policy on or off, in words that YAML does not take for booleans.
// +kubebuilder:validation:Enum=Enabled;Disabled
type Switch string

const (
	// SwitchEnabled turns it on.
	SwitchEnabled Switch = "Enabled"
	// SwitchDisabled turns it off.
	SwitchDisabled Switch = "Disabled"
)

// ForecastMode says whether growth is foreseen.
// +kubebuilder:validation:Enum=Auto;Disabled
type ForecastMode string

const (
	// ForecastAuto raises ahead of a limit that would be reached within the horizon.
	ForecastAuto ForecastMode = "Auto"
	// ForecastDisabled raises at the threshold only.
	ForecastDisabled ForecastMode = "Disabled"
)

// ContainerPolicy is the exception for the containers of one name.
type ContainerPolicy struct {
	// name of the container in its Pod: a DNS label, 1 to 63 lower-case letters,
	// digits and dashes. There is one entry for a name, and it holds for every
	// owned Pod with such a container. A name that no Pod has does no harm.
	// Example: log-shipper.
	// +kubebuilder:validation:Required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Container name",xDescriptors="urn:alm:descriptor:com.tectonic.ui:text"
	Name string `json:"name"`

	// mode Disabled leaves the container as it is, whatever it uses; the rest of
	// the entry is kept, and holds again with Enabled. Default: Enabled.
	// Example: Disabled, for a sidecar that may well be killed.
	// +kubebuilder:default=Enabled
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Container mode",xDescriptors={"urn:alm:descriptor:com.tectonic.ui:select:Enabled","urn:alm:descriptor:com.tectonic.ui:select:Disabled"}
	Mode Switch `json:"mode,omitempty"`

	// memThresholdPercent takes the place of the spec's for this container: a real
	// number greater than 0 and at most 100, in percent of the container's memory
	// limit. Default: that of the spec.
	// Example: 60, for a container whose use comes in bursts.
	// +kubebuilder:validation:XValidation:rule="self > 0.0 && self <= 100.0",message="memThresholdPercent must be greater than 0 and at most 100 (percent of the memory limit)"
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Container threshold (percent)",xDescriptors="urn:alm:descriptor:com.tectonic.ui:number"
	MemThresholdPercent *float64 `json:"memThresholdPercent,omitempty"`

	// memMultiplier takes the place of the spec's for this container: a real
	// number greater than 1 and at most 10. It counts for the default of
	// growthBudget.raises, too. Default: that of the spec.
	// Example: 1.25, for a container that is large already.
	// +kubebuilder:validation:XValidation:rule="self > 1.0 && self <= 10.0",message="memMultiplier must be greater than 1 and at most 10"
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Container multiplier",xDescriptors="urn:alm:descriptor:com.tectonic.ui:number"
	MemMultiplier *float64 `json:"memMultiplier,omitempty"`

	// maxMemory takes the place of the spec's ceiling for this container's limit,
	// and may be lower or higher: a quantity of bytes, at least 1Mi. Default: that
	// of the spec.
	// Example: 256Mi, for a sidecar.
	// +kubebuilder:validation:XIntOrString
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="type(self) in [int] ? self >= 1048576 : quantity(self).compareTo(quantity('1Mi')) >= 0",message="maxMemory must be at least 1Mi"
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Container maximum memory"
	MaxMemory *resource.Quantity `json:"maxMemory,omitempty"`
}

// Forecast is how far ahead growth is foreseen.
// +kubebuilder:validation:XValidation:rule="!has(self.horizon) || !has(self.mode) || self.mode != 'Disabled'",message="forecast.horizon has no effect when forecast.mode is Disabled: set one of them only",fieldPath=".horizon"
type Forecast struct {
	// mode Auto raises a container (reason ForecastOOM) when its growth over the
	// last samples would take it to its limit within the horizon; Disabled raises
	// at memThresholdPercent only. Default: Auto.
	// Example: Disabled, for a load that comes in bursts well below the limit.
	// +kubebuilder:default=Auto
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Forecast mode",xDescriptors={"urn:alm:descriptor:com.tectonic.ui:select:Auto","urn:alm:descriptor:com.tectonic.ui:select:Disabled"}
	Mode ForecastMode `json:"mode,omitempty"`

	// horizon is how far ahead to look. A duration from 1s to 1h. Default: the
	// operator's own reaction time, as it measures it: the time between samples, a
	// tick of the operator, and the time that a change takes to come into effect.
	// A longer one raises earlier, and more often in vain; a shorter one than the
	// operator's reaction time comes too late. Where a node's agent keeps the
	// guaranteed fill rate, the operator makes no forecast of what the agent can
	// raise, unless a horizon is set. It cannot be set when mode is Disabled.
	// Example: 30s raises a container of 384Mi that uses 200Mi and gains 8Mi a
	// second, as it is 23s from its limit.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=duration
	// +kubebuilder:validation:Pattern=`^([0-9]{1,8}(\.[0-9]+)?(ms|s)|[0-9]{1,5}(\.[0-9]+)?(m|h))+$`
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self >= duration('1s') && self <= duration('1h')",message="forecast.horizon must be from 1s to 1h"
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Forecast horizon",xDescriptors="urn:alm:descriptor:com.tectonic.ui:text"
	Horizon *metav1.Duration `json:"horizon,omitempty"`
}

// GrowthBudget is the growth beyond which a container counts as leaking.
type GrowthBudget struct {
	// raises is how many raises of a container the budget allows. A whole number
	// from 1 to 100. Default: as many as multiply memory by 8 together, 3 with a
	// memMultiplier of 2, 6 with 1.5, and never more than 100. One more within the
	// window, without the use having levelled off in between, is refused with the
	// reason GrowthBudgetExhausted: it is a leak, and more memory would only make
	// it a larger one. Every raise counts, also one after an OOM kill.
	// Example: 5, for a cache that fills in many steps.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Raises",xDescriptors="urn:alm:descriptor:com.tectonic.ui:number"
	Raises *int32 `json:"raises,omitempty"`

	// window is the time in which raises are counted. A duration from 1m to 720h
	// (30 days). Default: 24h. Raises that are further apart do not count
	// together. A container that was refused stays refused when the window has
	// passed: a leak would otherwise get as much again. It may be raised again
	// when its use has not grown for an eighth of the window, or when the workload
	// is released with a size of the user's own.
	// Example: 168h, to see a leak that takes days.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=duration
	// +kubebuilder:validation:Pattern=`^([0-9]{1,8}(\.[0-9]+)?(ms|s)|[0-9]{1,5}(\.[0-9]+)?(m|h))+$`
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self >= duration('1m') && self <= duration('720h')",message="growthBudget.window must be from 1m to 720h"
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Growth window",xDescriptors="urn:alm:descriptor:com.tectonic.ui:text"
	Window *metav1.Duration `json:"window,omitempty"`
}

// ScaleDown is when raised memory is given back.
// +kubebuilder:validation:XValidation:rule="!has(self.after) || (has(self.mode) && self.mode == 'Enabled')",message="scaleDown.after has no effect unless scaleDown.mode is Enabled: set the mode to Enabled, or leave after out",fieldPath=".after"
type ScaleDown struct {
	// mode Enabled lowers a container (reason Idle) that has used far less than
	// its limit for as long as after says; Disabled never lowers one. Default:
	// Disabled. It never goes below the size that the workload declared itself,
	// and lowers nothing within a day of an OOM kill. The lower size comes in the
	// way that strategy says, which may mean a restart.
	// Example: Enabled.
	// +kubebuilder:default=Disabled
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Scale down mode",xDescriptors={"urn:alm:descriptor:com.tectonic.ui:select:Disabled","urn:alm:descriptor:com.tectonic.ui:select:Enabled"}
	Mode Switch `json:"mode,omitempty"`

	// after is how long the use must have been far below the limit without a
	// break. A duration from 10m to 720h (30 days). Default: 24h, so that a peak
	// that comes once a day keeps its memory. It can be set only when mode is
	// Enabled.
	// Example: 168h, for a load that follows the week.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Format=duration
	// +kubebuilder:validation:Pattern=`^([0-9]{1,8}(\.[0-9]+)?(ms|s)|[0-9]{1,5}(\.[0-9]+)?(m|h))+$`
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self >= duration('10m') && self <= duration('720h')",message="scaleDown.after must be from 10m to 720h"
	// +optional
	// +operator-sdk:csv:customresourcedefinitions:type=spec,displayName="Scale down after",xDescriptors="urn:alm:descriptor:com.tectonic.ui:text"
	After *metav1.Duration `json:"after,omitempty"`
}
