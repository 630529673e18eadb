package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// reopen is how long a log that ended is left alone, and kubeletPeriod how often a kubelet is asked. It has
	// something new every 10 to 20 s.
	reopen        = 500 * time.Millisecond
	kubeletPeriod = 2 * time.Second
)

// followLog reads what memhog says of itself. The log of a container that was restarted goes on.
func (w *witness) followLog(ctx context.Context, pod string) {
	var last time.Time
	for ctx.Err() == nil {
		stream, err := w.clients.CoreV1().Pods(w.namespace).GetLogs(pod, &corev1.PodLogOptions{
			Container: containerName, Follow: true,
		}).Stream(ctx)
		if err == nil {
			last = w.readLog(ctx, pod, stream, last)
			stream.Close()
		}
		_, err = w.clients.CoreV1().Pods(w.namespace).Get(ctx, pod, metav1.GetOptions{})
		if err != nil {
			return // the Pod is gone, or so is the cluster
		}
		pause(ctx, reopen)
	}
}

// readLog reports the lines that are newer than last, and returns the time of the newest.
func (w *witness) readLog(ctx context.Context, pod string, stream io.Reader, last time.Time) time.Time {
	for lines := bufio.NewScanner(stream); lines.Scan(); {
		s, err := parseOwn(lines.Bytes())
		if err != nil || !s.at.After(last) {
			continue // the log may hold other things
		}
		last = s.at
		w.report(ctx, func(r *record) { r.sawOwn(pod, s) })
	}
	return last
}

// parseOwn reads a line of memhog's log.
func parseOwn(line []byte) (sample, error) {
	var l struct {
		Time        time.Time `json:"time"`
		ResidentMiB float64   `json:"residentMiB"`
	}
	if err := json.Unmarshal(line, &l); err != nil {
		return sample{}, fmt.Errorf("line of memhog's log %q: %w", line, err)
	}
	if l.Time.IsZero() || l.ResidentMiB <= 0 {
		return sample{}, fmt.Errorf("line of memhog's log %q: no time or no residentMiB", line)
	}
	return sample{l.Time, l.ResidentMiB}, nil
}

// readKubelet asks a node's kubelet again and again, by way of the API server, which works wherever an administrator
// may do so. A time without an answer only means fewer samples.
func (w *witness) readKubelet(ctx context.Context, node string) {
	for ctx.Err() == nil {
		text, err := w.clients.CoreV1().RESTClient().Get().
			Resource("nodes").Name(node).SubResource("proxy").Suffix("metrics/resource").DoRaw(ctx)
		if err == nil {
			samples, _ := parseKubelet(text, w.namespace)
			w.report(ctx, func(r *record) {
				for pod, s := range samples {
					r.sawKubelet(pod, s)
				}
			})
		}
		pause(ctx, kubeletPeriod)
	}
}

// parseKubelet finds the working set of the story's container in each Pod of a namespace.
func parseKubelet(text []byte, namespace string) (map[string]sample, error) {
	const metric = "container_memory_working_set_bytes"
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("metrics of the kubelet: %w", err)
	}
	samples := map[string]sample{}
	for _, m := range families[metric].GetMetric() {
		labels := map[string]string{}
		for _, l := range m.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		if labels["namespace"] != namespace || labels["container"] != containerName || m.TimestampMs == nil {
			continue
		}
		value := m.GetGauge().GetValue() + m.GetUntyped().GetValue()
		samples[labels["pod"]] = sample{time.UnixMilli(m.GetTimestampMs()), value / mib}
	}
	return samples, nil
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
