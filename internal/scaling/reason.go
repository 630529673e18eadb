package scaling

// Reason says why a decision was made: the closed vocabulary that decisions, Events, conditions and metric labels share.
type Reason string

// Reasons of decisions, in the order in which Decide looks for them.
const (
	// ReasonInvalidPolicy: the policy's numbers make no sense, for example a multiplier of 1.
	ReasonInvalidPolicy Reason = "InvalidPolicy"
	// ReasonPaused: the AppMonitor or the workload is paused.
	ReasonPaused Reason = "Paused"
	// ReasonDisabled: the AppMonitor leaves this container alone.
	ReasonDisabled Reason = "Disabled"
	// ReasonNoLimit: the container has no memory limit, so there is nothing to compare its use with.
	ReasonNoLimit Reason = "NoLimit"
	// ReasonRolloutInProgress: a rollout is about to replace the container by one of another size.
	ReasonRolloutInProgress Reason = "RolloutInProgress"
	// ReasonRolloutStuck: the workload has given up the rollout that was to replace the container by a larger one.
	ReasonRolloutStuck Reason = "RolloutStuck"
	// ReasonResizeInProgress: the container is being resized in place.
	ReasonResizeInProgress Reason = "ResizeInProgress"
	// ReasonCatchUp: the workload's other replicas have more memory than this one.
	ReasonCatchUp Reason = "CatchUp"
	// ReasonOOMKilled: the kernel killed the container for want of memory.
	ReasonOOMKilled Reason = "OOMKilled"
	// ReasonStaleSample: there is no sample of the container's memory use, or the newest is too old to act on.
	ReasonStaleSample Reason = "StaleSample"
	// ReasonAboveThreshold: memory use has reached the threshold.
	ReasonAboveThreshold Reason = "AboveThreshold"
	// ReasonForecastOOM: memory use grows, and would reach the limit before the next decision could take effect.
	ReasonForecastOOM Reason = "ForecastOOM"
	// ReasonIdle: memory use has been far below the limit for long.
	ReasonIdle Reason = "Idle"
	// ReasonNormal: nothing is wrong.
	ReasonNormal Reason = "Normal"
)

// Reasons why memory that should be raised is not, in the order in which they are looked for.
const (
	// ReasonUnsupportedOwner: nothing owns the Pod that a new size could be rolled out by.
	ReasonUnsupportedOwner Reason = "UnsupportedOwner"
	// ReasonInPlaceUnavailable: only a resize in place without a restart is possible or allowed, and there is none.
	ReasonInPlaceUnavailable Reason = "InPlaceUnavailable"
	// ReasonResizeInfeasible: the node, or the API server, will never give the Pod another size in place.
	ReasonResizeInfeasible Reason = "ResizeInfeasible"
	// ReasonRecoveryFailed: the kernel killed the container again after it was given more memory in place, before it could
	// use any of that.
	ReasonRecoveryFailed Reason = "RecoveryFailed"
	// ReasonOverridden: somebody else put back what the operator had changed.
	ReasonOverridden Reason = "Overridden"
	// ReasonCooldown: the workload was changed only a moment ago.
	ReasonCooldown Reason = "Cooldown"
	// ReasonGrowthBudgetExhausted: memory was raised as often as is allowed, and use never levelled off: a leak.
	ReasonGrowthBudgetExhausted Reason = "GrowthBudgetExhausted"
	// ReasonAtMaximum: the limit is at the AppMonitor's maxMemory, or as large as a quantity can be.
	ReasonAtMaximum Reason = "AtMaximum"
	// ReasonAtLimitRange: a LimitRange of the namespace allows no more.
	ReasonAtLimitRange Reason = "AtLimitRange"
	// ReasonQuotaExceeded: a ResourceQuota of the namespace leaves no more.
	ReasonQuotaExceeded Reason = "QuotaExceeded"
	// ReasonNodeFull: no node has more to give.
	ReasonNodeFull Reason = "NodeFull"
)

// Reasons lists the whole vocabulary.
func Reasons() []Reason {
	return append([]Reason{
		ReasonInvalidPolicy, ReasonPaused, ReasonDisabled, ReasonNoLimit, ReasonRolloutInProgress, ReasonResizeInProgress,
		ReasonCatchUp, ReasonOOMKilled, ReasonStaleSample, ReasonAboveThreshold, ReasonForecastOOM, ReasonIdle, ReasonNormal,
	}, Refusals()...)
}

// Refusals lists why memory that is needed is not given: what a user can do something about, or has to know.
func Refusals() []Reason {
	return []Reason{
		ReasonRolloutStuck, ReasonUnsupportedOwner, ReasonInPlaceUnavailable, ReasonResizeInfeasible, ReasonRecoveryFailed,
		ReasonOverridden, ReasonCooldown,
		ReasonGrowthBudgetExhausted, ReasonAtMaximum, ReasonAtLimitRange, ReasonQuotaExceeded, ReasonNodeFull,
	}
}
