package workload

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/discovery"
)

// Server is what matters of an API server.
type Server struct {
	// Resize is true when it has the subresource by which Pods are resized.
	Resize bool
	// Version of Kubernetes, such as v1.37.2.
	Version string
}

// Discover asks an API server what it can.
func Discover(client discovery.DiscoveryInterface) (Server, error) {
	info, err := client.ServerVersion()
	if err != nil {
		return Server{}, fmt.Errorf("ask for the API server's version: %w", err)
	}
	s := Server{Version: info.GitVersion}
	resources, err := client.ServerResourcesForGroupVersion("v1")
	if err != nil && !apierrors.IsNotFound(err) {
		return Server{}, fmt.Errorf("ask for the API server's resources: %w", err)
	}
	for _, r := range resources.APIResources {
		s.Resize = s.Resize || r.Name == "pods/resize"
	}
	return s, nil
}

// Abilities are what can be done to a Pod in place.
type Abilities struct {
	// Raise and Lower its containers' memory.
	Raise, Lower bool
	// Resize what the Pod as a whole is given.
	PodLevel bool
}

// Of are those that are left for a Pod: none for a static one, which is its node's own.
func (a Abilities) Of(pod *corev1.Pod) Abilities {
	if _, static := pod.Annotations[corev1.MirrorPodAnnotationKey]; static {
		return Abilities{}
	}
	return a
}

// Raises is true when the memory of a Pod's containers can be raised: also where the Pod as a whole has to be given more.
func (a Abilities) Raises(pod *corev1.Pod) bool {
	return a.Raise && (a.PodLevel || pod.Spec.Resources == nil)
}

// abilities by the minor version of Kubernetes from which on they can be counted on: for Pods on nodes of that version or a
// newer one, behind an API server of that version or a newer one that has the subresource. The first version that has an
// ability by default counts: KEP-1287 (beta in 1.33; memory limits come down from 1.34 on), KEP-5419 (beta in 1.36).
var abilities = []struct {
	since *version.Version
	gives func(*Abilities)
}{
	{version.MustParseGeneric("1.33"), func(a *Abilities) { a.Raise = true }},
	{version.MustParseGeneric("1.34"), func(a *Abilities) { a.Lower = true }},
	{version.MustParseGeneric("1.36"), func(a *Abilities) { a.PodLevel = true }},
}

// Abilities says what can be done in place to Pods of a node whose kubelet is of a version. Where the version is not known,
// memory can be raised if the API server can be asked for that: its answer will tell.
func (s Server) Abilities(kubelet string) Abilities {
	if !s.Resize {
		return Abilities{}
	}
	server, errServer := version.ParseGeneric(s.Version)
	node, errNode := version.ParseGeneric(kubelet)
	if errServer != nil || errNode != nil {
		return Abilities{Raise: true}
	}
	var can Abilities
	for _, a := range abilities {
		if server.AtLeast(a.since) && node.AtLeast(a.since) {
			a.gives(&can)
		}
	}
	return can
}
