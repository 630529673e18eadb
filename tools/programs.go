// Package tools builds the programs this project uses but does not contain (a
// Kubernetes, its runtime, generators, linters) from pinned Go modules.
//
// Nothing is downloaded but module source, checked against the go.sum files
// committed beside this package; an executable is compiled once, and kept in a
// cache outside the clone under a key that changes with its pin.
package tools

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Program says how one executable is built.
type Program struct {
	// Name is the executable's file name.
	Name string
	// Family is the folder below tools/ whose go.mod pins the program.
	Family string
	// Package is the import path of the main package.
	Package string
	// Tags are Go build tags.
	Tags []string
	// LDFlags is a text/template over the Version of the program's module. Only
	// linker flags belong here: a compiler flag would split the build cache that
	// programs of a family share.
	LDFlags string
	// CGO allows C code. It wants a C compiler, so it is off unless a program
	// cannot do without.
	CGO bool
	// Cold is about how long a first build takes on two cores, after the
	// programs above it in the table have filled Go's build cache.
	Cold time.Duration
	// Needs are what the build needs from the machine beside Go.
	Needs []Need
}

const (
	kubernetesFlags = "-X k8s.io/component-base/version.gitVersion={{.}}" +
		" -X k8s.io/component-base/version.gitMajor={{.Major}}" +
		" -X k8s.io/component-base/version.gitMinor={{.Minor}}"
	containerdFlags = "-X github.com/containerd/containerd/v2/version.Version={{.}}"
	cniFlags        = "-X github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion={{.}}"
	prometheusFlags = "-X github.com/prometheus/common/version.Version={{.Prometheus}}"
	kustomizeFlags  = "-X sigs.k8s.io/kustomize/api/provenance.version={{.}}"
	// golangci-lint believes main.version only when main.date is set, too.
	golangciFlags = "-X main.version={{.Bare}} -X main.date=unknown"
	opmFlags      = "-X github.com/operator-framework/operator-registry/cmd/opm/version.opmVersion={{.}}"
	olmFlags      = "-X github.com/operator-framework/operator-lifecycle-manager/pkg/version.OLMVersion={{.Bare}}"
	// ImageVersion names the scorecard image that `operator-sdk init` writes down.
	operatorSDKFlags = "-X github.com/operator-framework/operator-sdk/internal/version.Version={{.}}" +
		" -X github.com/operator-framework/operator-sdk/internal/version.GitVersion={{.}}" +
		" -X github.com/operator-framework/operator-sdk/internal/version.ImageVersion={{.}}"
)

var (
	containerdTags = []string{"no_btrfs", "no_devmapper", "no_zfs"}
	// Of its many service discoveries a Prometheus for Kubernetes needs one; the
	// others would bring every cloud's client library.
	prometheusTags = []string{"remove_all_sd", "enable_kubernetes_sd"}
	// Go's own implementations in place of C libraries, which CGO_ENABLED=0 rules out.
	opmTags = []string{"json1", "containers_image_openpgp", "exclude_graphdriver_btrfs"}
)

// programs is in build order: kube-apiserver compiles most of what the other
// Kubernetes programs need, so they follow it.
var programs = []Program{
	kubernetes("kube-apiserver", 6*time.Minute),
	kubernetes("kube-controller-manager", 2*time.Minute),
	kubernetes("kube-scheduler", 15*time.Second),
	kubernetes("kube-proxy", 15*time.Second),
	kubernetes("kubelet", 35*time.Second),
	kubernetes("kubectl", 30*time.Second),
	{Name: "etcd", Family: "etcd", Package: "go.etcd.io/etcd/server/v3", Cold: 30 * time.Second},
	containerd("containerd", 50*time.Second),
	containerd("containerd-shim-runc-v2", 5*time.Second),
	containerd("ctr", 10*time.Second),
	{
		Name: "runc", Family: "runc", Package: "github.com/opencontainers/runc",
		// Linked statically, as runc's own releases are: a cache that is copied to
		// another machine must work there without that machine's C libraries.
		Tags: []string{"seccomp", "netgo", "osusergo"}, CGO: true,
		LDFlags: "-X main.version={{.Bare}} -extldflags -static", Cold: 30 * time.Second,
		Needs: []Need{
			{Program: "gcc", Package: "gcc"},
			{File: "/usr/include/stdlib.h", Package: "libc6-dev"},
			{Program: "pkg-config", Package: "pkg-config"},
			{PkgConfig: "libseccomp", Package: "libseccomp-dev"},
		},
	},
	cni("bridge", "main/bridge"),
	cni("loopback", "main/loopback"),
	cni("host-local", "ipam/host-local"),
	prometheus("prometheus", 3*time.Minute),
	prometheus("promtool", 20*time.Second),
	{
		Name: "controller-gen", Family: "controller-gen",
		Package: "sigs.k8s.io/controller-tools/cmd/controller-gen", Cold: 30 * time.Second,
	},
	{
		Name: "kustomize", Family: "kustomize", Package: "sigs.k8s.io/kustomize/kustomize/v5",
		LDFlags: kustomizeFlags, Cold: 30 * time.Second,
	},
	{
		Name: "golangci-lint", Family: "golangci-lint",
		Package: "github.com/golangci/golangci-lint/v2/cmd/golangci-lint",
		LDFlags: golangciFlags, Cold: 2 * time.Minute,
	},
	{
		Name: "operator-sdk", Family: "operator-sdk",
		Package: "github.com/operator-framework/operator-sdk/cmd/operator-sdk",
		// The tag replaces GnuPG's C library, which CGO_ENABLED=0 rules out.
		Tags: []string{"containers_image_openpgp"}, LDFlags: operatorSDKFlags, Cold: 3 * time.Minute,
	},
	{
		Name: "scorecard-test", Family: "operator-sdk",
		Package: "github.com/operator-framework/operator-sdk/images/scorecard-test",
		Tags:    []string{"containers_image_openpgp"}, LDFlags: operatorSDKFlags, Cold: 20 * time.Second,
	},
	{
		Name: "opm", Family: "opm", Package: "github.com/operator-framework/operator-registry/cmd/opm",
		Tags: opmTags, LDFlags: opmFlags, Cold: 3 * time.Minute,
	},
	{
		Name: "grpc-health-probe", Family: "grpc-health-probe", Package: "github.com/grpc-ecosystem/grpc-health-probe",
		Cold: 20 * time.Second,
	},
	olm("olm", "cmd/olm", 2*time.Minute),
	olm("catalog", "cmd/catalog", 30*time.Second),
	olm("copy-content", "cmd/copy-content", 5*time.Second),
	olm("cpb", "util/cpb", 5*time.Second),
	{
		Name: "coredns", Family: "coredns", Package: "github.com/coredns/coredns", Cold: 4 * time.Minute,
	},
}

// groups are names for what is used together.
var groups = map[string][]string{
	// A whole single-node cluster in which Pods really run.
	"cluster": {
		"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl",
		"etcd", "containerd", "containerd-shim-runc-v2", "ctr", "runc", "bridge", "loopback", "host-local",
	},
	// What envtest expects in KUBEBUILDER_ASSETS.
	"apiserver": {"kube-apiserver", "kubectl", "etcd"},
	// Generators, linters and checks.
	"verify": {"promtool", "controller-gen", "kustomize", "golangci-lint", "operator-sdk", "opm"},
	// The Operator Lifecycle Manager, and what stands in its images and in those of catalogs and scorecards.
	"lifecycle": {
		"opm", "grpc-health-probe", "olm", "catalog", "copy-content", "cpb", "coredns", "operator-sdk", "scorecard-test",
	},
}

func kubernetes(name string, cold time.Duration) Program {
	return Program{
		Name: name, Family: "kubernetes", Package: "k8s.io/kubernetes/cmd/" + name,
		LDFlags: kubernetesFlags, Cold: cold,
	}
}

func containerd(name string, cold time.Duration) Program {
	return Program{
		Name: name, Family: "containerd", Package: "github.com/containerd/containerd/v2/cmd/" + name,
		Tags: containerdTags, LDFlags: containerdFlags, Cold: cold,
	}
}

func cni(name, folder string) Program {
	return Program{
		Name: name, Family: "cni", Package: "github.com/containernetworking/plugins/plugins/" + folder,
		LDFlags: cniFlags, Cold: 5 * time.Second,
	}
}

func prometheus(name string, cold time.Duration) Program {
	return Program{
		Name: name, Family: "prometheus", Package: "github.com/prometheus/prometheus/cmd/" + name,
		Tags: prometheusTags, LDFlags: prometheusFlags, Cold: cold,
	}
}

func olm(name, folder string, cold time.Duration) Program {
	return Program{
		Name: name, Family: "olm", Package: "github.com/operator-framework/operator-lifecycle-manager/" + folder,
		Tags: opmTags, LDFlags: olmFlags, Cold: cold,
	}
}

// Expand turns names of programs and groups into programs, each once, in build order.
func Expand(names ...string) ([]Program, error) {
	wanted := map[string]bool{}
	for _, name := range names {
		members, isGroup := groups[name]
		if !isGroup {
			members = []string{name}
		}
		for _, member := range members {
			if !slices.ContainsFunc(programs, func(p Program) bool { return p.Name == member }) {
				return nil, fmt.Errorf("no program or group %q; there are the groups %s and the programs %s",
					member, strings.Join(GroupNames(), ", "), strings.Join(ProgramNames(), ", "))
			}
			wanted[member] = true
		}
	}
	var list []Program
	for _, p := range programs {
		if wanted[p.Name] {
			list = append(list, p)
		}
	}
	return list, nil
}

// ProgramNames lists every program, in build order.
func ProgramNames() []string {
	names := make([]string, len(programs))
	for i, p := range programs {
		names[i] = p.Name
	}
	return names
}

// GroupNames lists every group, sorted.
func GroupNames() []string {
	var names []string
	for name := range groups {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
