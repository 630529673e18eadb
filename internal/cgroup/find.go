package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Find returns the folder of a container's group. The ID is that of the Pod's status, with its scheme, as in
// "containerd://2fb7…"; an empty one stands for the group of the Pod itself. A group that is not there is ErrNotFound: the
// container may not have been started yet, or may be gone.
//
// With CRI-O the processes may be in a group below the one that is returned, which has the limit, and counts what they use.
func (h *Hierarchy) Find(podUID, id string) (string, error) {
	pod := h.findPod(podUID)
	if pod == "" {
		return "", fmt.Errorf("a Pod with the UID %q: %w", podUID, ErrNotFound)
	}
	if id == "" {
		return pod, nil
	}
	return findContainer(pod, id)
}

// findPod looks into the folders that are known to hold Pods, and only when the Pod is in none of them for further ones.
func (h *Hierarchy) findPod(uid string) string {
	if uid == "" || strings.ContainsRune(uid, filepath.Separator) {
		return ""
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if pod := podBelow(h.kubepods, uid); pod != "" {
		return pod
	}
	if !h.findKubepods() {
		return ""
	}
	return podBelow(h.kubepods, uid)
}

func podBelow(kubepods []string, uid string) string {
	for _, folder := range kubepods {
		for _, pod := range podFolders(folder, uid) {
			if info, err := os.Lstat(pod); err == nil && info.IsDir() {
				return pod
			}
		}
	}
	return ""
}

// podFolders are the places that a Pod's group can have below a kubelet's folder: one for each class of service.
//   - cgroupfs: kubepods/burstable/pod3f9c-11, and kubepods/pod3f9c-11 of class Guaranteed;
//   - systemd, where a slice's name starts with that of the slice it is in, and dashes stand between the two:
//     kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod3f9c_11.slice.
func podFolders(kubepods, uid string) []string {
	var folders []string
	slice, systemd := strings.CutSuffix(filepath.Base(kubepods), ".slice")
	for _, class := range []string{"", "burstable", "besteffort"} {
		if !systemd {
			folders = append(folders, filepath.Join(kubepods, class, "pod"+uid))
			continue
		}
		parent, name := kubepods, slice
		if class != "" {
			name += "-" + class
			parent = filepath.Join(kubepods, name+".slice")
		}
		folders = append(folders, filepath.Join(parent, name+"-pod"+strings.ReplaceAll(uid, "-", "_")+".slice"))
	}
	return folders
}

// findContainer looks among the groups of a Pod.
func findContainer(pod, id string) (string, error) {
	_, bare, _ := strings.Cut(id, "://")
	if bare == "" {
		return "", fmt.Errorf("container %q: %w", id, ErrNotFound)
	}
	entries, err := os.ReadDir(pod)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("list the control groups of a Pod: %w", gone(err))
	}
	for _, e := range entries {
		if e.IsDir() && isOf(e.Name(), bare) {
			return filepath.Join(pod, e.Name()), nil
		}
	}
	return "", fmt.Errorf("container %q: %w", id, ErrNotFound)
}

// isOf tells whether a group's name is that of a container: its ID alone, or after the name of what made it, such as
// cri-containerd-2fb7.scope, crio-2fb7 or docker-2fb7.scope. A group crio-conmon-2fb7 is that of the program which watches
// over the container.
func isOf(name, id string) bool {
	maker, ok := strings.CutSuffix(strings.TrimSuffix(name, ".scope"), id)
	return ok && (maker == "" || strings.HasSuffix(maker, "-") && !strings.HasSuffix(maker, "conmon-"))
}
