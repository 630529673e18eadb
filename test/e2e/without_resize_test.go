package e2e

import (
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// withoutResize is true when the suite's cluster is to have an API server that cannot resize Pods. Only the stories in this
// file are told on such a one, and only they: `make e2e` runs the suite once more for them.
func withoutResize() bool { return os.Getenv("MEMHOG_E2E_WITHOUT_RESIZE") != "" }

func tellWithoutResize(t *testing.T) *story {
	t.Helper()
	ownOnly(t, "its API server is as it is")
	if !withoutResize() {
		t.Fatal("this story is told on a cluster without the resize subresource: set MEMHOG_E2E_WITHOUT_RESIZE")
	}
	s := tell(t)
	list, err := env.clients.Discovery().ServerResourcesForGroupVersion("v1")
	must(t, err)
	for _, r := range list.APIResources {
		if strings.HasSuffix(r.Name, "/resize") {
			t.Fatalf("the API server has %s", r.Name)
		}
	}
	return s
}

func TestWithoutResizeTheSameManifestsWorkByRollout(t *testing.T) {
	s := tellWithoutResize(t)
	hog := memhog(s).Grows(2).From(270).To(448).Deploy()
	hog.Reaches(270)
	johnny := s.sampleMonitor()

	hog.BecomesSized("512Mi/768Mi")
	s.HasEvent(hog.applied, "Normal", "", "raised memory of container memhog from 256Mi/384Mi to 512Mi/768Mi")
	johnny.HasRaised(1)
	johnny.Says("Ready=True/Watching")
	hog.Reaches(448)
	hog.RolledOutOnce()
	hog.DiffersOnlyInMemory()
	s.NobodyDied()
}

func TestWithoutResizeInPlaceAloneHoldsUntilARolloutIsAllowed(t *testing.T) {
	s := tellWithoutResize(t)
	monitor := s.inPlace("gentle", func(spec *v1.AppMonitorSpec) { spec.Strategy = v1.StrategyInPlace })
	hog := memhog(s).Small().Deploy().Runs()

	s.HasEvent(hog.applied, "Warning", "InPlaceUnavailable", "memory of container memhog is not raised", "in place")
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

func TestWithoutResizeABarePodIsToldOf(t *testing.T) {
	s := tellWithoutResize(t)
	monitor := s.inPlace("helpless")
	template := memhog(s).Small().deployment.Spec.Template
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: "bare", Namespace: s.namespace, Labels: template.Labels, Annotations: template.Annotations,
	}, Spec: template.Spec}
	must(t, env.client.Create(t.Context(), pod))
	s.HasEvent(pod, "Warning", "UnsupportedOwner", "memory of container memhog is not raised", "no owner")
	monitor.Says("Constrained=True/UnsupportedOwner", "container memhog of Pod/bare")
	s.NobodyDied()
}
