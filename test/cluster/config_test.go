package cluster

import (
	"os"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func newTestSetup(t *testing.T, o Options) setup {
	t.Helper()
	o, err := o.complete()
	if err != nil {
		t.Fatal(err)
	}
	return setup{layout: newTestLayout(t), options: o, snapshotter: "overlayfs"}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, tt := range []struct {
		reason  string
		options Options
		message string // "" for acceptable
	}{
		{"all defaults", Options{}, ""},
		{"everything set", Options{Name: "b-2", Dir: "/x", Stats: StatsFromCRI, NodeMemory: "4Gi"}, ""},
		{"a name that is no path element", Options{Name: "../x"}, "DNS label"},
		{"a name too long for a label", Options{Name: strings.Repeat("x", 41)}, "DNS label"},
		{"stats that don't exist", Options{Stats: "guess"}, "cAdvisor"},
		{"more Pods than addresses", Options{MaxPods: 251}, "1 to 250"},
		{"memory that is no quantity", Options{NodeMemory: "much"}, "quantity"},
		{"no memory at all", Options{NodeMemory: "0"}, "quantity"},
	} {
		_, err := tt.options.complete()
		switch {
		case tt.message == "" && err != nil:
			t.Errorf("%s: %v", tt.reason, err)
		case tt.message != "" && (err == nil || !strings.Contains(err.Error(), tt.message)):
			t.Errorf("%s: got %v, want a message with %q", tt.reason, err, tt.message)
		}
	}
}

func TestDefaultsNameTheStateFolder(t *testing.T) {
	t.Setenv("TMPDIR", "/elsewhere")
	o, err := Options{}.complete()
	if err != nil {
		t.Fatal(err)
	}
	if o.Name != DefaultName || o.Dir != "/elsewhere/memhog-cluster-memhog" || o.Stats != StatsFromCAdvisor {
		t.Errorf("got name %q, folder %q, stats %q", o.Name, o.Dir, o.Stats)
	}
}

func TestKubeletConfig(t *testing.T) {
	gate := func(s setup) map[string]bool { return s.kubeletConfig()["featureGates"].(map[string]bool) }
	const fromCRI = "PodAndContainerStatsFromCRI"

	s := newTestSetup(t, Options{})
	if gate(s)[fromCRI] {
		t.Error("stats come from the CRI by default, which most clusters' don't")
	}
	if most := s.kubeletConfig()["maxPods"]; most != 110 {
		t.Errorf("the node takes %v Pods", most)
	}
	if _, set := s.kubeletConfig()["systemReserved"]; set {
		t.Error("memory is withheld from Pods by default")
	}
	s = newTestSetup(t, Options{Stats: StatsFromCRI, FeatureGates: map[string]bool{"Other": false}})
	if g := gate(s); !g[fromCRI] || g["Other"] || len(g) != 2 {
		t.Errorf("feature gates %v", g)
	}
	s.reserved = "1Gi"
	if r := s.kubeletConfig()["systemReserved"].(map[string]string)["memory"]; r != "1Gi" {
		t.Errorf("reserved memory %q, want 1Gi", r)
	}
}

func TestFeatureGatesReachEveryKubernetesProgram(t *testing.T) {
	s := newTestSetup(t, Options{FeatureGates: map[string]bool{"B": true, "A": false}})
	for _, p := range s.programs() {
		has := slices.Contains(p.Args, "--feature-gates=A=false,B=true")
		// The kubelet has them in its configuration file.
		want := strings.HasPrefix(p.Name, "kube-")
		if has != want {
			t.Errorf("%s has feature gates: %v, want %v", p.Name, has, want)
		}
	}
}

func TestTheControlPlaneAloneGetsItsFlags(t *testing.T) {
	s := newTestSetup(t, Options{ControlPlaneArgs: []string{"--emulated-version=1.34"}})
	for _, p := range s.programs() {
		has := slices.Contains(p.Args, "--emulated-version=1.34")
		if want := slices.Contains([]string{apiServer, controllerManager, scheduler}, p.Name); has != want {
			t.Errorf("%s has the flag: %v", p.Name, has)
		}
	}
}

// Everything is below the state folder, or below what the node covers with it.
func TestProgramsKeepToTheStateFolder(t *testing.T) {
	s := newTestSetup(t, Options{})
	for _, p := range s.programs() {
		for _, arg := range append(p.Args, p.Path) {
			_, path, ok := strings.Cut(arg, "=/")
			if ok && !strings.HasPrefix("/"+path, s.Dir+"/") {
				t.Errorf("%s is told of a path on the machine: %s", p.Name, arg)
			}
		}
	}
}

func TestWrittenConfiguration(t *testing.T) {
	s := newTestSetup(t, Options{})
	if err := os.MkdirAll(s.configFile(""), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, write := range []func() error{s.writeAuditPolicy, s.writeKubeletConfig, s.writeContainerdConfig} {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{s.configFile("audit-policy.yaml"), s.configFile("kubelet.yaml"), s.cniDir() + "/10-bridge.conflist"} {
		var content map[string]any
		if err := yaml.UnmarshalStrict(readFile(t, file), &content); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	toml := string(readFile(t, s.configFile("containerd.toml")))
	for _, want := range []string{`sandbox = "` + pauseImage + `"`, `BinaryName = "` + s.bin("runc") + `"`, containerdSocket} {
		if !strings.Contains(toml, want) {
			t.Errorf("containerd's configuration lacks %s", want)
		}
	}
}
