package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
)

// Addresses of every cluster. Each has its own network namespace, so only the
// link between the machine and the node must differ between two clusters. All
// are documentation ranges (RFC 5737), which no real network uses.
const (
	podCIDR     = "203.0.113.0/24"
	serviceCIDR = "192.0.2.0/24"
	serviceIP   = "192.0.2.1" // the Service default/kubernetes: the first of the range
	apiPort     = 6443
	kubeletPort = 10250
)

// linkRange is cut into links of four addresses: network, host, node, broadcast.
var linkRange = netip.MustParsePrefix("198.51.100.0/24")

const (
	linkBits  = 30
	linkCount = 64
)

// link is the point-to-point network between the machine and a node.
type link struct {
	Host netip.Addr `json:"host"` // the machine's end
	Node netip.Addr `json:"node"` // the node's end, and the node's InternalIP
}

// linkAt returns the nth link: 0 → 198.51.100.1 and .2, 1 → .5 and .6.
func linkAt(n int) link {
	base := linkRange.Addr().As4()
	base[3] += byte(n * 4)
	host, node := base, base
	host[3]++
	node[3] += 2
	return link{Host: netip.AddrFrom4(host), Node: netip.AddrFrom4(node)}
}

// prefix is the link's network.
func (l link) prefix() netip.Prefix { return netip.PrefixFrom(l.Host, linkBits).Masked() }

// freeLink returns the first link that overlaps none of the networks in use.
func freeLink(used []netip.Prefix) (link, error) {
	for n := range linkCount {
		l := linkAt(n)
		if !overlapsAny(l.prefix(), used) {
			return l, nil
		}
	}
	return link{}, fmt.Errorf("all %d links of %s are in use on this machine", linkCount, linkRange)
}

func overlapsAny(p netip.Prefix, others []netip.Prefix) bool {
	for _, o := range others {
		if p.Overlaps(o) {
			return true
		}
	}
	return false
}

// deviceName is the name of the machine's end of the link; the kernel allows 15
// characters, so that a long cluster name is replaced by a hash of it.
func deviceName(cluster string) string {
	const room = 15 - len("mh-")
	if len(cluster) <= room {
		return "mh-" + cluster
	}
	sum := sha256.Sum256([]byte(cluster))
	return "mh-" + hex.EncodeToString(sum[:])[:room]
}
