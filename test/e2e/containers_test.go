package e2e

import (
	"testing"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

func TestEachContainerHasItsOwnPolicy(t *testing.T) {
	s := tell(t)
	factor := 1.5
	monitor := s.monitorWith("exceptions", func(spec *v1.AppMonitorSpec) {
		spec.Containers = []v1.ContainerPolicy{
			{Name: "memhog", MemMultiplier: &factor},
			{Name: "sidecar", Mode: v1.SwitchDisabled},
		}
	})
	// Both are above 75 % of their limits.
	hog := memhog(s).Small().Beside("sidecar", "32Mi/64Mi", 50).Deploy()

	hog.BecomesSized("96Mi/144Mi", "32Mi/64Mi")
	monitor.HasRaised(1)
	monitor.HasHeld(0)
	monitor.Says("Constrained=False/Unconstrained")
	s.IsDecided("Disabled", 3)
	hog.RolledOutOnce()
	hog.DiffersOnlyInMemory()
	s.NobodyDied()
}
