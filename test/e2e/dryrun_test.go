package e2e

import (
	"testing"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

func TestADryRunTellsOfARaiseAndMakesNone(t *testing.T) {
	s := tell(t)
	monitor := s.monitorWith("onlooker", func(spec *v1.AppMonitorSpec) { spec.Mode = v1.ModeDryRun })
	hog := memhog(s).Holds(300).Deploy().Runs()

	monitor.Says("Ready=True/DryRun")
	monitor.Decided(hog, "Raise of memhog from 256Mi/384Mi to 512Mi/768Mi: AboveThreshold, dry run")
	s.HasEvent(hog.applied, "Normal", "DryRun",
		"would have raised memory of container memhog from 256Mi/384Mi to 512Mi/768Mi", "at or above 75% of the limit")
	s.IsDecided("AboveThreshold", 3)
	s.HasOneEvent(hog.applied, "DryRun")
	hog.IsUntouched()
	monitor.HasRaised(0)
	monitor.HasChangedNothing()
	s.columnsAre(map[string]string{"Mode": "DryRun", "Pods": "1", "Raised": "0", "Held": "0", "Ready": "True", "Reason": "DryRun"})

	monitor.Change(func(spec *v1.AppMonitorSpec) { spec.Mode = v1.ModeEnforce })
	hog.BecomesSized("512Mi/768Mi")
	monitor.Says("Ready=True/Watching")
	monitor.Decided(hog, "Raise of memhog from 256Mi/384Mi to 512Mi/768Mi: AboveThreshold")
	monitor.LastChanged(hog, "Raise of memhog from 256Mi/384Mi to 512Mi/768Mi: AboveThreshold")
	hog.RolledOutOnce()
	hog.DiffersOnlyInMemory()
	s.NobodyDied()
}
