package v1

// Condition types of an AppMonitor.
const (
	// ConditionReady is True while the operator watches the AppMonitor's Pods and can act on them.
	ConditionReady = "Ready"

	// ConditionMetricsAvailable is False when the memory use of some of the AppMonitor's Pods cannot be read, or what
	// is read of it is old.
	ConditionMetricsAvailable = "MetricsAvailable"

	// ConditionConflicted is True when another AppMonitor owns Pods that this one claims too, or a HorizontalPodAutoscaler
	// scales a workload by the same memory use.
	ConditionConflicted = "Conflicted"

	// ConditionConstrained is True while some container needs more memory and is refused it; its reason is that of the
	// refusal.
	ConditionConstrained = "Constrained"

	// ConditionFastPath is True while, on every node of the AppMonitor's Pods, an agent keeps the guarantee that no container
	// is OOM-killed that grows slower than the guaranteed fill rate. Where it is False, the operator's own source of memory use is read.
	ConditionFastPath = "FastPath"
)

// Reasons of conditions, and of Events that tell of no decision. Decisions have reasons of their own, in
// internal/scaling; a word that stands in both lists means the same in both.
const (
	// ReasonWatching: the AppMonitor's Pods are watched and can be raised.
	ReasonWatching = "Watching"
	// ReasonPaused: the AppMonitor carries PausedAnnotation.
	ReasonPaused = "Paused"
	// ReasonChangeFailed: the API server refused a change.
	ReasonChangeFailed = "ChangeFailed"
	// ReasonSourceUnavailable: the usage source cannot be read.
	ReasonSourceUnavailable = "SourceUnavailable"
	// ReasonSourceNotRead: the usage source has not answered yet, neither well nor badly.
	ReasonSourceNotRead = "SourceNotRead"
	// ReasonSourceRead: the usage source answers.
	ReasonSourceRead = "SourceRead"
	// ReasonStaleSample: the usage source answers, but says nothing recent about some containers.
	ReasonStaleSample = "StaleSample"
	// ReasonUnknownMonitor: a Pod's annotation names an AppMonitor that does not exist.
	ReasonUnknownMonitor = "UnknownMonitor"
	// ReasonClaimedByOther: another AppMonitor owns Pods that this one claims too.
	ReasonClaimedByOther = "ClaimedByOther"
	// ReasonScaledOnMemory: a HorizontalPodAutoscaler scales a workload by the memory use that is watched here, too.
	ReasonScaledOnMemory = "ScaledOnMemory"
	// ReasonFixedHeap: a container's program has a heap whose size does not follow the memory limit.
	ReasonFixedHeap = "FixedHeap"
	// ReasonNoConflict: no other AppMonitor owns Pods that this one claims.
	ReasonNoConflict = "NoConflict"
	// ReasonUnconstrained: no container is refused memory that it needs.
	ReasonUnconstrained = "Unconstrained"
	// ReasonInvalidSelector: the AppMonitor's selector cannot be understood; it owns no Pods.
	ReasonInvalidSelector = "InvalidSelector"
	// ReasonDryRun: the AppMonitor only reports.
	ReasonDryRun = "DryRun"
	// ReasonGuaranteeKept: an agent keeps the guarantee on every node of the AppMonitor's Pods.
	ReasonGuaranteeKept = "GuaranteeKept"
	// ReasonGuaranteeNotKept: an agent says that it cannot keep the guarantee on its node, or not yet.
	ReasonGuaranteeNotKept = "GuaranteeNotKept"
	// ReasonAgentMissing: a node of the AppMonitor's Pods has no agent that is ready.
	ReasonAgentMissing = "AgentMissing"
	// ReasonAgentsUnavailable: the cluster cannot have agents, or does not allow them.
	ReasonAgentsUnavailable = "AgentsUnavailable"
	// ReasonAgentsOff: the operator was told to have no agents.
	ReasonAgentsOff = "AgentsOff"
	// ReasonAgentsNotUsed: the AppMonitor's mode or strategy leaves agents nothing to do.
	ReasonAgentsNotUsed = "AgentsNotUsed"
)

// Reasons lists all of them.
func Reasons() []string {
	return []string{
		ReasonWatching, ReasonPaused, ReasonChangeFailed, ReasonSourceUnavailable, ReasonSourceNotRead,
		ReasonSourceRead, ReasonStaleSample, ReasonUnknownMonitor, ReasonClaimedByOther, ReasonNoConflict,
		ReasonUnconstrained, ReasonInvalidSelector, ReasonDryRun, ReasonScaledOnMemory, ReasonFixedHeap,
		ReasonGuaranteeKept, ReasonGuaranteeNotKept, ReasonAgentMissing, ReasonAgentsUnavailable, ReasonAgentsOff,
		ReasonAgentsNotUsed,
	}
}
