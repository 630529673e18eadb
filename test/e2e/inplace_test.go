package e2e

import (
	"testing"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

func TestInPlaceAloneHoldsUntilARolloutIsAllowed(t *testing.T) {
	s := tell(t)
	monitor := s.monitorWith("gentle", func(spec *v1.AppMonitorSpec) { spec.Strategy = v1.StrategyInPlace })
	hog := memhog(s).Small().Deploy().Runs()

	s.HasEvent(hog.applied, "Warning", "InPlaceUnavailable", "memory of container memhog is not raised", "InPlace")
	monitor.Says("Constrained=True/InPlaceUnavailable", "container memhog of Deployment/memhog")
	monitor.Decided(hog, "Hold of memhog at 64Mi/96Mi: InPlaceUnavailable")
	monitor.HasHeld(1)
	s.IsDecided("InPlaceUnavailable", 3)
	hog.IsUntouched()
	monitor.HasChangedNothing()

	monitor.Change(func(spec *v1.AppMonitorSpec) { spec.Strategy = v1.StrategyAuto })
	hog.BecomesSized("128Mi/192Mi")
	monitor.HasHeld(0)
	monitor.Says("Constrained=False/Unconstrained")
	hog.RolledOutOnce()
	s.NobodyDied()
}
