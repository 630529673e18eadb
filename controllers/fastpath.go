package controllers

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/operand"
)

// agentGrace is how long an agent may be away, or not keep the guarantee, before that is told: one that is replaced is back after a
// few seconds, and one that says after a slow resize that it does not keep the guarantee says so for ten seconds at least.
const agentGrace = 30 * time.Second

// instead ends what is told of nodes that no agent looks after.
const instead = "; the operator's own source of memory use is read instead"

// keepsUp is true for a node on which an agent keeps the guarantee. What the controller knows of containers there is too old
// beside what the agent knows to foresee anything by.
func (r *AppMonitorReconciler) keepsUp(node string) bool {
	if r.Agents == nil {
		return false
	}
	agent, _ := r.Agents().Agent(node)
	return agent.KeepsGuarantee()
}

// fastPath says whether agents look after the AppMonitor's Pods; nil when that is not known, and the last word stands.
func (r *AppMonitorReconciler) fastPath(monitor *v1.AppMonitor, o observation, page *page) *metav1.Condition {
	if r.Agents == nil {
		return nil
	}
	agents := r.Agents()
	if !agents.Known {
		return nil
	}
	c := unused(monitor, agents)
	if c == nil && len(o.owned) > 0 {
		c = r.onNodesOf(monitor, o, agents, page)
	}
	if c == nil {
		return nil
	}
	c.Type, c.Status = v1.ConditionFastPath, metav1.ConditionFalse
	if c.Reason == v1.ReasonGuaranteeKept {
		c.Status = metav1.ConditionTrue
	}
	return c
}

// onNodesOf says how the agents are on the nodes of an AppMonitor's Pods; nil where the last word stands, because it is too early to
// say of any of them that it is away, or does not keep up. Of nodes of which it is too early nothing is said.
func (r *AppMonitorReconciler) onNodesOf(monitor *v1.AppMonitor, o observation, agents operand.Status, page *page) *metav1.Condition {
	nodes := map[string]bool{}
	for i := range o.owned {
		nodes[o.owned[i].Spec.NodeName] = true
	}
	said := meta.FindStatusCondition(monitor.Status.Conditions, v1.ConditionFastPath)
	told := page.agents.told(slices.Sorted(maps.Keys(nodes)), agents, r.Clock.Now(), said)
	if len(told) == 0 {
		return nil
	}
	return onNodes(told, agents)
}

// lostAgents are since when the agents of nodes have been missing, or not keeping up, by the nodes' names.
type lostAgents map[string]time.Time

// told returns the nodes of which there is something to say: not yet those whose agents were lost a moment ago; unless nothing was said of
// agents yet, or it was said that some are lost, and nobody remembers which.
func (l *lostAgents) told(nodes []string, agents operand.Status, now time.Time, said *metav1.Condition) []string {
	lost, atOnce := lostAgents{}, true
	if said != nil {
		switch said.Reason {
		case v1.ReasonGuaranteeKept:
			atOnce = false
		case v1.ReasonGuaranteeNotKept, v1.ReasonAgentMissing:
			atOnce = *l == nil
		}
	}
	var told []string
	for _, node := range nodes {
		if agent, _ := agents.Agent(node); agent.KeepsGuarantee() {
			told = append(told, node)
			continue
		}
		since, was := (*l)[node]
		if !was && !atOnce {
			since = now
		}
		if lost[node] = since; now.Sub(since) >= agentGrace {
			told = append(told, node)
		}
	}
	*l = lost
	return told
}

// unused says why no agent looks after any Pod of the AppMonitor; nil when they do, where they are.
func unused(monitor *v1.AppMonitor, agents operand.Status) *metav1.Condition {
	switch {
	case monitor.Spec.ModeOrDefault() == v1.ModeDryRun:
		return &metav1.Condition{Reason: v1.ReasonAgentsNotUsed, Message: "agents leave alone what spec.mode DryRun only reports"}
	case monitor.Spec.StrategyOrDefault() == v1.StrategyRollout:
		return &metav1.Condition{
			Reason: v1.ReasonAgentsNotUsed, Message: "agents resize in place only, which spec.strategy Rollout rules out",
		}
	case !agents.Wanted:
		return &metav1.Condition{Reason: v1.ReasonAgentsOff, Message: "the operator runs with --agent=off" + instead}
	case agents.Obstacle != "":
		return &metav1.Condition{Reason: v1.ReasonAgentsUnavailable, Message: agents.Obstacle + instead}
	default:
		return nil
	}
}

// onNodes says how the agents of some nodes are: what is missing first, then what does not keep up.
func onNodes(nodes []string, agents operand.Status) *metav1.Condition {
	var missing, slow []string
	var why string
	for _, node := range nodes {
		agent, found := agents.Agent(node)
		switch {
		case !found || !agent.Ready:
			missing = append(missing, node)
			why = cmp.Or(why, agent.Reason)
		case !agent.KeepsGuarantee():
			slow = append(slow, node)
			why = cmp.Or(why, agent.Message, agent.Reason)
		}
	}
	switch {
	case len(missing) > 0:
		text := "no agent is ready on " + named(missing)
		if why = cmp.Or(agents.Trouble, why); why != "" {
			text += ": " + why
		}
		return &metav1.Condition{Reason: v1.ReasonAgentMissing, Message: text + instead}
	case len(slow) > 0:
		text := "the agent does not keep the guarantee on " + named(slow)
		if why != "" {
			text += ": " + why
		}
		return &metav1.Condition{Reason: v1.ReasonGuaranteeNotKept, Message: text}
	default:
		return &metav1.Condition{
			Reason:  v1.ReasonGuaranteeKept,
			Message: "an agent keeps the guaranteed fill rate on every node of the Pods",
		}
	}
}

// named lists the first few names, and says how many more there are.
func named(names []string) string {
	text := strings.Join(names[:min(len(names), maxNamed)], ", ")
	if more := len(names) - maxNamed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
