package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Cluster is a running cluster: one that Up started, or the user's own.
type Cluster struct {
	layout
	own  string // kubeconfig of the user's own cluster; "" for one of ours
	node *node  // set in the process that called Up
}

// ErrOwnCluster is returned by what can be done only to a cluster that Up started.
var ErrOwnCluster = errors.New("not possible on the cluster that KUBECONFIG names")

// Open returns the cluster that KUBECONFIG names, if it is set, and starts one
// with Up if not. Down is right for both: it leaves the user's cluster alone.
func Open(ctx context.Context, o Options) (*Cluster, error) {
	config := os.Getenv("KUBECONFIG")
	if config == "" {
		return Up(ctx, o)
	}
	c := &Cluster{own: config}
	if _, err := c.RESTConfig(); err != nil {
		return nil, fmt.Errorf("KUBECONFIG=%s: %w", config, err)
	}
	return c, nil
}

// Own says whether this is the user's own cluster, where images can't be loaded
// and programs can't be signalled.
func (c *Cluster) Own() bool { return c.own != "" }

// Kubeconfig is the path of an administrator's kubeconfig.
func (c *Cluster) Kubeconfig() string {
	if c.Own() {
		return c.own
	}
	return c.adminKubeconfig()
}

// RESTConfig is an administrator's client configuration.
func (c *Cluster) RESTConfig() (*rest.Config, error) {
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: splitList(c.Kubeconfig())}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", c.Kubeconfig(), err)
	}
	// A test's client is no controller that has to be kept in check.
	config.QPS, config.Burst = 200, 400
	return config, nil
}

// AuditLog is the path of the API server's audit log: one JSON object (an
// audit.k8s.io/v1 Event) a line for each finished write, reads left out. It is
// empty for the user's own cluster.
func (c *Cluster) AuditLog() string {
	if c.Own() {
		return ""
	}
	return c.auditLog()
}

// Logs is the folder with a log file per program, and is empty for the user's
// own cluster.
func (c *Cluster) Logs() string {
	if c.Own() {
		return ""
	}
	return c.logDir()
}

// Kubectl is the path of a kubectl of the cluster's version; for the user's own
// cluster it is the one in PATH.
func (c *Cluster) Kubectl() string {
	if c.Own() {
		return "kubectl"
	}
	return c.bin("kubectl")
}

// NodeName is the Kubernetes name of the only node, and is empty for the user's
// own cluster.
func (c *Cluster) NodeName() string {
	if c.Own() {
		return ""
	}
	return c.nodeName()
}

// Cgroup is the folder, in each cgroup hierarchy, below which the Pods are.
func (c *Cluster) Cgroup() string {
	if c.Own() {
		return ""
	}
	return c.cgroup()
}
