package usage

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
)

// noon is when samples are taken, in milliseconds as kubelets write it.
var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// answer is a whole answer of a kubelet, around the lines of the working sets.
func answer(workingSets ...string) string {
	return fmt.Sprintf(`# HELP container_cpu_usage_seconds_total [STABLE] Cumulative cpu time consumed by the container
# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{container="memhog",namespace="default",pod="memhog-1"} 4.71 %[1]d
# HELP container_memory_working_set_bytes [STABLE] Current working set of the container in bytes
# TYPE container_memory_working_set_bytes gauge
%[2]s
# HELP node_memory_working_set_bytes [STABLE] Current working set of the node in bytes
# TYPE node_memory_working_set_bytes gauge
node_memory_working_set_bytes 1.2e+09 %[1]d
# HELP scrape_error [ALPHA] 1 if there was an error while getting container metrics, 0 otherwise
# TYPE scrape_error gauge
scrape_error 0
`, noon.UnixMilli(), strings.Join(workingSets, "\n"))
}

// workingSet is one line of it.
func workingSet(container, value string, at time.Time) string {
	return fmt.Sprintf(`container_memory_working_set_bytes{container=%q,namespace="default",pod="memhog-1"} %s %d`,
		container, value, at.UnixMilli())
}

func container(name string) Container {
	return Container{Namespace: "default", Pod: "memhog-1", Name: name}
}

func saying(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
}

func TestKubeletReadsWorkingSetsWithTheirOwnTimes(t *testing.T) {
	earlier := noon.Add(-7 * time.Second)
	tests := []struct {
		reason string
		answer string
		want   map[Container]Sample
	}{
		{
			reason: "each container has its own value and time",
			answer: answer(workingSet("memhog", "3.014656e+08", noon), workingSet("sidecar", "1024", earlier)),
			want: map[Container]Sample{
				container("memhog"):  {Bytes: 301465600, Time: noon},
				container("sidecar"): {Bytes: 1024, Time: earlier},
			},
		},
		{
			reason: "of two samples of one container the newest counts, wherever it stands",
			answer: answer(workingSet("memhog", "2", noon), workingSet("memhog", "1", earlier)),
			want:   map[Container]Sample{container("memhog"): {Bytes: 2, Time: noon}},
		},
		{
			reason: "a sample without a time is of no use",
			answer: answer(`container_memory_working_set_bytes{container="memhog",namespace="default",pod="memhog-1"} 1024`),
			want:   map[Container]Sample{},
		},
		{
			reason: "a use of 0 bytes is a use",
			answer: answer(workingSet("memhog", "0", noon)),
			want:   map[Container]Sample{container("memhog"): {Time: noon}},
		},
		{
			reason: "what is no number of bytes is left out",
			answer: answer(workingSet("nan", "NaN", noon), workingSet("infinite", "+Inf", noon), workingSet("less", "-Inf", noon),
				workingSet("negative", "-1", noon), workingSet("huge", "9.3e+18", noon), workingSet("memhog", "1", noon)),
			want: map[Container]Sample{container("memhog"): {Bytes: 1, Time: noon}},
		},
		{
			reason: "a sample of no container is left out",
			answer: answer(workingSet("", "1024", noon)),
			want:   map[Container]Sample{},
		},
		{
			reason: "a metric that is not a gauge is not taken for a use of 0 bytes",
			answer: workingSet("memhog", "1024", noon) + "\n",
			want:   map[Container]Sample{},
		},
		{
			reason: "a node without containers has none",
			answer: answer(),
			want:   map[Container]Sample{},
		},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			node := startNode(t, saying(tt.answer))
			got := node.source(t).Read(t.Context(), here)
			want := Reading{Samples: tt.want, Failures: map[string]error{}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
			}
		})
	}
}

func TestKubeletAsksForResourceMetricsWithTheOperatorsToken(t *testing.T) {
	var asked []string
	node := startNode(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.String()+" "+r.Header.Get("Authorization"))
		fmt.Fprint(w, answer())
	})
	node.config.BearerToken = "the-token"
	node.source(t).Read(t.Context(), here)
	if diff := cmp.Diff([]string{"GET /metrics/resource Bearer the-token"}, asked); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestKubeletSaysWhyANodeCannotBeRead(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	tests := []struct {
		reason string
		node   *testNode
		want   string
	}{
		{
			reason: "its certificate is signed by someone else",
			node:   startNode(t, saying(answer()), trusting(newCertificate(t))),
			want:   "its certificate is not trusted (signed by an unknown authority)",
		},
		{
			reason: "its certificate is too old: nothing is said of the time of day, which is another one at each reading",
			node:   startNode(t, saying(answer()), presenting(newCertificate(t, expired))),
			want:   "its certificate is not trusted (expired or not yet valid)",
		},
		{
			reason: "its certificate is made out to another address: none is named, so that all such nodes make one sentence",
			node:   startNode(t, saying(answer()), presenting(newCertificate(t, elsewhere))),
			want:   "its certificate is not trusted (not made out to the address it was reached at)",
		},
		{
			reason: "its certificate is a client's",
			node:   startNode(t, saying(answer()), presenting(newCertificate(t, forClients))),
			want:   "its certificate is not trusted (invalid)",
		},
		{
			reason: "it does not know the operator",
			node:   startNode(t, status(http.StatusUnauthorized)),
			want:   "answered 401 Unauthorized (does the kubelet accept service account tokens?)",
		},
		{
			reason: "it does not let the operator read",
			node:   startNode(t, status(http.StatusForbidden)),
			want:   "answered 403 Forbidden (the operator's service account needs get on nodes/metrics)",
		},
		{
			reason: "it has no such page",
			node:   startNode(t, http.NotFound),
			want:   "answered 404 Not Found",
		},
		{
			reason: "it speaks of something else",
			node:   startNode(t, saying("<html>")),
			want:   "the answer cannot be read",
		},
		{
			reason: "its answer ends too early",
			node: startNode(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "100000")
				fmt.Fprint(w, answer(workingSet("memhog", "1", noon)))
			}),
			want: "the answer cannot be read",
		},
		{
			reason: "nobody listens",
			node:   startNode(t, nil),
			want:   "connection refused",
		},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			got := tt.node.source(t).Read(t.Context(), here)
			if len(got.Samples) != 0 {
				t.Errorf("%s, but there are samples: %v", tt.reason, got.Samples)
			}
			if diff := cmp.Diff(map[string]string{"node-1": tt.want}, causes(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s\n%v", tt.reason, diff, got.Failures)
			}
			if err := got.Failures["node-1"]; !strings.HasPrefix(err.Error(), `kubelet of node "node-1": `) {
				t.Errorf("the error does not name the node: %v", err)
			}
		})
	}
}

func TestKubeletDoesNotWaitForANodeThatHangs(t *testing.T) {
	node := startNode(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	got := node.source(t).Read(ctx, here)
	if diff := cmp.Diff(map[string]string{"node-1": "no answer in time"}, causes(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestKubeletKeepsWhatTheOtherNodesSay(t *testing.T) {
	// One server poses as two nodes, told apart by the address they are asked at.
	node := startNode(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Host, "localhost") {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, answer(workingSet("memhog", "1024", noon)))
	})
	node.options.InsecureTLS = true
	scope := Scope{Nodes: []Node{{Name: "broken", Address: "localhost"}, {Name: "node-1", Address: "127.0.0.1"}}}
	got := node.source(t).Read(t.Context(), scope)
	if diff := cmp.Diff(map[Container]Sample{container("memhog"): {Bytes: 1024, Time: noon}}, got.Samples); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"broken": "answered 500 Internal Server Error"}, causes(got)); diff != "" {
		t.Errorf("causes (-want +got):\n%s", diff)
	}
}

func TestKubeletAsksNobodyWhenThereAreNoNodes(t *testing.T) {
	node := startNode(t, saying(answer(workingSet("memhog", "1024", noon))))
	got := node.source(t).Read(t.Context(), Scope{Namespaces: []string{"default"}})
	if diff := cmp.Diff(newReading(), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestKubeletsCertificatesAreVerifiedAsTheOptionsSay(t *testing.T) {
	own, other := newCertificate(t), newCertificate(t)
	file := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(file, own.pem, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		reason  string
		trusted certificate
		options KubeletOptions
		want    map[string]string
	}{
		{reason: "by the cluster's authority", trusted: own, want: map[string]string{}},
		{reason: "by an authority of their own", trusted: other, options: KubeletOptions{CAFile: file}, want: map[string]string{}},
		{reason: "not at all", trusted: other, options: KubeletOptions{InsecureTLS: true}, want: map[string]string{}},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			node := startNode(t, saying(answer()), presenting(own), trusting(tt.trusted))
			tt.options.Port = node.options.Port
			node.options = tt.options
			if diff := cmp.Diff(tt.want, causes(node.source(t).Read(t.Context(), here))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
			}
		})
	}
}

func TestAMissingCertificateAuthorityIsFoundAtTheStart(t *testing.T) {
	_, err := NewKubelet(&rest.Config{}, KubeletOptions{Port: 10250, CAFile: "no/such/file.crt"})
	if err == nil || !strings.Contains(err.Error(), "no/such/file.crt") {
		t.Errorf("want an error that names the file, got %v", err)
	}
}

func causes(r Reading) map[string]string {
	words := map[string]string{}
	for node, err := range r.Failures {
		words[node] = Cause(err)
	}
	return words
}
