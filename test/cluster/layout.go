package cluster

import (
	"fmt"
	"path/filepath"
)

// layout says where things are: the paths of one cluster and its address. It is
// stored in the state folder, for the node's processes and for Find.
type layout struct {
	Name string `json:"name"`
	Dir  string `json:"dir"`
	Link link   `json:"link"`
}

func (l layout) nodeName() string { return nodeName(l.Name) }
func (l layout) apiURL() string   { return fmt.Sprintf("https://%s:%d", l.Link.Node, apiPort) }

func (l layout) path(elem ...string) string {
	return filepath.Join(append([]string{l.Dir}, elem...)...)
}

func (l layout) pki() string                   { return l.path("pki") }
func (l layout) pkiFile(name string) string    { return l.path("pki", name) }
func (l layout) adminKubeconfig() string       { return l.path("kubeconfig") }
func (l layout) kubeconfig(user string) string { return l.path("config", user+".kubeconfig") }
func (l layout) configFile(name string) string { return l.path("config", name) }
func (l layout) cniDir() string                { return l.path("config", "cni") }
func (l layout) registryDir() string           { return l.path("config", "registries") }
func (l layout) binDir() string                { return l.path("bin") }
func (l layout) bin(program string) string     { return l.path("bin", program) }
func (l layout) logDir() string                { return l.path("logs") }
func (l layout) logFile(program string) string { return l.path("logs", program+".log") }
func (l layout) auditLog() string              { return l.path("logs", "audit.log") }
func (l layout) statusDir() string             { return l.path("status") }
func (l layout) statusFile(prog string) string { return l.path("status", prog+".json") }
func (l layout) holdFile(prog string) string   { return l.path("status", prog+".hold") }
func (l layout) pidFile() string               { return l.path("pid") }
func (l layout) specFile() string              { return l.path("node.json") }
func (l layout) lockFile() string              { return l.path("lock") }
func (l layout) data(program string) string    { return l.path("data", program) }
func (l layout) cgroup() string                { return "/" + resourceName(l.Name) }
