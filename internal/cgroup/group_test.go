package cgroup

import (
	"errors"
	"io/fs"
	"math"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// reading is all that can be read of a group.
type reading struct {
	Usage, Limit int64
	Memory       Memory
}

var fixtures = []struct {
	reason string
	memory string // where the hierarchy is: empty for version 2
	tree   map[string]string
	want   reading
}{
	{
		reason: "version 2",
		tree: map[string]string{
			"memory.current": "104857600\n",
			"memory.max":     "268435456\n",
			"memory.stat":    "anon 83886080\nfile 20971520\ninactive_anon 83886080\ninactive_file 16777216\nactive_file 4194304\n",
		},
		want: reading{
			Usage: 100 << 20, Limit: 256 << 20,
			Memory: Memory{Usage: 100 << 20, InactiveFile: 16 << 20},
		},
	},
	{
		reason: "version 2 without a limit",
		tree: map[string]string{
			"memory.current": "0\n",
			"memory.max":     "max\n",
			"memory.stat":    "inactive_file 0\nactive_file 0\n",
		},
		want: reading{Limit: math.MaxInt64},
	},
	{
		reason: "version 1: of each figure, the one that includes the groups below",
		memory: "memory",
		tree: map[string]string{
			"memory.usage_in_bytes": "104857600\n",
			"memory.limit_in_bytes": "268435456\n",
			"memory.stat":           "cache 1\ninactive_file 1\nactive_file 1\ntotal_inactive_file 16777216\ntotal_active_file 4194304\n",
		},
		want: reading{
			Usage: 100 << 20, Limit: 256 << 20,
			Memory: Memory{Usage: 100 << 20, InactiveFile: 16 << 20},
		},
	},
	{
		reason: "version 1 without a limit, with pages of 4 KiB",
		memory: "memory",
		tree: map[string]string{
			"memory.usage_in_bytes": "4096\n",
			"memory.limit_in_bytes": "9223372036854771712\n",
			"memory.stat":           "total_inactive_file 0\ntotal_active_file 0\n",
		},
		want: reading{Usage: 4096, Limit: math.MaxInt64, Memory: Memory{Usage: 4096}},
	},
}

func TestGroupReadsEveryFile(t *testing.T) {
	for _, tc := range fixtures {
		t.Run(tc.reason, func(t *testing.T) {
			g := openFixture(t, tc.memory, tc.tree)
			for range 2 { // once with files that are opened by it, once with those that are open
				if diff := cmp.Diff(tc.want, readAll(t, g)); diff != "" {
					t.Errorf("read (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	for _, tc := range fixtures {
		t.Run(tc.reason, func(t *testing.T) {
			g := openFixture(t, tc.memory, tc.tree)
			wantNoAllocations(t, g)
		})
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	tests := []struct {
		reason string
		tree   map[string]string
	}{
		{
			reason: "nothing in the files",
			tree:   map[string]string{"memory.current": "", "memory.max": "", "memory.stat": ""},
		},
		{
			reason: "other words",
			tree: map[string]string{
				"memory.current": "none\n", "memory.max": "-1\n", "memory.stat": "inactive_file\n",
			},
		},
		{
			reason: "numbers that are too large",
			tree: map[string]string{
				"memory.current": "9223372036854775808\n", "memory.max": "18446744073709551615\n",
				"memory.stat": "inactive_file 9223372036854775808\n",
			},
		},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			g := openFixture(t, "", tc.tree)
			for name, err := range readErrors(g) {
				if err == nil {
					t.Errorf("%s has no error", name)
				}
			}
		})
	}
}

func TestAGroupThatIsNotThereIsToldApart(t *testing.T) {
	root := t.TempDir()
	h := mounted(t, root, "")
	if _, err := h.Open(filepath.Join(root, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of no group: %v, want fs.ErrNotExist", err)
	}

	// The file that is opened later is gone by then.
	write(t, root, map[string]string{"g/memory.current": "1\n", "g/memory.max": "2\n"})
	g, err := h.Open(filepath.Join(root, "g"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Memory(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Memory without the file: %v, want fs.ErrNotExist", err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}

func TestAClosedGroupIsNotRead(t *testing.T) {
	for _, tc := range fixtures {
		t.Run(tc.reason, func(t *testing.T) {
			g := openFixture(t, tc.memory, tc.tree)
			for range 2 {
				if err := g.Close(); err != nil {
					t.Fatal(err)
				}
			}
			for name, err := range readErrors(g) {
				if !errors.Is(err, fs.ErrClosed) {
					t.Errorf("%s: %v, want fs.ErrClosed", name, err)
				}
			}
		})
	}
}

func TestWorkingSetIsNeverNegative(t *testing.T) {
	tests := []struct {
		reason string
		memory Memory
		want   int64
	}{
		{reason: "what was not used of late is taken off", memory: Memory{Usage: 100, InactiveFile: 30}, want: 70},
		{reason: "the two are read one after the other", memory: Memory{Usage: 100, InactiveFile: 130}, want: 0},
	}
	for _, tc := range tests {
		if got := tc.memory.WorkingSet(); got != tc.want {
			t.Errorf("%s: %d, want %d", tc.reason, got, tc.want)
		}
	}
}

func openFixture(t *testing.T, memory string, tree map[string]string) *Group {
	t.Helper()
	root := t.TempDir()
	h := mounted(t, root, memory)
	folder := filepath.Join(root, memory, "g")
	write(t, folder, tree)
	return openGroup(t, h, folder)
}

func openGroup(t testing.TB, h *Hierarchy, folder string) *Group {
	t.Helper()
	g, err := h.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

func readAll(t *testing.T, g *Group) reading {
	t.Helper()
	var r reading
	var errs [3]error
	r.Usage, errs[0] = g.Usage()
	r.Limit, errs[1] = g.Limit()
	r.Memory, errs[2] = g.Memory()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return r
}

func readErrors(g *Group) map[string]error {
	_, usage := g.Usage()
	_, limit := g.Limit()
	_, memory := g.Memory()
	return map[string]error{"Usage": usage, "Limit": limit, "Memory": memory}
}

func wantNoAllocations(t *testing.T, g *Group) {
	t.Helper()
	readAll(t, g)
	allocations := testing.AllocsPerRun(100, func() {
		_, _ = g.Usage()
		_, _ = g.Limit()
		_, _ = g.Memory()
	})
	if allocations != 0 {
		t.Errorf("reading everything allocates %v times", allocations)
	}
}
