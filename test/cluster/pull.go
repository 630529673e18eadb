package cluster

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
)

// pullEverythingFrom is containerd's file on a registry; the one of the folder _default is for all that have no other.
const pullEverythingFrom = `server = "%[1]s"

[host."%[1]s"]
  capabilities = ["pull", "resolve"]
`

// PullFrom makes the cluster pull every image from one registry, such as http://198.51.100.1:5000, whatever registry
// the image's name says: a mirror, as a cluster without a way out has one. Images that are loaded already are not
// pulled, unless a Pod wants them to be always.
func (c *Cluster) PullFrom(registry string) error {
	if c.Own() {
		return fmt.Errorf("pull from %s: %w", registry, ErrOwnCluster)
	}
	file := filepath.Join(c.registryDir(), "_default", "hosts.toml")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, fmt.Appendf(nil, pullEverythingFrom, registry), 0o644)
}

// HostAddress is the machine's address as the cluster sees it, on a link that nothing else can reach. It is the zero
// address for the user's own cluster.
func (c *Cluster) HostAddress() netip.Addr { return c.Link.Host }
