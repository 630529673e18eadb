package e2e

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"testing"

	"github.com/kubedemo/memhog-operator/tools"
)

func TestMetricsAreForThoseWhoMayReadThem(t *testing.T) {
	s := tell(t)
	leader := s.theOperatorLeads()
	s.awaits("the operator serves its metrics", func(ctx context.Context) error {
		_, err := families(ctx, leader)
		return err
	})
	for _, reader := range []struct {
		reason, account string
		want            int
	}{
		{"nobody in particular", "", http.StatusUnauthorized},
		{"a service account without rights", stranger, http.StatusForbidden},
		{"a service account with the ClusterRole metrics-reader", metricsReader, http.StatusOK},
	} {
		token := ""
		if reader.account != "" {
			var err error
			token, err = env.token(t.Context(), reader.account)
			must(t, err)
		}
		status, body, err := scrape(t.Context(), leader, token)
		must(t, err)
		if status != reader.want {
			t.Errorf("%s gets %d %s, want %d", reader.reason, status, body, reader.want)
		}
	}
}

func TestPromtoolHasNothingToSayAboutTheMetrics(t *testing.T) {
	s := tell(t)
	// So that every metric has a series.
	johnny := s.sampleMonitor()
	memhog(s).Holds(300).Deploy().Stays().BecomesSized("512Mi/768Mi")
	johnny.HasRaised(1)

	token, err := env.token(t.Context(), metricsReader)
	must(t, err)
	status, body, err := scrape(t.Context(), s.theOperatorLeads(), token)
	must(t, err)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	for _, name := range []string{
		"memhog_decisions_total", "memhog_changes_total", "memhog_change_failures_total", "memhog_watched_pods",
		"memhog_held_containers", "memhog_sample_age_seconds", "memhog_source_reads_total",
		"memhog_source_read_duration_seconds", "memhog_source_last_success_timestamp_seconds",
		"memhog_source_failing_nodes", "memhog_resize_duration_seconds",
	} {
		if !bytes.Contains(body, []byte("\n"+name)) {
			t.Errorf("there is no metric %s", name)
		}
	}
	programs, err := tools.Build(t.Context(), os.Stderr, "promtool")
	must(t, err)
	check := exec.CommandContext(t.Context(), programs["promtool"], "check", "metrics")
	check.Stdin = bytes.NewReader(body)
	if output, err := check.CombinedOutput(); err != nil || len(output) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, output)
	}
}
