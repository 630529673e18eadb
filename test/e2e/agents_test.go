package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/test/install"
)

// agentAccount is the name by which the API server knows the agents.
const agentAccount = "system:serviceaccount:memhog-operator-system:memhog-operator-agent"

// agentLabels are those of the agents' Pods.
var agentLabels = client.MatchingLabels{
	"app.kubernetes.io/name": "memhog-operator", "app.kubernetes.io/component": "agent",
}

// withAgents is true when the suite's operator is to run agents. The stories whose names begin with Agent are told then, and
// only they: all others are about what the controller does by itself, and `make e2e` tells them apart.
func withAgents() bool { return os.Getenv("MEMHOG_E2E_AGENTS") != "" }

// agentFlags are the operator's flags that decide about agents. Their logs tell of each raise. The rate is one that can be
// kept for the small containers of some stories, too: one of 96Mi has 24Mi left at its threshold, a third of a second.
func agentFlags() []string {
	if withAgents() {
		return []string{"--agent=on", "--guaranteed-fill-rate=64Mi", "--zap-log-level=debug"}
	}
	return []string{"--agent=off"}
}

// prepareWithAgents begins a story of agents, which calls alone when it wants to have them for itself.
func prepareWithAgents(t *testing.T) *story {
	t.Helper()
	ownOnly(t, "its nodes and the API server's audit log are out of reach")
	if env.missing == "" && !withAgents() {
		t.Fatal("this story is told on a cluster with agents: set MEMHOG_E2E_AGENTS")
	}
	return prepare(t)
}

// tellWithAgents begins a story of agents that leaves them and the operator alone.
func tellWithAgents(t *testing.T) *story {
	t.Helper()
	ownOnly(t, "its nodes and the API server's audit log are out of reach")
	if env.missing == "" && !withAgents() {
		t.Fatal("this story is told on a cluster with agents: set MEMHOG_E2E_AGENTS")
	}
	return tell(t)
}

// agentPods lists those that are not being deleted.
func agentPods(ctx context.Context) ([]corev1.Pod, error) {
	var list corev1.PodList
	err := env.client.List(ctx, &list, client.InNamespace(install.OperatorKey.Namespace), agentLabels)
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil }), err
}

func isAgent(pod *corev1.Pod) bool {
	return pod.Labels["app.kubernetes.io/component"] == agentLabels["app.kubernetes.io/component"]
}

// acting returns the only node's agent and what it says of its guarantee, or what is missing until it acts.
func acting(ctx context.Context) (*corev1.Pod, corev1.PodCondition, error) {
	var none corev1.PodCondition
	pods, err := agentPods(ctx)
	if err != nil {
		return nil, none, err
	}
	if len(pods) != 1 {
		return nil, none, fmt.Errorf("there are %d agents", len(pods))
	}
	for _, c := range pods[0].Status.Conditions {
		if c.Type == v1.AgentKeepsGuarantee && c.Reason != "Starting" {
			return &pods[0], c, nil
		}
	}
	return nil, none, fmt.Errorf("Pod %s does not say yet whether it keeps its guarantee: %s", pods[0].Name, install.State(&pods[0]))
}

// guaranteed returns the only node's agent, or what is missing until it keeps its guarantee.
func guaranteed(ctx context.Context) (*corev1.Pod, error) {
	agent, c, err := acting(ctx)
	if err == nil && c.Status != corev1.ConditionTrue {
		err = fmt.Errorf("%s of Pod %s is %s, %s: %s", c.Type, agent.Name, c.Status, c.Reason, c.Message)
	}
	return agent, err
}

// awaitAgents waits until the only node's agent keeps its guarantee.
func awaitAgents(ctx context.Context) error {
	begin := time.Now()
	var missing error
	err := wait.PollUntilContextTimeout(ctx, poll, patience, true, func(ctx context.Context) (bool, error) {
		_, missing = guaranteed(ctx)
		return missing == nil, nil
	})
	if err != nil {
		return fmt.Errorf("wait for the agent: %w", errors.Join(err, missing))
	}
	say("the agent keeps its guarantee (%.1f s)", time.Since(begin).Seconds())
	return nil
}

// theAgentKeepsItsGuarantee waits until it does, and returns its Pod.
func (s *story) theAgentKeepsItsGuarantee() *corev1.Pod {
	s.t.Helper()
	var agent *corev1.Pod
	s.awaits("the agent keeps its guarantee", func(ctx context.Context) error {
		var err error
		agent, err = guaranteed(ctx)
		return err
	})
	return agent
}

// theAgentActs waits until it does, whether it keeps its guarantee or not, and returns its Pod.
func (s *story) theAgentActs() *corev1.Pod {
	s.t.Helper()
	var agent *corev1.Pod
	s.awaits("the agent acts", func(ctx context.Context) error {
		var err error
		agent, _, err = acting(ctx)
		return err
	})
	return agent
}

// IsOnTheFastPath waits until the AppMonitor says that agents keep their guarantee on the nodes of its Pods.
func (m *monitor) IsOnTheFastPath() {
	m.story.t.Helper()
	m.Says("FastPath=True/GuaranteeKept")
}

// resizes counts what became of the patches of pods/resize by an account in the story's namespace, by Pod.
type resizes struct{ made, refused map[string]int }

func (s *story) resizesBy(account string, since time.Time) resizes {
	s.t.Helper()
	r := resizes{map[string]int{}, map[string]int{}}
	for _, w := range writesOf(s.t, account, since, time.Now()) {
		switch {
		case w.ObjectRef.Namespace != s.namespace || w.ObjectRef.Subresource != "resize":
		case w.ResponseStatus.Code < 300:
			r.made[w.ObjectRef.Name]++
		default:
			r.refused[w.ObjectRef.Name]++
		}
	}
	return r
}

// WasRaisedByTheAgent checks that so many resizes of the Pod were made since then, all of them by the agent.
func (r *running) WasRaisedByTheAgent(since time.Time, times int) {
	r.story.t.Helper()
	agent, controller := r.story.resizesBy(agentAccount, since), r.story.resizesBy(operatorAccount, since)
	name := r.pod.Name
	if agent.made[name] != times || controller.made[name] != 0 {
		r.story.t.Errorf("Pod %s was resized %d times by the agent and %d times by the controller, want %d and 0",
			name, agent.made[name], controller.made[name], times)
	}
	r.story.t.Logf("Pod %s: the agent made %d resizes and was refused %d", name, agent.made[name], agent.refused[name])
}

// theControllerIsAway scales the operator to nothing until the returned function is called, or the story ends. The agents stay.
func (s *story) theControllerIsAway() (back func()) {
	s.t.Helper()
	back = s.undo("scale the operator back", func(ctx context.Context) error {
		return errors.Join(scaleOperator(ctx, 1), install.WaitAvailable(ctx, env.client, install.OperatorKey, patience))
	})
	must(s.t, scaleOperator(s.t.Context(), 0))
	s.awaits("the controller is away", func(ctx context.Context) error {
		pods, err := operatorPods(ctx)
		if err == nil && len(pods) > 0 {
			return fmt.Errorf("%d of its Pods are left", len(pods))
		}
		return err
	})
	return back
}
