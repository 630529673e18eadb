package v1

// Condition types of an AppMonitor.
const (
	// ConditionReady is True while the operator watches the AppMonitor's Pods and can act on them.
	ConditionReady = "Ready"

	// ConditionMetricsAvailable is False when the memory use of some of the AppMonitor's Pods cannot be read.
	ConditionMetricsAvailable = "MetricsAvailable"

	// ConditionConflicted is True when another AppMonitor owns Pods that this one claims too.
	ConditionConflicted = "Conflicted"
)

// Reasons of conditions. Decisions have reasons of their own, in internal/scaling; a word that stands in both lists
// means the same in both.
const (
	// ReasonWatching: the AppMonitor's Pods are watched and can be raised.
	ReasonWatching = "Watching"
	// ReasonPaused: the AppMonitor carries PausedAnnotation.
	ReasonPaused = "Paused"
	// ReasonRaiseFailed: the API server refused a raise.
	ReasonRaiseFailed = "RaiseFailed"
	// ReasonSourceUnavailable: the usage source cannot be read.
	ReasonSourceUnavailable = "SourceUnavailable"
	// ReasonSourceNotRead: the usage source has not answered yet, neither well nor badly.
	ReasonSourceNotRead = "SourceNotRead"
	// ReasonSourceRead: the usage source answers.
	ReasonSourceRead = "SourceRead"
	// ReasonClaimedByOther: another AppMonitor owns Pods that this one claims too.
	ReasonClaimedByOther = "ClaimedByOther"
	// ReasonNoConflict: no other AppMonitor owns Pods that this one claims.
	ReasonNoConflict = "NoConflict"
)

// ConditionReasons lists every reason that a condition can carry.
func ConditionReasons() []string {
	return []string{
		ReasonWatching, ReasonPaused, ReasonRaiseFailed, ReasonSourceUnavailable, ReasonSourceNotRead,
		ReasonSourceRead, ReasonClaimedByOther, ReasonNoConflict,
	}
}
