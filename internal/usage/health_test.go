package usage

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

func (w *world) wantHealth(t *testing.T, reason string, nodes []string, state State, message string) {
	t.Helper()
	gotState, gotMessage := w.sampler.Health(nodes)
	if gotState != state || gotMessage != message {
		t.Errorf("%s: want state %d, %q; got %d, %q", reason, state, message, gotState, gotMessage)
	}
}

func TestASourceIsUnavailableAfterThreeFailuresInARow(t *testing.T) {
	const refused = "the kubelet source fails: answered 403 Forbidden " +
		"(the operator's service account needs get on nodes/metrics) for node node-1"
	one, both := []string{"node-1"}, []string{"node-1", "node-2"}
	w := newWorld()
	w.wantHealth(t, "nothing was read yet", both, NotRead, "")
	w.wantHealth(t, "without nodes there is nothing to read", nil, NotRead, "")

	w.tick(t)
	w.wantHealth(t, "both answer", both, Available, "")
	w.wantHealth(t, "a node that was not asked is not known", []string{"node-9"}, NotRead, "")

	w.fails(StatusError{Code: 403}, "node-1")
	w.tick(t)
	w.wantHealth(t, "one failure happens", one, Available, "")
	w.tick(t)
	w.wantHealth(t, "so do two", one, Available, "")
	w.tick(t)
	w.wantHealth(t, "three do not", one, Unavailable, refused)
	w.wantHealth(t, "the other still answers", both, Partial, refused)
	w.wantHealth(t, "the other is not concerned", []string{"node-2"}, Available, "")
	w.tick(t)
	w.wantHealth(t, "the words stay the same", one, Unavailable, refused)

	w.fails(nil)
	w.tick(t)
	w.wantHealth(t, "the first success ends it", both, Available, "")
	w.fails(StatusError{Code: 403}, "node-1")
	w.tick(t)
	w.tick(t)
	w.wantHealth(t, "and it is counted anew", both, Available, "")
}

func TestASourceThatFailsFromTheStartIsUnavailableAfterThree(t *testing.T) {
	w := newWorld()
	w.fails(context.DeadlineExceeded, "node-1", "node-2")
	for range failuresUntilUnavailable {
		w.wantHealth(t, "it has not answered yet", []string{"node-1", "node-2"}, NotRead, "")
		w.tick(t)
	}
	w.wantHealth(t, "three failures", []string{"node-1", "node-2"}, Unavailable,
		"the kubelet source fails: no answer in time for node node-1, node-2")
}

func TestANodeThatIsNotReadAnyMoreIsForgotten(t *testing.T) {
	w := newWorld()
	w.fails(context.DeadlineExceeded, "node-1")
	for range failuresUntilUnavailable {
		w.tick(t)
	}
	w.scope = Scope{}
	w.tick(t)
	w.wantHealth(t, "it left the scope", []string{"node-1"}, NotRead, "")
	w.scope = twoNodes
	w.tick(t)
	w.wantHealth(t, "it came back, and starts from nothing", []string{"node-1"}, NotRead, "")
}

func TestHealthGroupsNodesByCauseAndNamesThreeAtMost(t *testing.T) {
	w := newWorld()
	w.scope = Scope{Namespaces: []string{"default"}}
	var nodes []string
	for i := range 9 {
		name := fmt.Sprintf("node-%d", i+1)
		w.scope.Nodes = append(w.scope.Nodes, Node{Name: name, Address: "192.0.2.1"})
		nodes = append([]string{name, name}, nodes...) // in no good order, and once for each of their Pods
	}
	w.fails(context.DeadlineExceeded, "node-7", "node-5", "node-6")
	for _, node := range []string{"node-4", "node-2", "node-3", "node-1"} {
		w.next.Failures[node] = StatusError{Code: 500}
	}
	w.next.Failures["node-9"] = errors.New("boo")
	for range failuresUntilUnavailable {
		w.tick(t)
	}
	w.wantHealth(t, "eight of nine nodes fail", nodes, Partial, "the kubelet source fails: "+
		"answered 500 Internal Server Error for node node-1, node-2, node-3 and others; "+
		"no answer in time for node node-5, node-6, node-7; "+
		"the answer cannot be read for node node-9")
}
