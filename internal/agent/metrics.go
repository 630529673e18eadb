package agent

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// What can become of a resize.
const (
	resultMade    = "made"
	resultRefused = "refused"
	resultChanged = "changed"
	resultFailed  = "failed"
)

var (
	watchedContainers = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "memhog_agent_watched_containers",
		Help: "Containers of the node that the agent watches.",
	})

	heldContainers = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "memhog_agent_held_containers",
		Help: "Containers that are not given what they need, or are paused, and of which nothing is promised, by reason.",
	}, []string{"reason"})

	smallContainers = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "memhog_agent_small_containers",
		Help: "Containers whose limits are too small for the guaranteed rate, though resizes take no more than is usual: of these " +
			"nothing is promised.",
	})

	looksTotal = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "memhog_agent_looks_total",
		Help: "Readings of a container's memory use.",
	})

	resizesTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "memhog_agent_resizes_total",
		Help: "Resizes that the API server was asked for, by result: made, refused for a reason, changed by somebody else meanwhile, " +
			"or failed.",
	}, []string{"result"})

	reactionSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "memhog_agent_reaction_seconds",
		Help:    "Time from the decision to raise a container until its control group has the new limit.",
		Buckets: prometheus.ExponentialBuckets(0.01, 1.5, 16),
	})

	actuationLatency = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "memhog_agent_actuation_latency_seconds",
		Help: "Time that the next resize is taken to take at most: the 95 % quantile of the latest, or more while one takes longer.",
	})

	lookLateness = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "memhog_agent_lateness_seconds",
		Help: "By how much looks came later than they were due, at most, in the last seconds.",
	})

	guaranteedRate = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "memhog_agent_guaranteed_bytes_per_second",
		Help: "Fill rate up to which no watched container was going to be OOM-killed at any moment of the last 10 seconds; at most the " +
			"one that is asked for.",
	})

	guaranteedTarget = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "memhog_agent_guaranteed_target_bytes_per_second",
		Help: "Fill rate up to which no watched container shall be OOM-killed.",
	})
)

// RegisterMetrics has the process serve an agent's metrics. It may be called once.
func RegisterMetrics() {
	for _, result := range []string{resultMade, resultRefused, resultChanged, resultFailed} {
		resizesTotal.WithLabelValues(result)
	}
	metrics.Registry.MustRegister(watchedContainers, heldContainers, smallContainers, looksTotal, resizesTotal, reactionSeconds,
		actuationLatency, lookLateness, guaranteedRate, guaranteedTarget)
}
