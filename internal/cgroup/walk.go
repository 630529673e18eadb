package cgroup

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The kubelet's folder stands at the top on most nodes, below its setting cgroupRoot on others, and some levels deeper
// where the node itself is a container. A walk through all groups finds it; these keep it from costing anything: a kubelet
// makes the folder once, when it starts, and from then on Pods are found without a walk.
const (
	// walkPause is the least time from one walk to the next, however many Pods are asked for that are not there.
	walkPause = 10 * time.Second
	// walkDepth suffices for a node in a container of a user's own Docker, the deepest that is known:
	// user.slice/user-1000.slice/user@1000.service/user.slice/docker-2fb7.scope/kubelet.slice/kubelet-kubepods.slice.
	walkDepth = 8
	// walkFolders is several times what a node has outside of the kubelet's folder, which is not entered.
	walkFolders = 4096
)

// findKubepods looks for the folders that hold a kubelet's Pods, unless that was done a moment ago, and says whether it did.
func (h *Hierarchy) findKubepods() bool {
	now := h.now()
	if !h.walked.IsZero() && now.Sub(h.walked) < walkPause {
		return false
	}
	h.walked = now
	h.kubepods = walk(h.root)
	return true
}

// walk goes level by level, so that what is near the top is found even when there are too many folders to see them all.
func walk(root string) []string {
	var found []string
	level, seen := []string{root}, 0
	for range walkDepth {
		var next []string
		for _, folder := range level {
			if seen++; seen > walkFolders {
				return found
			}
			// A group that is gone by now has no entries.
			entries, _ := os.ReadDir(folder)
			for _, e := range entries {
				path := filepath.Join(folder, e.Name())
				switch {
				case !e.IsDir():
				case holdsPods(e.Name()):
					found = append(found, path)
				default:
					next = append(next, path)
				}
			}
		}
		level = next
	}
	return found
}

// holdsPods tells a kubelet's folder by its name: kubepods, or with systemd kubepods.slice, behind the name of the slice it
// is in, if any.
func holdsPods(name string) bool {
	return name == "kubepods" || name == "kubepods.slice" || strings.HasSuffix(name, "-kubepods.slice")
}
