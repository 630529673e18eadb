package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// fewRefusals is how often an agent may be refused in a story in which every refusal tells it the same: once for each size that
// it tries, and once more when somebody else was faster.
const fewRefusals = 6

func TestAgentKeepsToACeilingALimitRangeAndAQuota(t *testing.T) {
	capped, ranged, counted := prepareWithAgents(t), newStory(t), newStory(t)
	ranged.limitRange("500Mi")
	counted.quota("400Mi")
	ranged.leave()
	counted.leave()
	capped.alone()
	begin := time.Now()
	ceiling := capped.inPlace("ceiling", func(spec *v1.AppMonitorSpec) {
		most := resource.MustParse("600Mi")
		spec.MaxMemory, spec.Cooldown = &most, noTime()
	})
	for _, s := range []*story{ranged, counted} {
		s.inPlace("bounded", func(spec *v1.AppMonitorSpec) { spec.Cooldown = noTime() })
	}
	// Each grows beyond the threshold of what it may be given: of 600Mi, of 500Mi, and of the 600Mi that the quota is enough for.
	first := memhog(capped).Waits(sight).Grows(48).From(200).To(500).Deploy()
	second := memhog(ranged).Waits(sight).Grows(32).From(200).To(400).Deploy()
	third := memhog(counted).Waits(sight).Grows(32).From(200).To(500).Deploy()
	pod, within, left := first.Stays(), second.Stays(), third.Stays()
	first.Reaches(500)
	second.Reaches(400)
	third.Reaches(500)
	ranged.refusalsAre(begin, fewRefusals)
	counted.refusalsAre(begin, fewRefusals)
	ceiling.Decided(first, "Hold of memhog at 400Mi/600Mi: AtMaximum")
	capped.theAgentHasLooked(200)

	pod.AskedFor("256Mi/384Mi", "400Mi/600Mi")
	pod.WasRaisedByTheAgent(begin, 1)
	within.grewWithin(500)
	left.grewWithin(600)
	capped.refusalsAre(begin, 0)
	for _, s := range []*story{ranged, counted} {
		s.refusalsAre(begin, 3*fewRefusals) // and not at each look
	}
	for _, s := range []*story{capped, ranged, counted} {
		s.NobodyDied()
	}
}

func TestAgentGivesWhatAFullNodeHas(t *testing.T) {
	s := prepareWithAgents(t)
	monitor := s.inPlace("hungry", func(spec *v1.AppMonitorSpec) { spec.MemThresholdPercent, spec.Cooldown = 50, noTime() })
	hog := memhog(s).Paused().Holds(300).Deploy().Runs()
	s.alone()
	s.otherNamespacesAreGone()
	s.fillNodeButFor("100Mi")
	begin := time.Now()

	pod := hog.Stays()
	hog.Annotate(v1.PausedAnnotation, "")
	pod.BecomesSized("356Mi/534Mi")
	monitor.Says("Constrained=True/NodeFull", "container memhog of Deployment/memhog")
	s.theAgentHasLooked(200)
	pod.AskedFor("256Mi/384Mi", "356Mi/534Mi")
	s.refusalsAre(begin, 0)

	// What becomes free is used.
	must(t, s.emptyNode(t.Context()))
	pod.BecomesSized("712Mi/1068Mi")
	pod.AsksForNothing()
	pod.WasNeverRestarted()
	s.NobodyDied()
}

// grewWithin checks that the Pod was given more, and no more than so many MiB.
func (r *running) grewWithin(mib int64) {
	r.story.t.Helper()
	now, err := r.get(r.story.t.Context())
	must(r.story.t, err)
	limit := now.Spec.Containers[0].Resources.Limits[corev1.ResourceMemory]
	if limit.Value() <= 384<<20 || limit.Value() > mib<<20 {
		r.story.t.Errorf("Pod %s has a limit of %s, want more than 384Mi and at most %dMi", now.Name, limit.String(), mib)
	}
}

// refusalsAre checks that the API server has refused the agent at most so many resizes of the story's Pods, together.
func (s *story) refusalsAre(since time.Time, atMost int) {
	s.t.Helper()
	total := 0
	for name, n := range s.resizesBy(agentAccount, since).refused {
		s.t.Logf("Pod %s: the agent was refused %d times", name, n)
		total += n
	}
	if total > atMost {
		s.t.Errorf("the agent was refused %d times, want at most %d", total, atMost)
	}
}

// theAgentHasLooked waits until the agent has looked at containers so many times more: how a story knows that it had the
// chance to do what it must not do.
func (s *story) theAgentHasLooked(times float64) {
	s.t.Helper()
	first, known := 0.0, false
	s.awaits(fmt.Sprintf("the agent has looked %v times", times), func(ctx context.Context) error {
		agent, _, err := acting(ctx)
		if err != nil {
			return err
		}
		all, err := families(ctx, agent)
		if err != nil {
			return err
		}
		now := sum(all["memhog_agent_looks_total"], nil)
		if !known || now < first {
			first, known = now, true
		}
		if now-first < times {
			return fmt.Errorf("%v so far", now-first)
		}
		return nil
	})
}
