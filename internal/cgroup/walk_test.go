package cgroup

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWalksArePausedHoweverManyPodsAreMissing(t *testing.T) {
	root := t.TempDir()
	h := mounted(t, root, "")
	now := time.Date(2026, time.July, 1, 12, 0, 0, 0, time.UTC)
	h.now = func() time.Time { return now }
	wantNone(t, h, uid, "")

	folders(t, root, "foo/kubepods/pod"+uid)
	now = now.Add(walkPause - 1)
	wantNone(t, h, uid, "")
	now = now.Add(1)
	wantFound(t, h, uid, "", filepath.Join(root, "foo/kubepods/pod"+uid))

	// A kubelet that was started anew with another setting.
	folders(t, root, "bar/kubepods/pod-2")
	now = now.Add(walkPause)
	wantFound(t, h, "-2", "", filepath.Join(root, "bar/kubepods/pod-2"))
}

func TestWalkIsBounded(t *testing.T) {
	tests := []struct {
		reason string
		tree   []string
		want   []string
	}{
		{reason: "nothing is there"},
		{
			reason: "every kubelet's folder is found, and none in those of its Pods",
			tree:   []string{"kubepods/pod1/2/kubepods", "a.slice/a-kubepods.slice", "kubepodsish", "xkubepods.slice"},
			want:   []string{"kubepods", "a.slice/a-kubepods.slice"},
		},
		{
			reason: "the last level",
			tree:   []string{strings.Repeat("x/", walkDepth-1) + "kubepods"},
			want:   []string{strings.Repeat("x/", walkDepth-1) + "kubepods"},
		},
		{
			reason: "one level more",
			tree:   []string{strings.Repeat("x/", walkDepth) + "kubepods"},
		},
		{
			reason: "too many folders: those near the top are seen",
			tree:   append(numbered("many/", walkFolders), "foo/kubepods", "many/0/x/kubepods"),
			want:   []string{"foo/kubepods"},
		},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			root := t.TempDir()
			folders(t, root, tc.tree...)
			var want []string
			for _, path := range tc.want {
				want = append(want, filepath.Join(root, path))
			}
			if diff := cmp.Diff(want, walk(root)); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
		})
	}
}

func numbered(prefix string, n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("%s%d", prefix, i))
	}
	return all
}
