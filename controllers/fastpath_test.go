package controllers

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/operand"
)

var (
	keeping = operand.Agent{Ready: true, Keeps: corev1.ConditionTrue, Reason: "KeepsGuarantee"}
	slow    = operand.Agent{Ready: true, Keeps: corev1.ConditionFalse, Reason: "TooSlow", Message: "resizes take 900 ms"}
	broken  = operand.Agent{Reason: "ImagePullBackOff"}
	wanted  = operand.Status{Known: true, Wanted: true}
)

func TestTheFastPathIsTold(t *testing.T) {
	dryRun := func(s *v1.AppMonitorSpec) { s.Mode = v1.ModeDryRun }
	rollout := func(s *v1.AppMonitorSpec) { s.Strategy = v1.StrategyRollout }
	unavailable := operand.Status{Known: true, Wanted: true, Obstacle: "the namespace forbids it"}
	troubled := wanted
	troubled.Trouble = "Pods are forbidden: hostPath volumes"
	tests := []struct {
		reason string
		change func(*v1.AppMonitorSpec)
		agents operand.Status
		status metav1.ConditionStatus
		want   string
		// text that the message must have.
		text []string
	}{
		{"an agent keeps up", nil, wanted.With("node-1", keeping), metav1.ConditionTrue, v1.ReasonGuaranteeKept, []string{"every node"}},
		{
			"an agent does not", nil, wanted.With("node-1", slow), metav1.ConditionFalse, v1.ReasonGuaranteeNotKept,
			[]string{"on node-1", "resizes take 900 ms"},
		},
		{
			"there is none", nil, wanted.With("other", keeping), metav1.ConditionFalse, v1.ReasonAgentMissing,
			[]string{"on node-1", "own source of memory use is read instead"},
		},
		{
			"there is one that does not start", nil, wanted.With("node-1", broken), metav1.ConditionFalse, v1.ReasonAgentMissing,
			[]string{"on node-1", "ImagePullBackOff"},
		},
		{
			"none is created", nil, troubled, metav1.ConditionFalse, v1.ReasonAgentMissing, []string{"on node-1", "hostPath volumes"},
		},
		{
			"there can be none", nil, unavailable, metav1.ConditionFalse, v1.ReasonAgentsUnavailable,
			[]string{"the namespace forbids it", "own source of memory use is read instead"},
		},
		{
			"there are to be none", nil, operand.Status{Known: true}, metav1.ConditionFalse, v1.ReasonAgentsOff,
			[]string{"--agent=off", "own source of memory use is read instead"},
		},
		{"nothing is changed", dryRun, wanted.With("node-1", keeping), metav1.ConditionFalse, v1.ReasonAgentsNotUsed, []string{"DryRun"}},
		{
			"nothing is changed in place", rollout, wanted.With("node-1", keeping), metav1.ConditionFalse, v1.ReasonAgentsNotUsed,
			[]string{"Rollout"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			w := newWorld(t)
			w.reconciler.Agents = func() operand.Status { return tt.agents }
			w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) {
				if tt.change != nil {
					tt.change(s)
				}
			})
			_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
			w.uses(pod, "memhog", 100)
			mustContain(t, wantCondition(t, w.reconcile("m"), v1.ConditionFastPath, tt.status, tt.want), tt.text...)
		})
	}
}

func TestOfAgentsThatNobodyKeepsNothingIsTold(t *testing.T) {
	for reason, agents := range map[string]func() operand.Status{
		"nobody keeps any":              nil,
		"nobody has looked yet":         func() operand.Status { return operand.Status{Wanted: true} },
		"there is no Pod to look after": func() operand.Status { return wanted },
	} {
		t.Run(reason, func(t *testing.T) {
			w := newWorld(t)
			w.reconciler.Agents = agents
			w.monitor("m", 75, 2)
			if c := meta.FindStatusCondition(w.reconcile("m").Status.Conditions, v1.ConditionFastPath); c != nil {
				t.Errorf("%s, but it is told: %+v", reason, c)
			}
		})
	}
}

func TestAnAgentThatIsReplacedIsNotMissed(t *testing.T) {
	w := newWorld(t)
	agents := wanted.With("node-1", keeping)
	serve := func() { w.reconciler.Agents = func() operand.Status { return agents } }
	serve()
	w.monitor("m", 75, 2)
	_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	look := func() *v1.AppMonitor {
		w.uses(pod, "memhog", 100)
		return w.reconcile("m")
	}
	wantCondition(t, look(), v1.ConditionFastPath, metav1.ConditionTrue, v1.ReasonGuaranteeKept)

	agents = wanted
	for range 2 {
		wantCondition(t, look(), v1.ConditionFastPath, metav1.ConditionTrue, v1.ReasonGuaranteeKept)
		w.clock.Step(4 * time.Second)
	}
	agents = wanted.With("node-1", operand.Agent{Ready: true}) // it starts, and says nothing yet
	wantCondition(t, look(), v1.ConditionFastPath, metav1.ConditionTrue, v1.ReasonGuaranteeKept)
	agents = wanted.With("node-1", keeping)
	wantCondition(t, look(), v1.ConditionFastPath, metav1.ConditionTrue, v1.ReasonGuaranteeKept)

	agents = wanted
	look()
	w.clock.Step(agentGrace - time.Second)
	w.restart() // an operator that remembers nothing is no quicker to miss it
	serve()
	wantCondition(t, look(), v1.ConditionFastPath, metav1.ConditionTrue, v1.ReasonGuaranteeKept)
	w.clock.Step(agentGrace)
	wantCondition(t, look(), v1.ConditionFastPath, metav1.ConditionFalse, v1.ReasonAgentMissing)
	before := w.writes.statuses
	w.clock.Step(time.Minute)
	look()
	if w.writes.statuses != before {
		t.Error("the status was written although nothing had changed")
	}
	agents = wanted.With("node-1", keeping)
	wantCondition(t, look(), v1.ConditionFastPath, metav1.ConditionTrue, v1.ReasonGuaranteeKept)
}

func TestARollOfAgentsIsNotTold(t *testing.T) {
	w := newWorld(t)
	nodes := []string{"node-1", "node-2", "node-3", "node-4", "node-5", "node-6"}
	away := ""
	w.reconciler.Agents = func() operand.Status {
		agents := wanted
		for _, node := range nodes {
			switch node {
			case away:
			case "node-6":
				agents = agents.With(node, slow)
			default:
				agents = agents.With(node, keeping)
			}
		}
		return agents
	}
	w.monitor("m", 75, 2)
	var pods []*corev1.Pod
	for _, node := range nodes {
		w.node = node
		_, pod := w.deployment(node, memory{"memhog", "256Mi", "384Mi"})
		pods = append(pods, pod)
	}
	look := func() *v1.AppMonitor {
		for _, pod := range pods {
			w.uses(pod, "memhog", 100)
		}
		return w.reconcile("m")
	}
	said := wantCondition(t, look(), v1.ConditionFastPath, metav1.ConditionFalse, v1.ReasonGuaranteeNotKept)
	before := w.writes.statuses
	for _, away = range nodes[:5] { // one after the other, a minute in all
		w.clock.Step(12 * time.Second)
		if now := wantCondition(t, look(), v1.ConditionFastPath, metav1.ConditionFalse, v1.ReasonGuaranteeNotKept); now != said {
			t.Errorf("%q became %q", said, now)
		}
	}
	if writes := w.writes.statuses - before; writes > 0 {
		t.Errorf("the status was written %d times", writes)
	}
	w.clock.Step(agentGrace)
	mustContain(t, wantCondition(t, look(), v1.ConditionFastPath, metav1.ConditionFalse, v1.ReasonAgentMissing), "node-5")
}

func TestWhatWasSaidWithoutAgentsIsNotHeldOnTo(t *testing.T) {
	w := newWorld(t)
	agents := operand.Status{Known: true} // off
	serve := func() { w.reconciler.Agents = func() operand.Status { return agents } }
	serve()
	w.monitor("m", 75, 2)
	_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.node = "node-2"
	_, other := w.deployment("other", memory{"memhog", "256Mi", "384Mi"})
	look := func() *v1.AppMonitor {
		w.uses(pod, "memhog", 100)
		w.uses(other, "memhog", 100)
		return w.reconcile("m")
	}
	wantCondition(t, look(), v1.ConditionFastPath, metav1.ConditionFalse, v1.ReasonAgentsOff)
	agents = wanted.With("node-2", keeping) // auto, and that of node-1 has not started yet
	wantCondition(t, look(), v1.ConditionFastPath, metav1.ConditionFalse, v1.ReasonAgentMissing)

	// An operator that remembers nothing neither takes that back nor waits to say it again.
	w.restart()
	agents = operand.Status{Wanted: true}
	serve()
	wantCondition(t, look(), v1.ConditionFastPath, metav1.ConditionFalse, v1.ReasonAgentMissing)
	agents = wanted.With("node-2", keeping)
	wantCondition(t, look(), v1.ConditionFastPath, metav1.ConditionFalse, v1.ReasonAgentMissing)
	agents = agents.With("node-1", keeping)
	wantCondition(t, look(), v1.ConditionFastPath, metav1.ConditionTrue, v1.ReasonGuaranteeKept)
}

func TestOfManyNodesAFewAreNamed(t *testing.T) {
	var nodes []string
	for i := range 8 {
		nodes = append(nodes, fmt.Sprintf("node-%d", i))
	}
	c := onNodes(nodes, wanted.With("node-0", keeping))
	mustContain(t, c.Message, "node-1, node-2, node-3, node-4, node-5 and 2 more")
}

// grows lets use grow by 12 MiB a second, to just below the threshold of 384Mi.
func (w *world) grows(pod *corev1.Pod) {
	w.t.Helper()
	for used := int64(40); used <= 280; used += 60 {
		w.uses(pod, "memhog", used)
		w.reconcile("m")
		w.clock.Step(5 * time.Second)
	}
}

func TestWhereAnAgentKeepsUpNothingIsForeseen(t *testing.T) {
	for _, tt := range []struct {
		reason   string
		agent    operand.Agent
		forecast *v1.Forecast
		want     string
	}{
		{"the agent sees more than the kubelet tells", keeping, nil, "256Mi/384Mi"},
		{"the agent does not keep up", slow, nil, "512Mi/768Mi"},
		{"there is no agent", operand.Agent{}, nil, "512Mi/768Mi"},
		{"the user says how far", keeping, &v1.Forecast{Horizon: &metav1.Duration{Duration: 10 * time.Second}}, "512Mi/768Mi"},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			w := newInPlaceWorld(t)
			w.reconciler.Agents = func() operand.Status { return wanted.With(roomyNode, tt.agent) }
			w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) { s.Forecast = tt.forecast })
			_, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
			w.grows(pod)
			w.wantPod(pod, tt.want)
		})
	}
}

func TestWhatAgentsDoNotDoIsForeseenAllTheSame(t *testing.T) {
	w := newInPlaceWorld(t)
	w.reconciler.Agents = func() operand.Status { return wanted.With(roomyNode, keeping) }
	w.monitor("m", 75, 2, func(s *v1.AppMonitorSpec) { s.Strategy = v1.StrategyRollout })
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.grows(pod)
	w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi"})
}

func TestWhatCannotBeHadInPlaceIsForeseenAllTheSame(t *testing.T) {
	w := newInPlaceWorld(t)
	w.reconciler.Agents = func() operand.Status { return wanted.With(roomyNode, keeping) }
	w.monitor("m", 75, 2)
	d, pod := w.deployment("memhog", memory{"memhog", "256Mi", "384Mi"})
	w.uses(pod, "memhog", 300)
	w.reconcile("m")
	w.pends(pod, corev1.PodReasonInfeasible)
	w.uses(pod, "memhog", 100) // it no longer needs it
	w.look("m", pod)
	w.wantPod(pod, "256Mi/384Mi")
	w.clock.Step(11 * time.Minute) // and what it once used is history
	w.grows(pod)
	w.wantSizes(d, map[string]string{"memhog": "512Mi/768Mi"})
}
