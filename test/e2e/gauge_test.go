package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
)

const (
	// scrapes is how often the gauge is read.
	scrapes = 250 * time.Millisecond
	// warning is how long before a kill the gauge may have announced it.
	warning = 10 * time.Second
)

// reading is what the agent said of itself at a time: which rate it keeps at present, in bytes a second.
type reading struct {
	at   time.Time
	kept float64
	err  error
}

// gauge reads again and again which rate an agent keeps. It goes straight to the Pod: the API server may be away.
type gauge struct {
	url    string
	client *http.Client

	mu       sync.Mutex
	token    string
	readings []reading
}

// watchGauge reads until the test ends.
func watchGauge(t *testing.T, agent *corev1.Pod) *gauge {
	t.Helper()
	g := &gauge{
		url: "https://" + net.JoinHostPort(agent.Status.PodIP, strconv.Itoa(agentMetricsPort)) + "/metrics",
		client: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
			DialContext: env.cluster.Dial, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		}},
	}
	g.identify(t)
	go func() {
		ticks := time.NewTicker(scrapes)
		defer ticks.Stop()
		for t.Context().Err() == nil {
			r := reading{at: time.Now()}
			r.kept, r.err = g.read(t.Context())
			g.mu.Lock()
			g.readings = append(g.readings, r)
			g.mu.Unlock()
			select {
			case <-ticks.C:
			case <-t.Context().Done():
			}
		}
	}()
	return g
}

// identify takes a new token. The agent remembers for a minute that the API server has vouched for one.
func (g *gauge) identify(t *testing.T) {
	t.Helper()
	token, err := env.token(t.Context(), metricsReader)
	must(t, err)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.token = token
}

func (g *gauge) read(ctx context.Context) (float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url, nil)
	if err != nil {
		return 0, err
	}
	g.mu.Lock()
	request.Header.Set("Authorization", "Bearer "+g.token)
	g.mu.Unlock()
	response, err := g.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s, %w", response.Status, err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	const name = "memhog_agent_guaranteed_bytes_per_second"
	for _, m := range families[name].GetMetric() {
		return m.GetGauge().GetValue(), nil
	}
	return 0, fmt.Errorf("there is no metric %s", name)
}

// all returns what was read so far.
func (g *gauge) all() []reading {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]reading(nil), g.readings...)
}

// lowest is the lowest rate that the gauge said in a span of time, and whether it said any.
func lowest(readings []reading, from, to time.Time) (kept float64, said bool) {
	for _, r := range readings {
		if r.err == nil && !r.at.Before(from) && !r.at.After(to) && (!said || r.kept < kept) {
			kept, said = r.kept, true
		}
	}
	return kept, said
}
