package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

// The ports of the metrics of the operator and of its agents, over TLS.
const (
	metricsPort      = 8443
	agentMetricsPort = 8444
)

// scrape reads /metrics of a Pod of the operator, with a token or, when it is empty, without. A port is forwarded for
// that, because the way through the API server's proxy takes the token away.
func scrape(ctx context.Context, pod *corev1.Pod, token string) (status int, body []byte, err error) {
	port := metricsPort
	if isAgent(pod) {
		port = agentMetricsPort
	}
	local, done, err := forward(pod, port)
	if err != nil {
		return 0, nil, err
	}
	defer done()
	url := fmt.Sprintf("https://localhost:%d/metrics", local)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	// The operator makes its certificate itself, at each start.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	body, err = io.ReadAll(res.Body)
	return res.StatusCode, body, err
}

// forward makes a port of a Pod reachable at a port of this machine, until done is called.
func forward(pod *corev1.Pod, port int) (local uint16, done func(), err error) {
	transport, upgrader, err := spdy.RoundTripperFor(env.config)
	if err != nil {
		return 0, nil, err
	}
	url := env.clients.CoreV1().RESTClient().Post().
		Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("portforward").URL()
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	stop, ready, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	forwarder, err := portforward.New(dialer, []string{"0:" + strconv.Itoa(port)}, stop, ready, io.Discard, io.Discard)
	if err != nil {
		return 0, nil, err
	}
	go func() { ended <- forwarder.ForwardPorts() }()
	select {
	case err := <-ended:
		return 0, nil, fmt.Errorf("forward port %d of Pod %s: %w", port, pod.Name, err)
	case <-ready:
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		close(stop)
		return 0, nil, err
	}
	return ports[0].Local, func() { close(stop); <-ended }, nil
}

// families reads the metrics of a Pod of the operator.
func families(ctx context.Context, pod *corev1.Pod) (map[string]*dto.MetricFamily, error) {
	token, err := env.token(ctx, metricsReader)
	if err != nil {
		return nil, err
	}
	status, body, err := scrape(ctx, pod, token)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("metrics of Pod %s: %d %s", pod.Name, status, body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(bytes.NewReader(body))
}

// sum adds up the counters of a metric whose labels have these values.
func sum(family *dto.MetricFamily, labels map[string]string) float64 {
	total := 0.0
	for _, m := range family.GetMetric() {
		matching := 0
		for _, l := range m.GetLabel() {
			if want, asked := labels[l.GetName()]; asked && want == l.GetValue() {
				matching++
			}
		}
		if matching == len(labels) {
			total += m.GetCounter().GetValue()
		}
	}
	return total
}

// IsDecided waits until the operator has held or raised containers of this namespace so many times more for a reason.
// It is how a story knows that the operator has looked, where there is nothing to be seen but that nothing happens.
func (s *story) IsDecided(reason string, times float64) {
	s.t.Helper()
	first, known := 0.0, false
	s.awaits(fmt.Sprintf("%v decisions %s", times, reason), func(ctx context.Context) error {
		now, err := s.decisions(ctx, reason)
		if err != nil {
			return err
		}
		if !known || now < first { // less after a restart of the operator
			first, known = now, true
		}
		if now-first < times {
			return errors.New(strconv.FormatFloat(now-first, 'g', -1, 64) + " so far")
		}
		return nil
	})
}

// WasDecided waits until the Pod of the operator that leads has held or raised containers of this namespace for a reason.
func (s *story) WasDecided(reason string) {
	s.t.Helper()
	s.awaits("a decision "+reason+" of the Pod that leads", func(ctx context.Context) error {
		now, err := s.decisions(ctx, reason)
		if err == nil && now == 0 {
			return errors.New("there was none")
		}
		return err
	})
}

// decisions counts those of the Pod that leads, about this namespace.
func (s *story) decisions(ctx context.Context, reason string) (float64, error) {
	leader, err := leadingPod(ctx)
	if err != nil {
		return 0, err
	}
	all, err := families(ctx, leader)
	return sum(all["memhog_decisions_total"], map[string]string{"namespace": s.namespace, "reason": reason}), err
}
