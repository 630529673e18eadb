package scaling

// Reason says why a decision was made: the closed vocabulary that decisions, Events, conditions and metric labels share.
type Reason string

// Reasons of decisions, in the order in which Decide looks for them.
const (
	// ReasonInvalidPolicy: the policy's numbers make no sense, for example a multiplier of 1.
	ReasonInvalidPolicy Reason = "InvalidPolicy"
	// ReasonPaused: the AppMonitor or the workload is paused.
	ReasonPaused Reason = "Paused"
	// ReasonNoLimit: the container has no memory limit, so there is nothing to compare its use with.
	ReasonNoLimit Reason = "NoLimit"
	// ReasonStaleSample: there is no sample of the container's memory use, or the newest is too old to act on.
	ReasonStaleSample Reason = "StaleSample"
	// ReasonRolloutInProgress: a rollout is about to replace the container by a larger one.
	ReasonRolloutInProgress Reason = "RolloutInProgress"
	// ReasonRolloutStuck: the workload has given up the rollout that was to replace the container by a larger one.
	ReasonRolloutStuck Reason = "RolloutStuck"
	// ReasonUnsupportedOwner: memory should be raised, but nothing owns the Pod that a new size could be rolled out by.
	ReasonUnsupportedOwner Reason = "UnsupportedOwner"
	// ReasonAtMaximum: memory should be raised, but the limit is already as large as a quantity can be.
	ReasonAtMaximum Reason = "AtMaximum"
	// ReasonAboveThreshold: memory use has reached the threshold.
	ReasonAboveThreshold Reason = "AboveThreshold"
	// ReasonNormal: nothing is wrong.
	ReasonNormal Reason = "Normal"
)

// Reasons lists the whole vocabulary.
func Reasons() []Reason {
	return []Reason{
		ReasonInvalidPolicy, ReasonPaused, ReasonNoLimit, ReasonStaleSample, ReasonRolloutInProgress,
		ReasonRolloutStuck, ReasonUnsupportedOwner, ReasonAtMaximum, ReasonAboveThreshold, ReasonNormal,
	}
}
