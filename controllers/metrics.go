package controllers

import (
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
		Help: "Time of the latest pass in which every node was read.",
	}, []string{labelSource})
)

func init() {
	metrics.Registry.MustRegister(decisionsTotal, raisesTotal, raiseFailuresTotal, watchedPods,
		sourceReadsTotal, sourceReadSeconds, sourceLastSuccess)
}

func countDecisions(monitor types.NamespacedName, decisions []decision) {
	pods := map[types.UID]bool{}
	for _, d := range decisions {
		decisionsTotal.WithLabelValues(monitor.Namespace, monitor.Name, string(d.Action), string(d.Reason)).Inc()
		pods[d.pod.UID] = true
	}
	watchedPods.WithLabelValues(monitor.Namespace, monitor.Name).Set(float64(len(pods)))
}

func countOutcome(monitor types.NamespacedName, done outcome) {
	for _, d := range done.raises {
		raisesTotal.WithLabelValues(monitor.Namespace, monitor.Name, string(d.Reason)).Inc()
	}
	raiseFailuresTotal.WithLabelValues(monitor.Namespace, monitor.Name).Add(float64(len(done.failures)))
}

// forgetSeries deletes the series of an AppMonitor that is gone.
func forgetSeries(monitor types.NamespacedName) {
	labels := prometheus.Labels{labelNamespace: monitor.Namespace, labelMonitor: monitor.Name}
	decisionsTotal.DeletePartialMatch(labels)
	raisesTotal.DeletePartialMatch(labels)
	raiseFailuresTotal.DeletePartialMatch(labels)
	watchedPods.DeletePartialMatch(labels)
}

// SourceObserver puts each pass over the usage source into metrics, and into the log when a node's answer changes.
type SourceObserver struct {
	Log logr.Logger

	failing map[string]string
	blind   bool
}

var _ usage.Observer = &SourceObserver{}

// Read implements usage.Observer.
func (o *SourceObserver) Read(source string, took time.Duration, at time.Time, failures map[string]error) {
	o.blind = false
	sourceReadSeconds.WithLabelValues(source).Observe(took.Seconds())
	if len(failures) == 0 {
		sourceReadsTotal.WithLabelValues(source, "success").Inc()
		sourceLastSuccess.WithLabelValues(source).Set(float64(at.UnixMilli()) / 1000)
	} else {
		sourceReadsTotal.WithLabelValues(source, "failure").Inc()
	}
	now := make(map[string]string, len(failures))
	for node, err := range failures {
		now[node] = usage.Cause(err)
		if o.failing[node] != now[node] {
			o.Log.Error(err, "reading memory use failed", "source", source, "node", node)
		}
	}
	for node := range o.failing {
		if now[node] == "" {
			o.Log.Info("memory use can be read again", "source", source, "node", node)
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
