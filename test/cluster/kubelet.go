package cluster

import (
	"fmt"
	"maps"
	"os"

	"sigs.k8s.io/yaml"
)

// evictionMemory is Kubernetes' default for the free memory below which the
// kubelet evicts Pods.
const evictionMemory = "100Mi"

func (s setup) kubelet() program {
	return program{Name: kubelet, Path: s.bin(kubelet), After: "unix:" + containerdSocket, Args: []string{
		"--config=" + s.configFile("kubelet.yaml"),
		"--kubeconfig=" + s.kubeconfig(kubelet),
		"--hostname-override=" + s.nodeName(),
		"--node-ip=" + s.Link.Node.String(),
		"--cert-dir=" + s.data("kubelet-certs"),
		"--v=2",
	}}
}

// kubeletConfig differs from Kubernetes' defaults only where a node that shares
// its machine has to; in particular the intervals that decide how old a usage
// sample is are the defaults.
func (s setup) kubeletConfig() map[string]any {
	gates := map[string]bool{}
	if s.options.Stats == StatsFromCRI {
		gates["PodAndContainerStatsFromCRI"] = true
	}
	maps.Copy(gates, s.options.FeatureGates)
	config := map[string]any{
		"apiVersion":         "kubelet.config.k8s.io/v1beta1",
		"kind":               "KubeletConfiguration",
		"address":            "0.0.0.0",
		"port":               kubeletPort,
		"readOnlyPort":       0,
		"healthzBindAddress": "127.0.0.1",
		"tlsCertFile":        s.pkiFile("kubelet.crt"),
		"tlsPrivateKeyFile":  s.pkiFile("kubelet.key"),
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false},
			"webhook":   map[string]any{"enabled": true},
			"x509":      map[string]any{"clientCAFile": s.pkiFile("ca.crt")},
		},
		"authorization":            map[string]any{"mode": "Webhook"},
		"featureGates":             gates,
		"containerRuntimeEndpoint": "unix://" + containerdSocket,
		"cgroupDriver":             "cgroupfs",
		"cgroupRoot":               s.cgroup(),
		"failCgroupV1":             false,
		// The node shares the machine: its Pods as a whole are not confined.
		"enforceNodeAllocatable": []string{},
		"failSwapOn":             false,
		"resolvConf":             "",
		// Nobody is there, and says so at once; without an address every Pod would
		// get an Event about the lack of it.
		"clusterDNS":      []string{"192.0.2.10"},
		"clusterDomain":   "cluster.local",
		"maxPods":         s.options.MaxPods,
		"registryPullQPS": 0,
		"volumePluginDir": s.data("volume-plugins"),
		// Images can't be pulled again, so none is ever deleted to make room.
		"imageGCHighThresholdPercent": 100,
		// Of the disk, little: that the machine's is full is not the Pods' doing.
		"evictionHard": map[string]string{
			"memory.available": evictionMemory, "nodefs.available": "1%", "nodefs.inodesFree": "1%",
			"imagefs.available": "1%", "imagefs.inodesFree": "1%",
		},
	}
	if s.options.DNS {
		config["clusterDNS"] = []string{s.Link.Node.String()}
		config["clusterDomain"] = dnsDomain
	}
	if s.reserved != "" {
		config["systemReserved"] = map[string]string{"memory": s.reserved}
	}
	return config
}

func (s setup) writeKubeletConfig() error {
	b, err := yaml.Marshal(s.kubeletConfig())
	if err != nil {
		return fmt.Errorf("configuration of the kubelet: %w", err)
	}
	return os.WriteFile(s.configFile("kubelet.yaml"), b, 0o644)
}
