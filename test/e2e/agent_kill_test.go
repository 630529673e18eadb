package e2e

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func TestAgentThatIsKilledAgainAndAgainLosesAndRepeatsNothing(t *testing.T) {
	s := prepareWithAgents(t)
	s.alone()
	s.inPlace("unmoved")
	begin := time.Now()
	// Above the threshold of 384Mi after some seconds, and above that of 768Mi after a minute and a half.
	hogs := make([]*deployment, 0, growing)
	for i := range growing {
		hog := memhog(s).Named(fmt.Sprintf("grows-%d", i)).Waits(sight).Grows(3).From(270).To(600)
		hogs = append(hogs, hog.Deploy())
	}
	for i := range kills {
		// From the moment that it begins to act on, somewhere in its work.
		agent := s.theAgentActs()
		s.after(time.Duration(rand.Int64N(int64(5 * time.Second))))
		t.Logf("%5.1f s: kill %d", time.Since(begin).Seconds(), i+1)
		s.kill(agent)
	}
	s.theAgentActs()

	for _, hog := range hogs {
		pod := hog.Stays().BecomesSized("1Gi/1536Mi")
		pod.WasNeverRestarted()
		pod.AskedFor("256Mi/384Mi", "512Mi/768Mi", "1Gi/1536Mi")
		hog.HasLearned(`{"memhog":{"request":"1Gi","limit":"1536Mi"}}`)
		hog.IsUntouchedButForNotes()
	}
	agent, controller := s.resizesBy(agentAccount, begin), s.resizesBy(operatorAccount, begin)
	for _, hog := range hogs {
		name := hog.onlyPod().Name
		if n := agent.made[name] + controller.made[name]; n != 2 {
			t.Errorf("Pod %s was resized %d times, want 2", name, n)
		}
	}
	s.KernelKilledNothing()
	s.NobodyDied()
}
