package controllers

import (
	"maps"
	"slices"
	"time"

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
	labelMeans     = "means"
	labelReason    = "reason"
	labelSource    = "source"
	labelResult    = "result"
)

var (
	decisionsTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "memhog_decisions_total",
		Help: "Decisions on containers, one for each look at each container, by action and reason.",
	}, []string{labelNamespace, labelMonitor, labelAction, labelReason})

	changesTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "memhog_changes_total",
		Help: "Changes of a container's memory that came true: the API server has accepted them and, in place, the kubelet made them.",
	}, []string{labelNamespace, labelMonitor, labelAction, labelMeans, labelReason})

	resizeSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "memhog_resize_duration_seconds",
		Help:    "Time from the API server's acceptance of a resize in place until the kubelet was seen to have made it.",
		Buckets: prometheus.ExponentialBuckets(0.01, 2, 12),
	}, []string{labelNamespace, labelMonitor})

	changeFailuresTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "memhog_change_failures_total",
		Help: "Changes of a workload's memory that the API server refused.",
	}, []string{labelNamespace, labelMonitor})

	heldContainers = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "memhog_held_containers",
		Help: "Containers that need more memory and are refused it.",
	}, []string{labelNamespace, labelMonitor})

	sampleAge = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "memhog_sample_age_seconds",
		Help: "Age of the oldest of the samples that containers were last decided upon.",
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

// RegisterMetrics has the process serve the operator's metrics. It may be called once.
func RegisterMetrics() {
	metrics.Registry.MustRegister(decisionsTotal, changesTotal, changeFailuresTotal, watchedPods, heldContainers, sampleAge,
		resizeSeconds, sourceReadsTotal, sourceReadSeconds, sourceLastSuccess, sourceFailingNodes)
}

// series are those of one AppMonitor.
var series = []interface {
	DeletePartialMatch(prometheus.Labels) int
}{decisionsTotal, changesTotal, changeFailuresTotal, watchedPods, heldContainers, sampleAge, resizeSeconds}

// count puts one reconcile into metrics.
func count(monitor types.NamespacedName, o observation, page *page, d decided, done outcome, now time.Time) {
	labels := []string{monitor.Namespace, monitor.Name}
	var oldest time.Duration
	for _, one := range d.all {
		decisionsTotal.WithLabelValues(append(labels, string(one.Action), string(one.Reason))...).Inc()
		if taken := one.observed.Sample.Time; !taken.IsZero() {
			oldest = max(oldest, now.Sub(taken))
		}
	}
	for _, group := range done.changes {
		for _, one := range group {
			changesTotal.WithLabelValues(append(labels, string(one.Action), string(one.Means), string(one.Reason))...).Inc()
			if one.listed {
				resizeSeconds.WithLabelValues(labels...).Observe(now.Sub(one.askedAt).Seconds())
			}
		}
	}
	changeFailuresTotal.WithLabelValues(labels...).Add(float64(done.failed))
	watchedPods.WithLabelValues(labels...).Set(float64(len(o.owned)))
	heldContainers.WithLabelValues(labels...).Set(float64(len(page.needs)))
	sampleAge.WithLabelValues(labels...).Set(oldest.Seconds())
}

// forgetSeries deletes the series of an AppMonitor that is gone.
func forgetSeries(monitor types.NamespacedName) {
	for _, s := range series {
		s.DeletePartialMatch(prometheus.Labels{labelNamespace: monitor.Namespace, labelMonitor: monitor.Name})
	}
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
