package cluster

import (
	"maps"
	"path/filepath"
	"slices"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// splitList splits KUBECONFIG, which may name several files.
func splitList(paths string) []string { return filepath.SplitList(paths) }
