package e2e

import (
	"testing"
	"time"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

func TestAPodWithoutLimitIsHeld(t *testing.T) {
	s := tell(t)
	monitor := s.sampleMonitor()
	hog := memhog(s).Unlimited().Holds(400).Deploy().Runs()

	s.HasEvent(hog.applied, "Warning", "NoLimit", "container memhog is not raised", "no memory limit")
	monitor.IsWatching(1)
	s.IsDecided("NoLimit", 2)
	hog.IsUntouched()
	monitor.HasRaised(0)
	s.NobodyDied()
}

func TestAPodWithoutAnnotationIsLeftAlone(t *testing.T) {
	s := tell(t)
	monitor := s.sampleMonitor()
	stranger := memhog(s).Named("stranger").Unannotated().Grows(10).From(200).To(330).Deploy()
	hog := memhog(s).Named("volunteer").Grows(10).From(200).To(330).Deploy()

	pod := hog.Stays()
	stranger.Reaches(330) // 86 % of its limit
	pod.BecomesSized("512Mi/768Mi")
	monitor.IsWatching(1)
	s.IsDecided("Normal", 2)
	stranger.IsUntouched()
	monitor.HasRaised(1)
	s.NobodyDied()
}

func TestAPausedMonitorDoesNothingUntilItGoesOn(t *testing.T) {
	s := tell(t)
	monitor := s.monitor("sleeper", 75, 2)
	monitor.Annotate(v1.PausedAnnotation, "true")
	hog := memhog(s).Holds(300).Deploy().Runs()

	monitor.Says("Ready=False/Paused", v1.PausedAnnotation)
	s.IsDecided("Paused", 3)
	hog.IsUntouched()

	monitor.Annotate(v1.PausedAnnotation, "")
	hog.BecomesSized("512Mi/768Mi")
	monitor.Says("Ready=True/Watching")
	hog.RolledOutOnce()
	s.NobodyDied()
}

func TestAPausedDeploymentIsLeftAloneUntilItGoesOn(t *testing.T) {
	s := tell(t)
	monitor := s.monitor("johnny-cache", 75, 2)
	hog := memhog(s).Paused().Holds(300).Deploy().Runs()

	monitor.IsWatching(1)
	s.IsDecided("Paused", 3)
	hog.IsUntouched()

	hog.Annotate(v1.PausedAnnotation, "")
	hog.BecomesSized("512Mi/768Mi")
	hog.RolledOutOnce()
	s.NobodyDied()
}

func TestOfTwoMonitorsTheNamedOneWinsElseTheOldest(t *testing.T) {
	s := tell(t)
	older := s.monitor("z-older", 75, 2)
	younger := s.youngerMonitor(older, "a-younger", 75, 4)
	unnamed := memhog(s).Named("unnamed").Holds(300).Deploy()

	unnamed.BecomesSized("512Mi/768Mi") // times 2: it was the older one
	younger.Says("Conflicted=True/ClaimedByOther", `"z-older"`)
	older.Says("Conflicted=False/NoConflict")

	named := memhog(s).Named("named").Annotated("a-younger").Holds(300).Deploy()
	named.BecomesSized("1Gi/1536Mi")
	younger.IsWatching(1)
	older.IsWatching(1)
	unnamed.RolledOutOnce()
	named.RolledOutOnce()
	s.NobodyDied()
}

// youngerMonitor creates an AppMonitor that is younger than another one: creation times have whole seconds, and of two
// of the same second the name decides.
func (s *story) youngerMonitor(than *monitor, name string, threshold, multiplier float64) *monitor {
	s.t.Helper()
	begin := time.Now()
	for time.Since(begin) < patience {
		m := s.monitor(name, threshold, multiplier)
		now, other := m.now(), than.now()
		if other.CreationTimestamp.Before(&now.CreationTimestamp) {
			return m
		}
		must(s.t, env.client.Delete(s.t.Context(), now))
	}
	s.t.Fatalf("AppMonitor %s does not become younger than %s", name, than.name)
	return nil
}
