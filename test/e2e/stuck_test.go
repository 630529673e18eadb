package e2e

import (
	"testing"
	"time"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

func TestARolloutThatGetsStuckIsRolledBackOnce(t *testing.T) {
	s := tell(t)
	monitor := s.monitorWith("hasty", func(spec *v1.AppMonitorSpec) { spec.Cooldown = noTime() })
	hog := memhog(s).Holds(300).NeverBesideItself().GivesUpAfter(15 * time.Second).Deploy().Runs()
	old := hog.onlyPod()

	hog.IsGiven("512Mi/768Mi")
	hog.BecomesSized("256Mi/384Mi")
	monitor.LastChanged(hog, "Rollback of memhog from 512Mi/768Mi to 256Mi/384Mi: RolloutStuck")
	s.HasEvent(hog.applied, "Warning", "RolloutStuck",
		"rolled back memory of container memhog from 512Mi/768Mi to 256Mi/384Mi", "gave up rolling out")
	monitor.Says("Constrained=True/RolloutStuck", "container memhog of Deployment/memhog")
	monitor.Decided(hog, "Hold of memhog at 256Mi/384Mi: RolloutStuck")
	monitor.HasHeld(1)

	s.IsDecided("RolloutStuck", 3)
	hog.BecomesSized("256Mi/384Mi")
	hog.WasWritten(2)
	if now := hog.onlyPod(); now.UID != old.UID {
		t.Errorf("Pod %s is there, want %s, which has run all the time", now.Name, old.Name)
	}
	s.NobodyDied()
}
