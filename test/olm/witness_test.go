package olm_test

import (
	"sync"

	apiv2 "github.com/operator-framework/api/pkg/operators/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// witness remembers everything that operators told OLM in a namespace.
type witness struct {
	story *story
	mu    sync.Mutex
	told  []string
}

func (s *story) watchesUpgradeable(namespace string) *witness {
	s.t.Helper()
	w := &witness{story: s}
	watch, err := env.client.Watch(s.t.Context(), &apiv2.OperatorConditionList{}, client.InNamespace(namespace))
	must(s.t, err)
	s.t.Cleanup(watch.Stop)
	go func() {
		for event := range watch.ResultChan() {
			condition, ok := event.Object.(*apiv2.OperatorCondition)
			if !ok {
				continue
			}
			for _, c := range condition.Spec.Conditions {
				w.mu.Lock()
				w.told = append(w.told, string(c.Status)+" "+c.Reason)
				w.mu.Unlock()
			}
		}
	}()
	return w
}

// saw checks that something was told since the watch began.
func (w *witness) saw(want string) {
	w.story.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, told := range w.told {
		if told == want {
			return
		}
	}
	w.story.t.Errorf("OLM was told %q, but never %q", w.told, want)
}
