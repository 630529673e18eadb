package cgroup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	uid = "3f9c2a51-0d4e-4b7a-9c1f-5f0e8a7d6b21"
	// flat is how the UID stands in the name of a slice.
	flat = "3f9c2a51_0d4e_4b7a_9c1f_5f0e8a7d6b21"
	id   = "2fb7c1d09a5e43b8871f6c2d4e9a0b3c5d7f8e1a2b4c6d8e0f1a3b5c7d9e2f40"
	// pause is the container that holds the Pod's network, and stands in no status.
	pause = "90ab12cd34ef56ab78cd90ef12ab34cd56ef78ab90cd12ef34ab56cd78ef90ab"
)

// layouts are where a container's group is, below the root of the hierarchy: the Pod's folder and that of the container in it.
var layouts = []struct {
	reason         string
	scheme         string
	pod, container string
}{
	{
		reason: "cgroupfs, Guaranteed", scheme: "containerd",
		pod: "kubepods/pod" + uid, container: id,
	},
	{
		reason: "cgroupfs, Burstable", scheme: "containerd",
		pod: "kubepods/burstable/pod" + uid, container: id,
	},
	{
		reason: "cgroupfs, BestEffort", scheme: "containerd",
		pod: "kubepods/besteffort/pod" + uid, container: id,
	},
	{
		reason: "cgroupfs, CRI-O", scheme: "cri-o",
		pod: "kubepods/burstable/pod" + uid, container: "crio-" + id,
	},
	{
		reason: "systemd, Guaranteed", scheme: "containerd",
		pod: "kubepods.slice/kubepods-pod" + flat + ".slice", container: "cri-containerd-" + id + ".scope",
	},
	{
		reason: "systemd, Burstable", scheme: "containerd",
		pod:       "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + flat + ".slice",
		container: "cri-containerd-" + id + ".scope",
	},
	{
		reason: "systemd, BestEffort, CRI-O, processes one level deeper", scheme: "cri-o",
		pod:       "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + flat + ".slice",
		container: "crio-" + id + ".scope",
	},
	{
		reason: "systemd, cri-dockerd", scheme: "docker",
		pod:       "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + flat + ".slice",
		container: "docker-" + id + ".scope",
	},
	{
		reason: "cgroupfs, cgroupRoot /foo/bar", scheme: "containerd",
		pod: "foo/bar/kubepods/burstable/pod" + uid, container: id,
	},
	{
		reason: "systemd, cgroupRoot /foo", scheme: "containerd",
		pod:       "foo.slice/foo-kubepods.slice/foo-kubepods-burstable.slice/foo-kubepods-burstable-pod" + flat + ".slice",
		container: "cri-containerd-" + id + ".scope",
	},
	{
		reason: "systemd, cgroupRoot /foo/bar, Guaranteed", scheme: "containerd",
		pod:       "foo.slice/foo-bar.slice/foo-bar-kubepods.slice/foo-bar-kubepods-pod" + flat + ".slice",
		container: "cri-containerd-" + id + ".scope",
	},
	{
		reason: "a node that is a container, seen from its own namespace", scheme: "containerd",
		pod: "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/" +
			"kubelet-kubepods-burstable-pod" + flat + ".slice",
		container: "cri-containerd-" + id + ".scope",
	},
	{
		reason: "the same seen from the machine", scheme: "containerd",
		pod: "system.slice/docker-" + pause + ".scope/kubelet.slice/kubelet-kubepods.slice/" +
			"kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" + flat + ".slice",
		container: "cri-containerd-" + id + ".scope",
	},
	{
		reason: "the same of a user's own Docker", scheme: "containerd",
		pod: "user.slice/user-1000.slice/user@1000.service/user.slice/docker-" + pause + ".scope/kubelet.slice/" +
			"kubelet-kubepods.slice/kubelet-kubepods-pod" + flat + ".slice",
		container: "cri-containerd-" + id + ".scope",
	},
	{
		reason: "the same with cgroupfs", scheme: "containerd",
		pod: "docker/" + pause + "/kubelet/kubepods/besteffort/pod" + uid, container: id,
	},
}

func TestFindKnowsTheLayouts(t *testing.T) {
	for _, tc := range layouts {
		for _, memory := range []string{"", "memory"} {
			t.Run(tc.reason+" "+memory, func(t *testing.T) {
				root := t.TempDir()
				h := mounted(t, root, memory)
				pod := filepath.Join(root, memory, tc.pod)
				container := filepath.Join(pod, tc.container)
				// What else is there: other services, the container of the Pod's network, what CRI-O has beside and below.
				folders(t, filepath.Join(root, memory), "system.slice/sshd.service", "init.scope")
				folders(t, pod, strings.Replace(tc.container, id, pause, 1), "crio-conmon-"+id+".scope", "crio-conmon-"+id)
				folders(t, container, "container")

				wantFound(t, h, uid, tc.scheme+"://"+id, container)
				wantFound(t, h, uid, "", pod)
				wantNone(t, h, uid, tc.scheme+"://"+strings.Repeat("0", 64))
				wantNone(t, h, uid, tc.scheme+"://")
				wantNone(t, h, "00000000-0d4e-4b7a-9c1f-5f0e8a7d6b21", tc.scheme+"://"+id)
				wantNone(t, h, "../pod"+uid, "")
				wantNone(t, h, "", "")
			})
		}
	}
}

func TestFindFollowsAPodThatComesAndGoes(t *testing.T) {
	root := t.TempDir()
	h := mounted(t, root, "")
	folders(t, root, "kubepods/burstable")
	wantNone(t, h, uid, "containerd://"+id)

	// The walk is over, and another would not be due: what is known suffices.
	pod := filepath.Join(root, "kubepods/burstable/pod"+uid)
	folders(t, pod, ".")
	wantFound(t, h, uid, "", pod)
	wantNone(t, h, uid, "containerd://"+id)
	folders(t, pod, id)
	wantFound(t, h, uid, "containerd://"+id, filepath.Join(pod, id))

	if err := os.RemoveAll(pod); err != nil {
		t.Fatal(err)
	}
	wantNone(t, h, uid, "containerd://"+id)
	wantNone(t, h, uid, "")
}

// mounted makes a hierarchy of plain folders: version 2's at the root, or version 1's in the folder memory.
func mounted(t *testing.T, root, memory string) *Hierarchy {
	t.Helper()
	if memory == "" {
		write(t, root, map[string]string{"cgroup.controllers": "memory\n"})
	} else {
		write(t, root, map[string]string{memory + "/memory.usage_in_bytes": "0\n"})
	}
	h, err := Mounted(root)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func folders(t *testing.T, root string, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if err := os.MkdirAll(filepath.Join(root, path), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func wantFound(t *testing.T, h *Hierarchy, uid, id, want string) {
	t.Helper()
	got, err := h.Find(uid, id)
	if err != nil || got != want {
		t.Errorf("Find(%q, %q) = %q, %v; want %q", uid, id, got, err, want)
	}
}

func wantNone(t *testing.T, h *Hierarchy, uid, id string) {
	t.Helper()
	got, err := h.Find(uid, id)
	if !errors.Is(err, ErrNotFound) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Find(%q, %q) = %q, %v; want ErrNotFound", uid, id, got, err)
	}
}
