package e2e

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

func TestTwoMonitorsThatSelectDifferentPodsShareANamespace(t *testing.T) {
	s := tell(t)
	back := s.monitorWith("back", func(spec *v1.AppMonitorSpec) { spec.Selector = tier("back") })
	front := s.monitorWith("front", func(spec *v1.AppMonitorSpec) {
		spec.Selector, spec.MemMultiplier = tier("front"), 1.5
	})
	database := memhog(s).Named("database").Labelled("tier", "back").Small().Deploy()
	website := memhog(s).Named("website").Labelled("tier", "front").Small().Deploy()

	database.BecomesSized("128Mi/192Mi")
	website.BecomesSized("96Mi/144Mi")
	for _, monitor := range []*monitor{back, front} {
		monitor.IsWatching(1)
		monitor.HasRaised(1)
		monitor.Says("Conflicted=False/NoConflict")
	}
	database.RolledOutOnce()
	website.RolledOutOnce()
	s.NobodyDied()
}

func TestASelectorThatCannotBeUnderstoodOwnsNoPods(t *testing.T) {
	s := tell(t)
	monitor := s.monitorWith("muddled", func(spec *v1.AppMonitorSpec) {
		spec.Selector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "tier", Operator: "Near", Values: []string{"back"}},
		}}
	})
	hog := memhog(s).Labelled("tier", "back").Small().Deploy().Runs()

	monitor.Says("Ready=False/InvalidSelector", "spec.selector", "Near")
	hog.IsUntouched()
	monitor.HasRaised(0)

	monitor.Change(func(spec *v1.AppMonitorSpec) { spec.Selector = tier("back") })
	hog.BecomesSized("128Mi/192Mi")
	monitor.IsWatching(1)
	hog.RolledOutOnce()
	s.NobodyDied()
}

func tier(name string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"tier": name}}
}
