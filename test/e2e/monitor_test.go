package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// monitor is an AppMonitor in the cluster.
type monitor struct {
	story *story
	name  string
}

// monitor creates an AppMonitor that raises by rollouts and does not forecast.
func (s *story) monitor(name string, threshold, multiplier float64) *monitor {
	s.t.Helper()
	return s.monitorWith(name, func(spec *v1.AppMonitorSpec) {
		spec.MemThresholdPercent, spec.MemMultiplier = threshold, multiplier
	})
}

// monitorWith creates an AppMonitor that raises at 75 %, by the factor 2, by rollouts, and does not forecast, unless the spec
// is made to say otherwise. Rollouts are what the stories are about that do not speak of in place. On a busy machine a hog
// takes so long to fill that it looks like one that grows: a story that minds why, when or how often memory is raised does not
// leave that to chance.
func (s *story) monitorWith(name string, set func(*v1.AppMonitorSpec)) *monitor {
	s.t.Helper()
	spec := v1.AppMonitorSpec{
		MemThresholdPercent: 75, MemMultiplier: 2, Forecast: &v1.Forecast{Mode: v1.ForecastDisabled},
		Strategy: v1.StrategyRollout,
	}
	set(&spec)
	must(s.t, env.client.Create(s.t.Context(), &v1.AppMonitor{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: s.namespace},
		Spec:       spec,
	}))
	return &monitor{story: s, name: name}
}

// inPlace creates an AppMonitor like monitorWith, with the strategy that is the default.
func (s *story) inPlace(name string, set ...func(*v1.AppMonitorSpec)) *monitor {
	s.t.Helper()
	return s.monitorWith(name, func(spec *v1.AppMonitorSpec) {
		spec.Strategy = v1.StrategyAuto
		for _, more := range set {
			more(spec)
		}
	})
}

// Change writes another spec, as a user does.
func (m *monitor) Change(set func(*v1.AppMonitorSpec)) {
	m.story.t.Helper()
	now := m.now()
	before := now.DeepCopy()
	set(&now.Spec)
	must(m.story.t, env.client.Patch(m.story.t.Context(), now, client.MergeFrom(before)))
}

func (m *monitor) get(ctx context.Context) (*v1.AppMonitor, error) {
	now := &v1.AppMonitor{}
	err := env.client.Get(ctx, client.ObjectKey{Namespace: m.story.namespace, Name: m.name}, now)
	return now, err
}

func (m *monitor) now() *v1.AppMonitor {
	m.story.t.Helper()
	now, err := m.get(m.story.t.Context())
	must(m.story.t, err)
	return now
}

// Says waits for a condition, written as Ready=False/Paused, whose message holds all the parts.
func (m *monitor) Says(condition string, parts ...string) {
	m.story.t.Helper()
	what := fmt.Sprintf("AppMonitor %s says %s %q", m.name, condition, parts)
	m.story.awaits(what, func(ctx context.Context) error {
		now, err := m.get(ctx)
		if err != nil {
			return err
		}
		kind, _, _ := strings.Cut(condition, "=")
		c := meta.FindStatusCondition(now.Status.Conditions, kind)
		if c == nil {
			return fmt.Errorf("there is no condition %s", kind)
		}
		if got := fmt.Sprintf("%s=%s/%s", c.Type, c.Status, c.Reason); got != condition {
			return fmt.Errorf("it says %s: %s", got, c.Message)
		}
		return containsAll(c.Message, parts...)
	})
}

func containsAll(text string, parts ...string) error {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return fmt.Errorf("%q does not contain %q", text, part)
		}
	}
	return nil
}

// IsWatching waits until the AppMonitor owns so many running Pods and their memory use can be read.
func (m *monitor) IsWatching(pods int32) {
	m.story.t.Helper()
	m.story.awaits(fmt.Sprintf("AppMonitor %s watches %d Pods", m.name, pods), func(ctx context.Context) error {
		now, err := m.get(ctx)
		if err == nil && now.Status.Pods != pods {
			return fmt.Errorf("it watches %d", now.Status.Pods)
		}
		return err
	})
	m.Says("MetricsAvailable=True/SourceRead")
	m.Says("Ready=True/Watching")
}

// HasRaised waits until the AppMonitor counts so many raised containers.
func (m *monitor) HasRaised(containers int32) {
	m.story.t.Helper()
	m.story.awaits(fmt.Sprintf("AppMonitor %s has raised %d containers", m.name, containers), func(ctx context.Context) error {
		now, err := m.get(ctx)
		if err == nil && now.Status.Raised != containers {
			return fmt.Errorf("it has raised %d", now.Status.Raised)
		}
		return err
	})
}

// HasHeld waits until the AppMonitor counts so many containers that are refused memory.
func (m *monitor) HasHeld(containers int32) {
	m.story.t.Helper()
	m.story.awaits(fmt.Sprintf("AppMonitor %s holds %d containers", m.name, containers), func(ctx context.Context) error {
		now, err := m.get(ctx)
		if err == nil && now.Status.Held != containers {
			return fmt.Errorf("it holds %d", now.Status.Held)
		}
		return err
	})
}

// Annotate sets an annotation of the AppMonitor, or removes it when the value is empty.
func (m *monitor) Annotate(key, value string) {
	m.story.t.Helper()
	annotate(m.story.t, m.now(), key, value)
}

// sampleMonitor creates the ancestor's AppMonitor, johnny-cache: the very bytes of the sample in config/samples are
// sent to the API server.
func (s *story) sampleMonitor() *monitor {
	s.t.Helper()
	must(s.t, env.clients.CoreV1().RESTClient().Post().AbsPath(monitorsPath(s.namespace)).
		SetHeader("Content-Type", "application/yaml").Body(sampleManifest(s.t)).Do(s.t.Context()).Error())
	return &monitor{story: s, name: "johnny-cache"}
}

func monitorsPath(namespace string) string {
	return "/apis/kubedemo.com/v1/namespaces/" + namespace + "/appmonitors"
}

// columns asks for the namespace's AppMonitors as kubectl get does, and returns the cells of the first by column.
func (s *story) columns() map[string]string {
	s.t.Helper()
	text, err := env.clients.CoreV1().RESTClient().Get().AbsPath(monitorsPath(s.namespace)).
		SetHeader("Accept", "application/json;as=Table;g=meta.k8s.io;v=v1").DoRaw(s.t.Context())
	must(s.t, err)
	var table metav1.Table
	must(s.t, json.Unmarshal(text, &table))
	if len(table.Rows) == 0 {
		s.t.Fatalf("the table of AppMonitors has no row: %s", text)
	}
	cells := map[string]string{}
	for i, column := range table.ColumnDefinitions {
		cells[column.Name] = fmt.Sprint(table.Rows[0].Cells[i])
	}
	return cells
}

// HasEvent waits for an Event on an object, looked for as kubectl describe does; of any reason, when that is empty.
func (s *story) HasEvent(on client.Object, kind, reason string, parts ...string) {
	s.t.Helper()
	what := fmt.Sprintf("an Event %s %s on %s", kind, reason, on.GetName())
	s.awaits(what, func(ctx context.Context) error {
		list, err := env.clients.CoreV1().Events(s.namespace).SearchWithContext(ctx, scheme, on)
		if err != nil {
			return err
		}
		return findEvent(list.Items, kind, reason, parts)
	})
}

// HasOneEvent checks that there is one Event of this reason on an object, and that it happened once.
func (s *story) HasOneEvent(on client.Object, reason string) {
	s.t.Helper()
	list, err := env.clients.CoreV1().Events(s.namespace).SearchWithContext(s.t.Context(), scheme, on)
	must(s.t, err)
	found := 0
	for i := range list.Items {
		if e := &list.Items[i]; e.Reason == reason {
			found++
			if e.Series != nil || e.Count > 1 {
				s.t.Errorf("the Event %s on %s is told again and again: %+v", reason, on.GetName(), e)
			}
		}
	}
	if found != 1 {
		s.t.Errorf("there are %d Events %s on %s, want 1", found, reason, on.GetName())
	}
}

func findEvent(events []corev1.Event, kind, reason string, parts []string) error {
	err := fmt.Errorf("none of %d Events is such", len(events))
	for i := range events {
		e := &events[i]
		if e.Type != kind || reason != "" && e.Reason != reason {
			continue
		}
		if err = containsAll(e.Message, parts...); err == nil {
			return nil
		}
	}
	return err
}
