package e2e

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

func TestACeilingCutsARaiseAndThenRefusesMore(t *testing.T) {
	s := tell(t)
	monitor := s.monitorWith("ceiling", func(spec *v1.AppMonitorSpec) {
		most := resource.MustParse("600Mi")
		spec.MaxMemory, spec.Cooldown = &most, noTime()
	})
	hog := memhog(s).Holds(300).Deploy()

	hog.BecomesSized("400Mi/600Mi")
	monitor.Decided(hog, "Raise of memhog from 256Mi/384Mi to 400Mi/600Mi: AboveThreshold, limited by AtMaximum")
	monitor.Says("Constrained=False/Unconstrained")

	hog.NowHolds(500)
	s.HasEvent(hog.applied, "Warning", "AtMaximum", "memory of container memhog is not raised", "maxMemory")
	monitor.Says("Constrained=True/AtMaximum", "container memhog of Deployment/memhog", "maxMemory")
	monitor.Says("Ready=True/Watching")
	monitor.Decided(hog, "Hold of memhog at 400Mi/600Mi: AtMaximum")
	monitor.HasHeld(1)
	s.columnsAre(map[string]string{"Pods": "1", "Raised": "1", "Held": "1", "Last Action": "Raise", "Ready": "True"}, "Since")

	s.IsDecided("AtMaximum", 3)
	s.HasOneEvent(hog.applied, "AtMaximum")
	hog.BecomesSized("400Mi/600Mi")
	hog.RolledOutOnce()
	s.NobodyDied()
}
