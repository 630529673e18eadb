package e2e

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

func TestAnOOMKilledContainerDoesNotWaitForTheCooldown(t *testing.T) {
	s := tell(t)
	monitor := s.monitorWith("once-a-day", func(spec *v1.AppMonitorSpec) {
		spec.Cooldown = &metav1.Duration{Duration: 24 * time.Hour}
	})
	hog := memhog(s).Small().Deploy()
	hog.BecomesSized("128Mi/192Mi")
	monitor.LastChanged(hog, "Raise of memhog from 64Mi/96Mi to 128Mi/192Mi: AboveThreshold")

	// Above the threshold of 144 MiB, and no reason to hurry.
	hog.NowHolds(160)
	s.IsDecided("Cooldown", 3)
	hog.BecomesSized("128Mi/192Mi")
	monitor.Says("Constrained=False/Unconstrained")

	// More than the limit before anyone has taken a sample.
	hog.NowHolds(240)
	hog.BecomesSized("256Mi/384Mi")
	monitor.LastChanged(hog, "Raise of memhog from 128Mi/192Mi to 256Mi/384Mi: OOMKilled")
	s.HasEvent(hog.applied, "Normal", "OOMKilled",
		"raised memory of container memhog from 128Mi/192Mi to 256Mi/384Mi", "was OOM-killed at")
	s.IsDecided("Normal", 2)
	hog.RolledOut(2)
}
