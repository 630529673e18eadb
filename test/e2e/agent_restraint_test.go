package e2e

import (
	"testing"
	"time"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

func TestAgentChangesNothingInADryRun(t *testing.T) {
	s := tellWithAgents(t)
	begin := time.Now()
	monitor := s.inPlace("onlooker", func(spec *v1.AppMonitorSpec) { spec.Mode = v1.ModeDryRun })
	hog := memhog(s).Waits(sight).Grows(64).From(200).To(330).Deploy()
	pod := hog.Stays()
	hog.Reaches(330)
	monitor.Decided(hog, "Raise of memhog from 256Mi/384Mi to 512Mi/768Mi: AboveThreshold, dry run")
	monitor.Says("FastPath=False/AgentsNotUsed", "DryRun")
	s.theAgentHasLooked(100)
	pod.AskedFor("256Mi/384Mi")
	s.nothingWasResized(begin)
	hog.IsUntouched()
	s.NobodyDied()
}

// within is how soon a pause is to hold. It is what the stories are about, not something that is waited for.
const within = time.Second

func TestAgentIsPausedWithinASecondByTheMonitor(t *testing.T) {
	s := prepareWithAgents(t)
	monitor := s.inPlace("sleeper")
	s.aPauseHolds(memhog(s).Holds(200).HoldsWhenSignalled(330).Deploy(), monitor.Annotate)
}

func TestAgentIsPausedWithinASecondByTheWorkload(t *testing.T) {
	s := prepareWithAgents(t)
	s.inPlace("johnny-cache")
	hog := memhog(s).Holds(200).HoldsWhenSignalled(330).Deploy()
	s.aPauseHolds(hog, hog.Annotate)
}

// aPauseHolds checks that an annotation keeps the agent from raising what grows within a second, until it is taken away, and that
// nothing is resized until then. On a machine that is busy with other stories a second would say nothing of the agent.
func (s *story) aPauseHolds(hog *deployment, annotate func(key, value string)) {
	s.t.Helper()
	pod := hog.Stays()
	s.alone()
	begin := time.Now()
	s.theAgentHasLooked(50)

	annotate(v1.PausedAnnotation, "true")
	s.after(within)
	s.heats(pod.pod)
	hog.Reaches(330)
	s.theAgentHasLooked(200)
	pod.AskedFor("256Mi/384Mi")
	s.nothingWasResized(begin)

	annotate(v1.PausedAnnotation, "")
	pod.BecomesSized("512Mi/768Mi")
	s.NobodyDied()
}

// after lets so much time pass.
func (s *story) after(d time.Duration) {
	s.t.Helper()
	over := time.NewTimer(d)
	defer over.Stop()
	select {
	case <-over.C:
	case <-s.t.Context().Done():
		s.t.Fatal("interrupted")
	}
}

// nothingWasResized checks that neither agent nor controller has tried to.
func (s *story) nothingWasResized(since time.Time) {
	s.t.Helper()
	for _, account := range []string{agentAccount, operatorAccount} {
		if r := s.resizesBy(account, since); len(r.made)+len(r.refused) > 0 {
			s.t.Errorf("%s has resized %v, and tried to %v", account, r.made, r.refused)
		}
	}
}
