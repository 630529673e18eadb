package usage

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// prometheusTimeout bounds one query.
const prometheusTimeout = 10 * time.Second

// Prometheus reads cAdvisor's working sets from a Prometheus server, with one query for all namespaces.
type Prometheus struct {
	api    promv1.API
	window time.Duration
	now    func() time.Time
}

// NewPrometheus returns a source that asks the server at addr, a URL such as http://prometheus.monitoring:9090, for
// samples of the last window.
func NewPrometheus(addr string, window time.Duration, now func() time.Time) (*Prometheus, error) {
	client, err := api.NewClient(api.Config{Address: addr})
	if err != nil {
		return nil, fmt.Errorf("client for Prometheus at %q: %w", addr, err)
	}
	return &Prometheus{api: promv1.NewAPI(client), window: window, now: now}, nil
}

// Name implements Source.
func (p *Prometheus) Name() string { return "prometheus" }

// Read implements Source.
func (p *Prometheus) Read(ctx context.Context, scope Scope) Reading {
	reading := newReading()
	if len(scope.Namespaces) == 0 || len(scope.Nodes) == 0 {
		return reading
	}
	ctx, cancel := context.WithTimeout(ctx, prometheusTimeout)
	defer cancel()
	value, _, _, err := p.api.Query(ctx, query(scope.Namespaces, p.window), p.now())
	if err != nil {
		return reading.failed(scope, fmt.Errorf("Prometheus: %w", err))
	}
	matrix, ok := value.(model.Matrix)
	if !ok {
		return reading.failed(scope, fmt.Errorf("Prometheus: answered with %T instead of a matrix", value))
	}
	for _, series := range matrix {
		reading.addSeries(series)
	}
	return reading
}

// query selects raw samples (a range selector, not an instant value), because only they carry their own timestamps:
// an instant vector is stamped with the time of the query.
func query(namespaces []string, window time.Duration) string {
	sorted := slices.Sorted(slices.Values(namespaces))
	return fmt.Sprintf(`%s{container!="",container!="POD",namespace=~"%s"}[%s]`,
		workingSetMetric, strings.Join(sorted, "|"), model.Duration(window))
}

func (r Reading) failed(scope Scope, err error) Reading {
	for _, node := range scope.Nodes {
		r.Failures[node.Name] = err
	}
	return r
}

func (r Reading) addSeries(series *model.SampleStream) {
	if series == nil || len(series.Values) == 0 {
		return
	}
	newest := series.Values[len(series.Values)-1]
	bytes, ok := wholeBytes(float64(newest.Value))
	if !ok {
		return
	}
	r.add(Container{
		Namespace: string(series.Metric["namespace"]),
		Pod:       string(series.Metric["pod"]),
		Name:      string(series.Metric["container"]),
	}, Sample{Bytes: bytes, Time: newest.Timestamp.Time()})
}
