package e2e

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAGrowingContainerIsRescuedByOneRollout(t *testing.T) {
	s := tell(t)
	johnny := s.sampleMonitor()
	hog := memhog(s).Grows(2).From(200).To(448).Deploy()

	hog.IsGiven("512Mi/768Mi")
	s.KernelKilledNothing() // while the old Pod is still there
	hog.BecomesSized("512Mi/768Mi")
	s.HasEvent(hog.applied, "Normal", "AboveThreshold",
		"raised memory of container memhog from 256Mi/384Mi to 512Mi/768Mi", "at or above 75% of the limit")
	johnny.HasRaised(1)
	johnny.IsWatching(1)
	johnny.Says("Conflicted=False/NoConflict")
	johnny.TellsOfTheRaise("Deployment/memhog", "256Mi/384Mi", "512Mi/768Mi")
	s.columnsAre(map[string]string{
		"Name": "johnny-cache", "Threshold": "75", "Multiplier": "2", "Pods": "1", "Raised": "1",
		"Ready": "True", "Reason": "Watching",
	}, "Last Raise", "Age")

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

// TellsOfTheRaise checks the status' account of the latest raise of the container memhog.
func (m *monitor) TellsOfTheRaise(workload, from, to string) {
	m.story.t.Helper()
	raise := m.now().Status.LastRaise
	if raise == nil {
		m.story.t.Fatal("the status tells of no raise")
	}
	got := []string{raise.Workload, raise.Container, raise.Reason, raise.From.Request.String() + "/" + raise.From.Limit.String(),
		raise.To.Request.String() + "/" + raise.To.Limit.String()}
	if diff := cmp.Diff([]string{workload, "memhog", "AboveThreshold", from, to}, got); diff != "" {
		m.story.t.Errorf("the status tells of another raise (-want +got):\n%s", diff)
	}
	if raise.Time.IsZero() {
		m.story.t.Error("the status tells of a raise without a time")
	}
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
