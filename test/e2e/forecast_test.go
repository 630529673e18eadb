package e2e

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

func TestGrowthTowardsTheLimitIsMetAheadOfTheThreshold(t *testing.T) {
	s := tell(t)
	monitor := s.monitorWith("far-sighted", func(spec *v1.AppMonitorSpec) {
		spec.Forecast = &v1.Forecast{Horizon: &metav1.Duration{Duration: 10 * time.Minute}}
	})
	// It would be at its limit within six minutes, and never gets to the threshold of 288 MiB.
	hog := memhog(s).Grows(0.5).From(210).To(270).Deploy()

	hog.BecomesSized("512Mi/768Mi")
	monitor.LastChanged(hog, "Raise of memhog from 256Mi/384Mi to 512Mi/768Mi: ForecastOOM")
	s.HasEvent(hog.applied, "Normal", "ForecastOOM",
		"raised memory of container memhog from 256Mi/384Mi to 512Mi/768Mi", "MiB/s towards the limit")
	s.IsDecided("Normal", 2)
	hog.RolledOutOnce()
	s.NobodyDied()
}
