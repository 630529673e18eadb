package usage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
)

const (
	// kubeletTimeout bounds one node's answer, so that a node that hangs does not hold up the others for long.
	kubeletTimeout = 3 * time.Second

	// kubeletParallel bounds how many nodes are asked at the same time. It is large, because a zone full of dead nodes
	// must not make the samples of the others old: what they cost is a goroutine each until the timeout.
	kubeletParallel = 512

	// kubeletMaxAnswer bounds the size of one answer: some 300 bytes a container, so room for far more than fit a node.
	kubeletMaxAnswer = 16 << 20

	workingSetMetric = "container_memory_working_set_bytes"
)

// Kubelet reads the resource metrics of every node in the scope from its kubelet, directly and in parallel.
type Kubelet struct {
	client *http.Client
	port   int
}

// KubeletOptions say how kubelets are reached.
type KubeletOptions struct {
	// Port that kubelets listen on, 10250 on most clusters.
	Port int
	// CAFile is a PEM bundle that kubelets' serving certificates are verified with; empty: the cluster's own CA.
	CAFile string
	// InsecureTLS turns the verification of kubelets' serving certificates off.
	InsecureTLS bool
}

// NewKubelet returns a source that authenticates to kubelets as the configuration does to the API server.
func NewKubelet(config *rest.Config, o KubeletOptions) (*Kubelet, error) {
	c := rest.CopyConfig(config)
	// A kubelet's certificate is made out to its own address, not to the API server's name.
	c.ServerName = ""
	c.Timeout = kubeletTimeout
	// Nodes are reached directly even where the environment names a proxy for the API server or for other addresses.
	c.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	switch {
	case o.InsecureTLS:
		c.Insecure, c.CAFile, c.CAData = true, "", nil
	case o.CAFile != "":
		c.CAFile, c.CAData = o.CAFile, nil
	}
	client, err := rest.HTTPClientFor(c)
	if err != nil {
		return nil, fmt.Errorf("client for kubelets: %w", err)
	}
	return &Kubelet{client: client, port: o.Port}, nil
}

// Name implements Source.
func (k *Kubelet) Name() string { return "kubelet" }

// Read implements Source.
func (k *Kubelet) Read(ctx context.Context, scope Scope) Reading {
	var (
		reading = newReading()
		mu      sync.Mutex
		group   errgroup.Group
	)
	group.SetLimit(kubeletParallel)
	for _, node := range scope.Nodes {
		group.Go(func() error {
			families, err := k.scrape(ctx, node)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				reading.Failures[node.Name] = fmt.Errorf("kubelet of node %q: %w", node.Name, err)
				return nil
			}
			reading.addFamily(families[workingSetMetric])
			return nil
		})
	}
	_ = group.Wait() // failures are in the reading
	return reading
}

func (k *Kubelet) scrape(ctx context.Context, node Node) (_ map[string]*dto.MetricFamily, err error) {
	target := "https://" + net.JoinHostPort(node.Address, strconv.Itoa(k.port)) + "/metrics/resource"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	res, err := k.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	if res.StatusCode != http.StatusOK {
		return nil, StatusError{Code: res.StatusCode}
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	return parser.TextToMetricFamilies(io.LimitReader(res.Body, kubeletMaxAnswer))
}

// addFamily takes the samples of one metric. A sample without a timestamp is of no use: it cannot be told from an old
// one. Neither is one that is not a gauge: its value would be read as 0 bytes, and nothing ever seem wrong.
func (r Reading) addFamily(family *dto.MetricFamily) {
	for _, m := range family.GetMetric() {
		var c Container
		for _, label := range m.GetLabel() {
			switch label.GetName() {
			case "namespace":
				c.Namespace = label.GetValue()
			case "pod":
				c.Pod = label.GetValue()
			case "container":
				c.Name = label.GetValue()
			}
		}
		bytes, ok := wholeBytes(m.GetGauge().GetValue())
		if !ok || m.Gauge == nil || m.TimestampMs == nil || c.Name == "" {
			continue
		}
		r.add(c, Sample{Bytes: bytes, Time: time.UnixMilli(m.GetTimestampMs())})
	}
}

// wholeBytes refuses what is no number of bytes: NaN, infinities, negatives, and what an int64 cannot hold.
func wholeBytes(v float64) (int64, bool) {
	if math.IsNaN(v) || v < 0 || v >= math.MaxInt64 {
		return 0, false
	}
	return int64(v), true
}
