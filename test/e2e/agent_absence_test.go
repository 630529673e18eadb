package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// minute is how long the controller is away. It is what the story is about, not something that is waited for.
const minute = time.Minute

func TestAgentGoesOnWithoutTheController(t *testing.T) {
	s := prepareWithAgents(t)
	monitor := s.inPlace("orphan")
	// It crosses at 30 s, 38 s and 56 s after its start.
	hog := memhog(s).Waits(20 * time.Second).Grows(32).From(100).To(1300)
	s.alone()
	begin := time.Now()
	back := s.theControllerIsAway()
	since := time.Now()
	d := hog.Deploy()
	pod := d.Stays()
	pod.BecomesSized("2Gi/3Gi")
	pod.AskedFor("256Mi/384Mi", "512Mi/768Mi", "1Gi/1536Mi", "2Gi/3Gi")
	pod.WasRaisedByTheAgent(begin, 3)
	if learned := d.now().Annotations; len(learned) > 1 {
		t.Errorf("somebody wrote to the Deployment: %v", learned)
	}
	s.after(minute - time.Since(since))

	back()
	d.HasLearned(`{"memhog":{"request":"2Gi","limit":"3Gi"}}`)
	monitor.HasRaised(1)
	s.IsDecided("Normal", 2)
	pod.AskedFor("256Mi/384Mi", "512Mi/768Mi", "1Gi/1536Mi", "2Gi/3Gi")
	pod.WasNeverRestarted()
	s.KernelKilledNothing()
	s.NobodyDied()
}

func TestAgentThatIsGoneIsToldOfAndCovered(t *testing.T) {
	s := prepareWithAgents(t)
	monitor := s.inPlace("covered")
	calm := memhog(s).Named("calm").Sized("64Mi/96Mi").Holds(10).Deploy().Runs()
	s.alone()
	monitor.IsOnTheFastPath()
	begin := time.Now()

	back := s.noNodeHasAnAgent()
	monitor.Says("FastPath=False/AgentMissing", "own source of memory use is read instead")
	monitor.Says("Ready=True/Watching")
	hog := memhog(s).Grows(4).From(200).To(330).Deploy()
	pod := hog.Stays().BecomesSized("512Mi/768Mi")
	pod.AskedFor("256Mi/384Mi", "512Mi/768Mi")
	if agent := s.resizesBy(agentAccount, begin); len(agent.made) > 0 {
		t.Errorf("an agent that is gone has resized %v", agent.made)
	}
	pod.WasNeverRestarted()

	back()
	s.theAgentKeepsItsGuarantee()
	monitor.IsOnTheFastPath()
	calm.IsUntouched()
	s.NobodyDied()
}

// noNodeHasAnAgent lets the operator choose nodes that there are none of, until the returned function is called or the story
// ends.
func (s *story) noNodeHasAnAgent() (back func()) {
	s.t.Helper()
	back = s.undo("let agents run on every node", func(ctx context.Context) error { return env.install(ctx) })
	must(s.t, env.install(s.t.Context(), "--agent-node-selector=memhog-e2e/nowhere=true"))
	s.awaits("the agents are gone", func(ctx context.Context) error {
		pods, err := agentPods(ctx)
		if err == nil && len(pods) > 0 {
			return fmt.Errorf("%d are left", len(pods))
		}
		return err
	})
	return back
}
