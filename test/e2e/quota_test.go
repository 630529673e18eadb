package e2e

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestAQuotaThatAllowsOnlyPartOfARaiseGetsThatPart(t *testing.T) {
	s := tell(t)
	s.quota("600Mi")
	monitor := s.monitor("bounded", 75, 2)
	hog := memhog(s).Holds(300).Deploy()

	// Beside the old Pod, which takes 256Mi, the quota leaves the new one 344Mi.
	hog.BecomesSized("344Mi/516Mi")
	monitor.Decided(hog, "Raise of memhog from 256Mi/384Mi to 344Mi/516Mi: AboveThreshold, limited by QuotaExceeded")
	s.HasEvent(hog.applied, "Normal", "AboveThreshold", "raised memory of container memhog from 256Mi/384Mi to 344Mi/516Mi")
	s.IsDecided("Normal", 2)
	monitor.HasHeld(0)
	hog.RolledOutOnce()
	s.NobodyDied()
}

func TestALimitRangeCutsARaise(t *testing.T) {
	s := tell(t)
	s.limitRange("144Mi")
	monitor := s.monitor("bounded", 75, 2)
	hog := memhog(s).Small().Deploy()

	hog.BecomesSized("96Mi/144Mi")
	monitor.Decided(hog, "Raise of memhog from 64Mi/96Mi to 96Mi/144Mi: AboveThreshold, limited by AtLimitRange")
	s.IsDecided("Normal", 2)
	hog.RolledOutOnce()
	s.NobodyDied()
}

// quota bounds the sum of the memory requests in the namespace, and waits until it is counted.
func (s *story) quota(requests string) {
	s.t.Helper()
	q := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "memory", Namespace: s.namespace},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{
			corev1.ResourceRequestsMemory: resource.MustParse(requests),
		}},
	}
	must(s.t, env.client.Create(s.t.Context(), q))
	s.awaits("the quota is in force", func(ctx context.Context) error {
		err := env.client.Get(ctx, client.ObjectKeyFromObject(q), q)
		if err == nil && len(q.Status.Hard) == 0 {
			return errors.New("nothing is counted yet")
		}
		return err
	})
}

// limitRange bounds the memory limit of each container in the namespace.
func (s *story) limitRange(most string) {
	s.t.Helper()
	must(s.t, env.client.Create(s.t.Context(), &corev1.LimitRange{
		ObjectMeta: metav1.ObjectMeta{Name: "memory", Namespace: s.namespace},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypeContainer,
			Max:  corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(most)},
		}}},
	}))
}
