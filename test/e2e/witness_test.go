package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// witness watches the Pods of a namespace from the beginning, and so knows of deaths that nothing tells of afterwards.
type witness struct {
	mu sync.Mutex
	// deaths are sentences: which container of which Pod died, and how.
	deaths map[string]bool
	pods   map[string]bool
	// courses are the sizes that Pods were seen to ask for, one after the other, by name. The first is the one that a
	// Pod was born with.
	courses map[string][]string
}

// watchPods watches until the test ends, and returns when it does.
func watchPods(t *testing.T, namespace string) *witness {
	t.Helper()
	w := &witness{deaths: map[string]bool{}, pods: map[string]bool{}, courses: map[string][]string{}}
	factory := informers.NewSharedInformerFactoryWithOptions(env.clients, 0, informers.WithNamespace(namespace))
	pods := factory.Core().V1().Pods().Informer()
	_, err := pods.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { w.saw(o) },
		UpdateFunc: func(_, o any) { w.saw(o) },
		DeleteFunc: func(o any) { w.saw(o) },
	})
	must(t, err)
	factory.Start(t.Context().Done())
	factory.WaitForCacheSync(t.Context().Done())
	return w
}

func (w *witness) saw(o any) {
	if gone, missed := o.(cache.DeletedFinalStateUnknown); missed {
		o = gone.Obj
	}
	pod, isPod := o.(*corev1.Pod)
	if !isPod {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pods[pod.Name] = true
	course, now := w.courses[pod.Name], sizes(pod.Spec.Containers)
	if len(course) == 0 || course[len(course)-1] != now {
		w.courses[pod.Name] = append(course, now)
	}
	for _, c := range pod.Status.ContainerStatuses {
		if c.RestartCount > 0 {
			w.deaths[fmt.Sprintf("container %s of Pod %s was restarted", c.Name, pod.Name)] = true
		}
		for _, state := range []corev1.ContainerState{c.State, c.LastTerminationState} {
			if end := state.Terminated; end != nil && (end.Reason == "OOMKilled" || end.ExitCode != 0) {
				w.deaths[fmt.Sprintf("container %s of Pod %s ended: %s, exit code %d", c.Name, pod.Name, end.Reason, end.ExitCode)] = true
			}
		}
	}
}

// born returns the sizes that Pods were first seen with, by name.
func (w *witness) born() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	births := map[string]string{}
	for name, course := range w.courses {
		births[name] = course[0]
	}
	return births
}

// AskedFor checks which sizes the Pod has asked for, one after the other, from its birth on.
func (r *running) AskedFor(want ...string) {
	r.story.t.Helper()
	r.story.witness.mu.Lock()
	defer r.story.witness.mu.Unlock()
	if diff := cmp.Diff(want, r.story.witness.courses[r.pod.Name]); diff != "" {
		r.story.t.Errorf("Pod %s asked for other sizes than it should (-want +got):\n%s", r.pod.Name, diff)
	}
}

// NobodyDied checks that no container of any Pod that was ever there was killed, restarted or ended badly.
func (s *story) NobodyDied() {
	s.t.Helper()
	s.witness.mu.Lock()
	defer s.witness.mu.Unlock()
	for _, death := range slices.Sorted(maps.Keys(s.witness.deaths)) {
		s.t.Error(death)
	}
	s.t.Logf("%d Pods were seen: %d deaths or restarts", len(s.witness.pods), len(s.witness.deaths))
}

// KernelKilledNothing checks the kernel's own count of OOM kills, for the containers that are there now. Kubelets that
// do not tell are believed by what the Pods' statuses say.
func (s *story) KernelKilledNothing() {
	s.t.Helper()
	series := 0
	for _, node := range s.nodes() {
		text, err := env.clients.CoreV1().RESTClient().Get().
			Resource("nodes").Name(node).SubResource("proxy").Suffix("metrics/cadvisor").DoRaw(s.t.Context())
		must(s.t, err)
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
		must(s.t, err)
		for _, m := range families["container_oom_events_total"].GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["namespace"] != s.namespace {
				continue
			}
			series++
			if kills := m.GetCounter().GetValue(); kills != 0 {
				s.t.Errorf("the kernel killed %v processes of container %q, Pod %s", kills, labels["container"], labels["pod"])
			}
		}
	}
	s.t.Logf("%d series of container_oom_events_total were looked at", series)
}

// nodes are those on which the namespace's Pods run.
func (s *story) nodes() []string {
	s.t.Helper()
	var list corev1.PodList
	must(s.t, env.client.List(s.t.Context(), &list, client.InNamespace(s.namespace)))
	names := map[string]bool{}
	for i := range list.Items {
		if name := list.Items[i].Spec.NodeName; name != "" {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
