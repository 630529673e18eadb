package controllers

import (
	"maps"
	"slices"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/kubedemo/memhog-operator/internal/usage"
)

const (
	labelNamespace = "namespace"
	labelMonitor   = "appmonitor"
	labelAction    = "action"
	labelReason    = "reason"
	labelSource    = "source"
	labelResult    = "result"
)

var (
	decisionsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "memhog_decisions_total",
		Help: "Decisions on containers, one for each look at each container, by action and reason.",
	}, []string{labelNamespace, labelMonitor, labelAction, labelReason})

	raisesTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "memhog_raises_total",
		Help: "Raises of a container's memory that the API server accepted, by the decision's reason.",
	}, []string{labelNamespace, labelMonitor, labelReason})

	raiseFailuresTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "memhog_raise_failures_total",
		Help: "Raises of a workload's memory that the API server refused.",
	}, []string{labelNamespace, labelMonitor})

	watchedPods = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "memhog_watched_pods",
		Help: "Running Pods that an AppMonitor owns.",
	}, []string{labelNamespace, labelMonitor})

	sourceReadsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "memhog_source_reads_total",
		Help: "Passes over the usage source, by result: success when every node was read, failure otherwise.",
	}, []string{labelSource, labelResult})

	sourceReadSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "memhog_source_read_duration_seconds",
		Help:    "Duration of one pass over the usage source.",
		Buckets: prometheus.ExponentialBuckets(0.005, 2, 12),
	}, []string{labelSource})

	sourceLastSuccess = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "memhog_source_last_success_timestamp_seconds",
		Help: "Time of the latest pass in which some node was read.",
	}, []string{labelSource})

	sourceFailingNodes = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "memhog_source_failing_nodes",
		Help: "Nodes whose containers could not be read in the latest pass.",
	}, []string{labelSource})
)

func init() {
	metrics.Registry.MustRegister(decisionsTotal, raisesTotal, raiseFailuresTotal, watchedPods,
		sourceReadsTotal, sourceReadSeconds, sourceLastSuccess, sourceFailingNodes)
}

func countDecisions(monitor types.NamespacedName, o observation, decisions []decision) {
	for _, d := range decisions {
		decisionsTotal.WithLabelValues(monitor.Namespace, monitor.Name, string(d.Action), string(d.Reason)).Inc()
	}
	watchedPods.WithLabelValues(monitor.Namespace, monitor.Name).Set(float64(len(o.owned)))
}

func countOutcome(monitor types.NamespacedName, done outcome) {
	for _, group := range done.raises {
		for _, d := range group {
			raisesTotal.WithLabelValues(monitor.Namespace, monitor.Name, string(d.Reason)).Inc()
		}
	}
	raiseFailuresTotal.WithLabelValues(monitor.Namespace, monitor.Name).Add(float64(done.failed))
}

// forgetSeries deletes the series of an AppMonitor that is gone.
func forgetSeries(monitor types.NamespacedName) {
	labels := prometheus.Labels{labelNamespace: monitor.Namespace, labelMonitor: monitor.Name}
	decisionsTotal.DeletePartialMatch(labels)
	raisesTotal.DeletePartialMatch(labels)
	raiseFailuresTotal.DeletePartialMatch(labels)
	watchedPods.DeletePartialMatch(labels)
}

// SourceObserver puts each pass over the usage source into metrics, and into the log when a cause of failures appears
// or goes.
type SourceObserver struct {
	Log logr.Logger

	failing map[string]bool // by cause
	blind   bool
}

var _ usage.Observer = &SourceObserver{}

// Passed implements usage.Observer.
func (o *SourceObserver) Passed(pass usage.Pass) {
	o.blind = false
	sourceReadSeconds.WithLabelValues(pass.Source).Observe(pass.Took.Seconds())
	sourceFailingNodes.WithLabelValues(pass.Source).Set(float64(len(pass.Failures)))
	if len(pass.Failures) == 0 {
		sourceReadsTotal.WithLabelValues(pass.Source, "success").Inc()
	} else {
		sourceReadsTotal.WithLabelValues(pass.Source, "failure").Inc()
	}
	if len(pass.Failures) < pass.Nodes {
		sourceLastSuccess.WithLabelValues(pass.Source).Set(float64(pass.At.UnixMilli()) / 1000)
	}
	now := map[string]bool{}
	for _, node := range slices.Sorted(maps.Keys(pass.Failures)) {
		err := pass.Failures[node]
		cause := usage.Cause(err)
		if !o.failing[cause] && !now[cause] {
			o.Log.Error(err, "reading memory use failed", "source", pass.Source, "node", node, "nodes", len(pass.Failures))
		}
		now[cause] = true
	}
	for cause := range o.failing {
		if !now[cause] {
			o.Log.Info("reading memory use no longer fails", "source", pass.Source, "cause", cause)
		}
	}
	o.failing = now
}

// ScopeFailed implements usage.Observer.
func (o *SourceObserver) ScopeFailed(err error) {
	if !o.blind {
		o.Log.Error(err, "learning which Pods to read failed")
	}
	o.blind = true
}
