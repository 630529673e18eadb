package e2e

import (
	"fmt"
	"testing"
	"time"
)

// sight is how long a hog waits before it grows, so that the agent has seen it. A guarantee is for containers that an agent has
// seen.
const sight = 10 * time.Second

func TestAgentKeepsAContainerAliveThatGrowsFast(t *testing.T) {
	s := prepareWithAgents(t)
	s.alone()
	begin := time.Now()
	johnny := s.sampleMonitor()
	// From 384Mi on, the first limit is reached 3 s after the growth began, the one before the last 21 s after.
	hog := memhog(s).Waits(sight).Grows(64).From(200).To(2200).Deploy()
	pod := hog.Stays()
	johnny.IsOnTheFastPath()

	hog.Reaches(2200) // below the next threshold, beyond its growth budget
	pod.BecomesSized("2Gi/3Gi")
	// One raise for each crossing, whoever was the first to see it.
	pod.AskedFor("256Mi/384Mi", "512Mi/768Mi", "1Gi/1536Mi", "2Gi/3Gi")
	pod.WasRaisedByTheAgent(begin, 3)

	// What the controller makes known of its own raises, it makes known of these.
	hog.HasLearned(`{"memhog":{"request":"2Gi","limit":"3Gi"}}`)
	s.HasEvent(hog.applied, "Normal", "AboveThreshold", "raised memory of container memhog in place from 1Gi/1536Mi to 2Gi/3Gi")
	johnny.LastChanged(hog, "Raise of memhog from 1Gi/1536Mi to 2Gi/3Gi: AboveThreshold")
	johnny.HasRaised(1)
	johnny.Says("Constrained=False/Unconstrained")
	johnny.IsOnTheFastPath()
	hog.IsUntouchedButForNotes()
	pod.WasNeverRestarted()
	s.KernelKilledNothing()
	s.NobodyDied()
}

func TestAgentAndControllerRaiseOnceForEachCrossing(t *testing.T) {
	s := prepareWithAgents(t)
	s.alone()
	begin := time.Now()
	s.inPlace("both")
	// Slow enough for the controller's own source to see each crossing, too.
	const crowd = 8
	var pods []*running
	for i := range crowd {
		hog := memhog(s).Named(fmt.Sprintf("grows-%d", i)).Sized("64Mi/96Mi").Grows(2).From(60).To(160)
		pods = append(pods, hog.Deploy().Stays())
	}
	for _, pod := range pods {
		pod.BecomesSized("256Mi/384Mi")
	}
	s.IsDecided("Normal", 2*crowd)
	for _, pod := range pods {
		pod.AskedFor("64Mi/96Mi", "128Mi/192Mi", "256Mi/384Mi")
	}
	agent, controller := s.resizesBy(agentAccount, begin), s.resizesBy(operatorAccount, begin)
	for _, pod := range pods {
		if n := agent.made[pod.pod.Name] + controller.made[pod.pod.Name]; n != 2 {
			t.Errorf("Pod %s was resized %d times, want 2", pod.pod.Name, n)
		}
		pod.WasNeverRestarted()
	}
	s.KernelKilledNothing()
	s.NobodyDied()
}
