package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubedemo/memhog-operator/test/install"
)

// memhog starts at 200 MiB, with a limit of 384. In place it wants 896, which takes two raises, to 768 and 1536; by
// rollout 448, which takes one, and which each new Pod starts to grow to anew.
const (
	startMiB          = 200
	ceilingMiB        = 896
	rolloutCeilingMiB = 448
)

// pauseSeconds is how long memhog waits before it grows, where an agent acts: a guarantee is for what an agent has seen.
const pauseSeconds = 8

// raises is how often memhog is raised on its way to its ceiling.
func (o *options) raises() int {
	if o.inPlace() {
		return 2
	}
	return 1
}

// ceiling is where memhog's growth ends, in MiB.
func (o *options) ceiling() float64 {
	if o.inPlace() {
		return ceilingMiB
	}
	return rolloutCeilingMiB
}

// namespace is where memhog lives, and ownerLabel marks it as the demo's, which may delete it.
const (
	namespace  = "memhog-demo"
	ownerLabel = "app.kubernetes.io/part-of"
)

// namespaceObject is memhog's namespace, with the Pod Security Standard that it keeps to.
func namespaceObject() *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace"}}
	object.SetName(namespace)
	object.SetLabels(map[string]string{"pod-security.kubernetes.io/enforce": "restricted", ownerLabel: namespace})
	return object
}

// memhog is the sample's Deployment, which outgrows its limit.
func (s *stage) memhog() (*unstructured.Unstructured, error) {
	path := filepath.Join(s.root, "config", "samples", "memhog_deployment.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("memhog's manifest: %w", err)
	}
	objects, err := install.Decode(text)
	if err != nil {
		return nil, fmt.Errorf("memhog's manifest %q: %w", path, err)
	}
	if len(objects) != 1 {
		return nil, fmt.Errorf("memhog's manifest %q: %d objects, want one", path, len(objects))
	}
	memhog := objects[0]
	memhog.SetNamespace(namespace)
	if err := install.SetImage(memhog, containerName, s.memhogImage); err != nil {
		return nil, err
	}
	settings := map[string]float64{
		"MEMHOG_START_MIB": startMiB, "MEMHOG_RATE_MIB_PER_SECOND": s.rate, "MEMHOG_CEILING_MIB": s.ceiling(),
	}
	if s.agent {
		settings["MEMHOG_PAUSE_SECONDS"] = pauseSeconds
	}
	for name, value := range settings {
		if err := install.SetEnv(memhog, containerName, name, strconv.FormatFloat(value, 'f', -1, 64)); err != nil {
			return nil, err
		}
	}
	return memhog, nil
}
