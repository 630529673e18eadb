package cluster

import (
	"net/netip"
	"strings"
	"testing"
)

func TestLinkAt(t *testing.T) {
	for _, tt := range []struct {
		n          int
		host, node string
	}{
		{0, "198.51.100.1", "198.51.100.2"},
		{1, "198.51.100.5", "198.51.100.6"},
		{linkCount - 1, "198.51.100.253", "198.51.100.254"},
	} {
		l := linkAt(tt.n)
		if l.Host.String() != tt.host || l.Node.String() != tt.node {
			t.Errorf("linkAt(%d) = %s and %s, want %s and %s", tt.n, l.Host, l.Node, tt.host, tt.node)
		}
		if p := l.prefix(); !p.Contains(l.Host) || !p.Contains(l.Node) || !linkRange.Overlaps(p) {
			t.Errorf("linkAt(%d) is not within its own network %s", tt.n, p)
		}
	}
}

func TestFreeLink(t *testing.T) {
	for _, tt := range []struct {
		reason string
		used   []string
		want   string // the node's address; "" for none
	}{
		{"nothing is used", nil, "198.51.100.2"},
		{"unrelated networks don't matter", []string{"10.0.0.0/8", "192.0.2.2/24"}, "198.51.100.2"},
		{"another cluster has the first", []string{"198.51.100.0/30"}, "198.51.100.6"},
		{"a gap is taken", []string{"198.51.100.0/30", "198.51.100.8/30"}, "198.51.100.6"},
		{"a host route blocks its link only", []string{"198.51.100.1/32"}, "198.51.100.6"},
		{"somebody uses the whole range", []string{"198.51.100.0/24"}, ""},
	} {
		var used []netip.Prefix
		for _, u := range tt.used {
			used = append(used, netip.MustParsePrefix(u).Masked())
		}
		l, err := freeLink(used)
		if tt.want == "" {
			if err == nil {
				t.Errorf("%s: got %s, want an error", tt.reason, l.Node)
			}
			continue
		}
		if err != nil || l.Node.String() != tt.want {
			t.Errorf("%s: got %s, %v, want %s", tt.reason, l.Node, err, tt.want)
		}
	}
}

func TestDeviceName(t *testing.T) {
	seen := map[string]string{}
	long := strings.Repeat("long-", 7)
	for _, name := range []string{"a", DefaultName, "twelve-chars", "thirteen-char", long + "1", long + "2"} {
		device := deviceName(name)
		if len(device) > 15 {
			t.Errorf("device of %q is %q: longer than the kernel allows", name, device)
		}
		if other, taken := seen[device]; taken {
			t.Errorf("%q and %q share device %q", name, other, device)
		}
		seen[device] = name
	}
}
