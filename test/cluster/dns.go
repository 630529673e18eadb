package cluster

import (
	"fmt"
	"os"
)

// dnsDomain is where Kubernetes looks for Services by default.
const dnsDomain = "cluster.local"

// corefile answers for Services and nothing else: there is nobody to ask about other names.
const corefile = `.:53 {
    bind %s
    errors
    kubernetes %s in-addr.arpa {
        kubeconfig %s
        ttl 5
    }
}
`

// dns runs on the node itself, at its address, which every Pod can reach.
func (s setup) dns() program {
	return program{Name: coreDNS, Path: s.bin(coreDNS), After: apiReady, Args: []string{"-conf", s.configFile("Corefile")}}
}

func (s setup) writeDNSConfig() error {
	if !s.options.DNS {
		return nil
	}
	text := fmt.Sprintf(corefile, s.Link.Node, dnsDomain, s.kubeconfig(coreDNS))
	return os.WriteFile(s.configFile("Corefile"), []byte(text), 0o644)
}
