package vpa

import (
	"math"
	"math/big"
	"time"
)

// The updater's defaults (updater/config/config.go: DefaultUpdaterConfig).
const (
	// UpdaterInterval is that of the updater's loop.
	UpdaterInterval = time.Minute

	updateThreshold = 0.1              // DefaultUpdateThreshold
	shortLife       = 12 * time.Hour   // PodLifetimeUpdateThreshold
	quickOOM        = 10 * time.Minute // EvictAfterOOMThreshold
)

// Pod is what the updater looks at.
type Pod struct {
	Request int64
	Age     time.Duration
	// OOMKilled is true when the container's last end was an OOM kill, and OOMKilledAfter how long it had run by then.
	OOMKilled      bool
	OOMKilledAfter time.Duration
}

// Evicts is true when the updater evicts the Pod, for another one of the recommended size: its request is out of the
// range, or it was OOM-killed soon after it started, or it is old and another request would be different enough
// (updater/priority/update_priority_calculator.go: AddPod).
func (r Recommendation) Evicts(p Pod) bool {
	difference := math.Abs(float64(p.Request)-float64(r.Target)) / math.Max(float64(p.Request), 1)
	quick := p.OOMKilled && p.OOMKilledAfter < quickOOM
	if quick && difference == 0 {
		return false
	}
	if quick || p.Request < r.Lower || p.Request > r.Upper {
		return true
	}
	return p.Age >= shortLife && difference >= updateThreshold
}

// Limit returns the limit that goes with a request, in the proportion in which they were declared
// (utils/vpa/limit_and_request_scaling.go: getProportionalResourceLimit). Neither may be zero.
func Limit(request, declaredRequest, declaredLimit int64) int64 {
	if declaredRequest == declaredLimit {
		return request
	}
	product := new(big.Int).Mul(big.NewInt(declaredLimit), big.NewInt(request))
	limit := product.Div(product, big.NewInt(declaredRequest))
	if !limit.IsInt64() {
		return math.MaxInt64
	}
	return limit.Int64()
}
