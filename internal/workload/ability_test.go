package workload

import (
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/version"
	fakediscovery "k8s.io/client-go/discovery/fake"
	clienttesting "k8s.io/client-go/testing"
)

func TestWhatCanBeDoneInPlaceByVersion(t *testing.T) {
	raise := Abilities{Raise: true}
	lower := Abilities{Raise: true, Lower: true}
	all := Abilities{Raise: true, Lower: true, PodLevel: true}
	for _, tt := range []struct {
		reason          string
		resize          bool
		server, kubelet string
		want            Abilities
	}{
		{"no subresource, whatever the versions", false, "v1.37.2", "v1.37.2", Abilities{}},
		{"the feature was switched on in its alpha version", true, "v1.32.5", "v1.32.5", Abilities{}},
		{"1.33 raises only", true, "v1.33.0", "v1.33.0", raise},
		{"1.34 lowers, too", true, "v1.34.1", "v1.34.1", lower},
		{"1.35", true, "v1.35.0", "v1.35.3", lower},
		{"1.36 resizes whole Pods", true, "v1.36.0", "v1.36.0", all},
		{"1.37", true, "v1.37.2", "v1.37.2", all},
		{"an older node behind a newer API server", true, "v1.37.2", "v1.34.9", lower},
		{"one that cannot resize", true, "v1.35.0", "v1.32.9", Abilities{}},
		{"a newer node behind an older API server", true, "v1.33.2", "v1.36.0", raise},
		{"vendors add to versions", true, "v1.34.3-gke.1245000", "v1.34.3-eks-113cf36", lower},
		{"a pre-release of a version is one of it", true, "v1.34.0-rc.1", "v1.34.0-alpha.3", lower},
		{"a node that nobody knows", true, "v1.37.2", "", raise},
		{"a server that does not say", true, "", "v1.37.2", raise},
		{"nonsense", true, "v1.37.2", "latest", raise},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			s := Server{Resize: tt.resize, Version: tt.server}
			if got := s.Abilities(tt.kubelet); got != tt.want {
				t.Errorf("%s: %+v, want %+v", tt.reason, got, tt.want)
			}
		})
	}
}

func TestAnAPIServerIsAskedWhatItCan(t *testing.T) {
	discovery := func(resources ...string) *fakediscovery.FakeDiscovery {
		list := &metav1.APIResourceList{GroupVersion: "v1"}
		for _, name := range resources {
			list.APIResources = append(list.APIResources, metav1.APIResource{Name: name})
		}
		return &fakediscovery.FakeDiscovery{
			Fake: &clienttesting.Fake{Resources: []*metav1.APIResourceList{list}}, FakedServerVersion: &version.Info{GitVersion: "v1.37.2"},
		}
	}
	for _, tt := range []struct {
		reason string
		client *fakediscovery.FakeDiscovery
		want   Server
	}{
		{"it has the subresource", discovery("pods", "pods/resize", "nodes"), Server{Resize: true, Version: "v1.37.2"}},
		{"it has others", discovery("pods", "pods/status", "resize"), Server{Version: "v1.37.2"}},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			got, err := Discover(tt.client)
			if err != nil || got != tt.want {
				t.Errorf("%s: %+v (%v), want %+v", tt.reason, got, err, tt.want)
			}
		})
	}
	away := discovery("pods", "pods/resize")
	unreachable := errors.New("the API server is away")
	away.PrependReactor("get", "*", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, unreachable })
	if _, err := Discover(away); !errors.Is(err, unreachable) {
		t.Errorf("want the error, got %v", err)
	}
}
