package cluster

import (
	"sort"
	"strconv"
	"strings"
)

// program is one process of the node and what it waits for.
type program struct {
	Name string   `json:"name"`
	Path string   `json:"path"`
	Args []string `json:"args"`
	// After is what the program's first start waits for: an address that accepts
	// connections, "tcp:127.0.0.1:2379" or "unix:/run/x.sock", or a URL that
	// answers with success.
	After string `json:"after,omitempty"`
}

// The programs of a node, by the names that Signal and the log files use.
const (
	etcd              = "etcd"
	apiServer         = "kube-apiserver"
	controllerManager = "kube-controller-manager"
	scheduler         = "kube-scheduler"
	kubeProxy         = "kube-proxy"
	kubelet           = "kubelet"
	containerd        = "containerd"
	coreDNS           = "coredns"
)

// setup is what the configuration of the programs depends on.
type setup struct {
	layout
	options     Options
	snapshotter string // containerd's way to stack image layers
	reserved    string // memory withheld from Pods, "" for none
}

// programs lists what runs on the node, in starting order.
func (s setup) programs() []program {
	all := []program{
		s.etcd(),
		s.containerd(),
		s.apiServer(),
		s.controllerManager(),
		s.scheduler(),
		s.kubelet(),
		s.kubeProxy(),
	}
	if s.options.DNS {
		all = append(all, s.dns())
	}
	return all
}

// featureGates is the flag --feature-gates=A=true,B=false, or nothing.
func featureGates(gates map[string]bool) []string {
	if len(gates) == 0 {
		return nil
	}
	list := make([]string, 0, len(gates))
	for name, on := range gates {
		list = append(list, name+"="+strconv.FormatBool(on))
	}
	sort.Strings(list)
	return []string{"--feature-gates=" + strings.Join(list, ",")}
}
