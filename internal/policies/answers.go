package policies

import (
	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// Answers are what the API server's refusals are called.
var Answers = map[workload.Refusal]scaling.Reason{
	workload.RefusedByQuota:      scaling.ReasonQuotaExceeded,
	workload.RefusedByLimitRange: scaling.ReasonAtLimitRange,
	workload.RefusedByNode:       scaling.ReasonNodeFull,
	workload.RefusedForGood:      scaling.ReasonResizeInfeasible,
	workload.RefusedAltogether:   scaling.ReasonInPlaceUnavailable,
}

// ResizeStates are what kubelets say of resizes, as decisions see it.
var ResizeStates = map[workload.ResizeState]scaling.ResizeState{
	workload.ResizeSettled:    scaling.ResizeSettled,
	workload.ResizeInProgress: scaling.ResizeInProgress,
	workload.ResizeDeferred:   scaling.ResizeDeferred,
	workload.ResizeInfeasible: scaling.ResizeInfeasible,
	workload.ResizeFailing:    scaling.ResizeFailing,
}
