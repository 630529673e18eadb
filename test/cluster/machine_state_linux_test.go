package cluster

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
)

// machineState is what a cluster could leave behind on the machine, or change.
type machineState struct {
	Mounts   []string
	Devices  []string
	Cgroups  []string
	Folders  []string // that Kubernetes' programs would create on a machine of their own
	Settings map[string]string
	Firewall string
}

// observe reads the state; what clusters of other names do meanwhile is left out.
func observe(t *testing.T) machineState {
	t.Helper()
	s := machineState{Settings: map[string]string{}}
	for line := range strings.Lines(string(readFile(t, "/proc/self/mountinfo"))) {
		s.Mounts = append(s.Mounts, strings.Fields(line)[4])
	}
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if name := l.Attrs().Name; !strings.HasPrefix(name, "mh-") || name == deviceName(testName()) {
			s.Devices = append(s.Devices, name)
		}
	}
	for _, name := range []string{resourceName(testName()), "kubepods*"} {
		for _, dir := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/*"} {
			found, _ := filepath.Glob(filepath.Join(dir, name))
			s.Cgroups = append(s.Cgroups, found...)
		}
	}
	for _, dir := range []string{"/etc/cni", "/etc/containerd", "/etc/kubernetes", "/opt/cni", "/opt/containerd",
		"/var/lib/kubelet", "/var/lib/containerd", "/var/lib/cni", "/var/log/pods", "/var/log/containers",
		"/run/containerd", "/run/netns", "/run/cni", "/run/nri", "/usr/libexec/kubernetes", "/etc/cdi"} {
		if _, err := os.Stat(dir); err == nil {
			s.Folders = append(s.Folders, dir)
		}
	}
	for setting := range pretended {
		s.Settings[setting] = string(readFile(t, setting))
	}
	for _, setting := range []string{"net/ipv4/ip_forward", "net/ipv4/conf/all/route_localnet", "net/netfilter/nf_conntrack_max"} {
		b, _ := os.ReadFile("/proc/sys/" + setting) // absent without the kernel's module
		s.Settings[setting] = string(b)
	}
	if rules, err := exec.Command("nft", "list", "ruleset").Output(); err == nil {
		s.Firewall = string(rules)
	}
	return s
}

// expectUnchanged fails the test if the machine is not as it was.
func expectUnchanged(t *testing.T, before machineState) {
	t.Helper()
	if diff := cmp.Diff(before, observe(t)); diff != "" {
		t.Errorf("the machine was changed (-before +after):\n%s", diff)
	}
}

// processesIn lists the processes of a process namespace.
func processesIn(namespace string) []string {
	links, _ := filepath.Glob("/proc/[0-9]*/ns/pid")
	var found []string
	for _, link := range links {
		if ns, err := os.Readlink(link); err == nil && ns == namespace {
			found = append(found, filepath.Dir(filepath.Dir(link)))
		}
	}
	return found
}
