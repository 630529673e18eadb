package e2e

import "testing"

func TestAGrowingContainerIsRescuedByOneRollout(t *testing.T) {
	s := tell(t)
	hog := memhog(s).Grows(2).From(270).To(448).Deploy()
	hog.Reaches(270)
	johnny := s.monitor("johnny-cache", 75, 2)

	hog.IsGiven("512Mi/768Mi")
	s.KernelKilledNothing() // while the old Pod is still there
	hog.BecomesSized("512Mi/768Mi")
	s.HasEvent(hog.applied, "Normal", "AboveThreshold",
		"raised memory of container memhog from 256Mi/384Mi to 512Mi/768Mi", "at or above 75% of the limit")
	johnny.HasRaised(1)
	johnny.IsWatching(1)
	johnny.Says("Conflicted=False/NoConflict")
	johnny.Says("Constrained=False/Unconstrained")
	johnny.Decided(hog, "Raise of memhog from 256Mi/384Mi to 512Mi/768Mi: AboveThreshold")
	johnny.LastChanged(hog, "Raise of memhog from 256Mi/384Mi to 512Mi/768Mi: AboveThreshold")
	s.columnsAre(map[string]string{
		"Name": "johnny-cache", "Mode": "Enforce", "Threshold": "75", "Multiplier": "2", "Pods": "1", "Raised": "1", "Held": "0",
		"Last Action": "Raise", "Ready": "True", "Reason": "Watching",
	}, "Since", "Age")

	// More than the first limit would have allowed.
	hog.Reaches(448)
	hog.RolledOutOnce()
	hog.DiffersOnlyInMemory()
	s.NobodyDied()
	s.KernelKilledNothing()
}

func TestOnlyTheContainerThatGrowsIsRaised(t *testing.T) {
	s := tell(t)
	monitor := s.monitor("one-and-a-half", 75, 1.5)
	hog := memhog(s).Grows(10).From(200).To(320).Beside("sidecar", "32Mi/64Mi", 8).Deploy()

	hog.BecomesSized("384Mi/576Mi", "32Mi/64Mi")
	monitor.HasRaised(1)
	hog.Reaches(320)
	s.IsDecided("Normal", 4)
	hog.RolledOutOnce()
	hog.DiffersOnlyInMemory()
	s.NobodyDied()
}

// columnsAre checks what kubectl get shows, and that the columns of which the value is not known show any.
func (s *story) columnsAre(want map[string]string, filled ...string) {
	s.t.Helper()
	got := s.columns()
	for name, value := range want {
		if got[name] != value {
			s.t.Errorf("column %s shows %q, want %q", name, got[name], value)
		}
	}
	for _, name := range filled {
		if got[name] == "" || got[name] == "<nil>" {
			s.t.Errorf("column %s shows nothing", name)
		}
	}
	s.t.Logf("kubectl get appmonitors shows %v", got)
}
