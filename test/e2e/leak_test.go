package e2e

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

func TestALeakIsFollowedAsFarAsItsBudgetGoes(t *testing.T) {
	s := tell(t)
	monitor := s.monitorWith("two-raises-a-day", func(spec *v1.AppMonitorSpec) {
		raises := int32(2)
		spec.GrowthBudget = &v1.GrowthBudget{Raises: &raises, Window: &metav1.Duration{Duration: 24 * time.Hour}}
		spec.Cooldown = noTime()
	})
	// It dies of 96 MiB after a second, of 192 after four, and of 384 after ten.
	hog := memhog(s).Sized("64Mi/96Mi").Grows(30).From(60).To(2000).Deploy()

	hog.IsGiven("256Mi/384Mi")
	s.HasEvent(hog.applied, "Warning", "GrowthBudgetExhausted", "memory of container memhog is not raised", "leak")
	monitor.Says("Constrained=True/GrowthBudgetExhausted", "container memhog of Deployment/memhog", "leak")
	monitor.Decided(hog, "Hold of memhog at 256Mi/384Mi: GrowthBudgetExhausted")
	monitor.HasHeld(1)

	hog.IsOOMKilled(2)
	s.IsDecided("GrowthBudgetExhausted", 3)
	s.HasOneEvent(hog.applied, "GrowthBudgetExhausted")
	hog.IsGiven("256Mi/384Mi")
	hog.RolledOut(2)
	monitor.HasRaised(1)
	monitor.HasHeld(1)
}

// noTime is a duration of nothing.
func noTime() *metav1.Duration { return &metav1.Duration{} }
