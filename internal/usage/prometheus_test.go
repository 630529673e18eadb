package usage

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// promScope is of several namespaces and nodes.
var promScope = Scope{
	Namespaces: []string{"shop", "default"},
	Nodes:      []Node{{Name: "node-1", Address: "192.0.2.1"}, {Name: "node-2", Address: "192.0.2.2"}},
}

// startPrometheus starts a server that speaks the query API, and returns a source that asks it at noon for the last
// 90 seconds, and what it has been asked.
func startPrometheus(t *testing.T, answer http.HandlerFunc) (source *Prometheus, asked *[]url.Values) {
	t.Helper()
	asked = &[]url.Values{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/api/v1/query" {
			t.Errorf("asked %s %s", r.Method, r.URL)
		}
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		*asked = append(*asked, r.Form)
		w.Header().Set("Content-Type", "application/json")
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	source, err := NewPrometheus(server.URL, 90*time.Second, func() time.Time { return noon })
	if err != nil {
		t.Fatal(err)
	}
	return source, asked
}

// matrix is a successful answer with these series.
func matrix(series ...string) http.HandlerFunc {
	return saying(`{"status":"success","data":{"resultType":"matrix","result":[` + strings.Join(series, ",") + `]}}`)
}

// series is the use of one container as cAdvisor tells it, from the cgroup with the id.
func series(t *testing.T, id, name string, values ...[2]any) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"metric": map[string]string{
			"__name__": "container_memory_working_set_bytes", "namespace": "default", "pod": "memhog-1",
			"container": name, "id": id, "instance": "node-1",
		},
		"values": values,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// value is one measurement, taken that long before noon.
func value(bytes string, ago time.Duration) [2]any {
	return [2]any{float64(noon.Add(-ago).UnixMilli()) / 1000, bytes}
}

func TestPrometheusIsAskedOnceForAllNamespaces(t *testing.T) {
	source, asked := startPrometheus(t, matrix())
	got := source.Read(t.Context(), promScope)
	if diff := cmp.Diff(newReading(), got); diff != "" {
		t.Errorf("reading (-want +got):\n%s", diff)
	}
	want := []url.Values{{
		"query": {`container_memory_working_set_bytes{container!="",container!="POD",namespace=~"default|shop"}[1m30s]`},
		"time":  {fmt.Sprint(noon.Unix())},
	}}
	if diff := cmp.Diff(want, *asked); diff != "" {
		t.Errorf("queries (-want +got):\n%s", diff)
	}
}

func TestPrometheusIsNotAskedForNothing(t *testing.T) {
	tests := map[string]Scope{
		"nobody has an AppMonitor": {},
		"no annotated Pod runs":    {Namespaces: []string{"default"}},
	}
	for reason, scope := range tests {
		t.Run(reason, func(t *testing.T) {
			source, asked := startPrometheus(t, matrix())
			if diff := cmp.Diff(newReading(), source.Read(t.Context(), scope)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", reason, diff)
			}
			if len(*asked) != 0 {
				t.Errorf("%s, but it is asked %v", reason, *asked)
			}
		})
	}
}

func TestPrometheusReadsTheNewestSampleOfEachContainerWithItsOwnTime(t *testing.T) {
	tests := []struct {
		reason string
		answer http.HandlerFunc
		want   map[Container]Sample
	}{
		{
			reason: "the newest of a series counts",
			answer: matrix(series(t, "/a", "memhog", value("100", 31*time.Second), value("200", 1500*time.Millisecond))),
			want:   map[Container]Sample{container("memhog"): {Bytes: 200, Time: noon.Add(-1500 * time.Millisecond)}},
		},
		{
			reason: "each container has its own",
			answer: matrix(series(t, "/a", "memhog", value("100", time.Second)), series(t, "/b", "sidecar", value("5", time.Minute))),
			want: map[Container]Sample{
				container("memhog"):  {Bytes: 100, Time: noon.Add(-time.Second)},
				container("sidecar"): {Bytes: 5, Time: noon.Add(-time.Minute)},
			},
		},
		{
			reason: "of two series of one container, that of an old cgroup is left out",
			answer: matrix(
				series(t, "/new", "memhog", value("10", 5*time.Second)),
				series(t, "/old", "memhog", value("390", 40*time.Second), value("400", 35*time.Second))),
			want: map[Container]Sample{container("memhog"): {Bytes: 10, Time: noon.Add(-5 * time.Second)}},
		},
		{
			reason: "of two series of one container, the order does not matter",
			answer: matrix(
				series(t, "/old", "memhog", value("400", 35*time.Second)),
				series(t, "/new", "memhog", value("10", 5*time.Second))),
			want: map[Container]Sample{container("memhog"): {Bytes: 10, Time: noon.Add(-5 * time.Second)}},
		},
		{
			reason: "of two series of one container with the same time, as after a restart, the larger use counts",
			answer: matrix(
				series(t, "/a", "memhog", value("10", time.Second)), series(t, "/b", "memhog", value("400", time.Second)),
				series(t, "/c", "sidecar", value("6", time.Second)), series(t, "/d", "sidecar", value("5", time.Second))),
			want: map[Container]Sample{
				container("memhog"):  {Bytes: 400, Time: noon.Add(-time.Second)},
				container("sidecar"): {Bytes: 6, Time: noon.Add(-time.Second)},
			},
		},
		{
			reason: "what is no number of bytes is left out",
			answer: matrix(series(t, "/a", "nan", value("NaN", 0)), series(t, "/b", "negative", value("-1", 0)),
				series(t, "/c", "infinite", value("+Inf", 0)), series(t, "/d", "memhog", value("1", 0))),
			want: map[Container]Sample{container("memhog"): {Bytes: 1, Time: noon}},
		},
		{
			reason: "a series without values says nothing",
			answer: matrix(series(t, "/a", "memhog"), "null"),
			want:   map[Container]Sample{},
		},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			source, asked := startPrometheus(t, tt.answer)
			want := Reading{Samples: tt.want, Failures: map[string]error{}}
			if diff := cmp.Diff(want, source.Read(t.Context(), promScope)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
			}
			if len(*asked) != 1 {
				t.Errorf("asked %d times", len(*asked))
			}
		})
	}
}

func TestPrometheusFailsForEveryNodeAtOnce(t *testing.T) {
	failing := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			fmt.Fprint(w, body)
		}
	}
	tests := []struct {
		reason string
		answer http.HandlerFunc
		want   string
	}{
		{
			reason: "the query is refused",
			answer: failing(http.StatusBadRequest, `{"status":"error","errorType":"bad_data","error":"parse error: unexpected end"}`),
			want:   "parse error: unexpected end",
		},
		{
			reason: "the query takes too long",
			answer: failing(http.StatusServiceUnavailable, `{"status":"error","errorType":"timeout","error":"query timed out"}`),
			want:   "server error: 503",
		},
		{
			reason: "something in between is broken",
			answer: failing(http.StatusBadGateway, "<html>"),
			want:   "server error: 502",
		},
		{
			reason: "something in between wants a password",
			answer: failing(http.StatusUnauthorized, "<html>"),
			want:   "client error: 401",
		},
		{
			reason: "the answer is of another kind",
			answer: saying(`{"status":"success","data":{"resultType":"vector","result":[]}}`),
			want:   "the answer cannot be read",
		},
		{
			reason: "the answer is empty",
			answer: saying(`{"status":"success"}`),
			want:   "the answer cannot be read",
		},
		{
			reason: "the answer is a page",
			answer: saying("<html>"),
			want:   "invalid character '<' looking for beginning of value",
		},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			source, _ := startPrometheus(t, tt.answer)
			got := source.Read(t.Context(), promScope)
			if len(got.Samples) != 0 {
				t.Errorf("%s, but there are samples: %v", tt.reason, got.Samples)
			}
			if diff := cmp.Diff(map[string]string{"node-1": tt.want, "node-2": tt.want}, causes(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s\n%v", tt.reason, diff, got.Failures)
			}
		})
	}
}

func TestPrometheusThatCannotBeReachedSaysWhy(t *testing.T) {
	t.Run("nobody listens", func(t *testing.T) {
		server := httptest.NewServer(nil)
		server.Close()
		source, err := NewPrometheus(server.URL, time.Minute, func() time.Time { return noon })
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"node-1": "connection refused", "node-2": "connection refused"}
		if diff := cmp.Diff(want, causes(source.Read(t.Context(), promScope))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("it hangs", func(t *testing.T) {
		source, _ := startPrometheus(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		want := map[string]string{"node-1": "no answer in time", "node-2": "no answer in time"}
		if diff := cmp.Diff(want, causes(source.Read(ctx, promScope))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("its address is none", func(t *testing.T) {
		_, err := NewPrometheus("http://prometheus:port", time.Minute, time.Now)
		if err == nil || !strings.Contains(err.Error(), `"http://prometheus:port"`) {
			t.Errorf("want an error that names the address, got %v", err)
		}
	})
}
