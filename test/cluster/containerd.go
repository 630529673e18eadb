package cluster

import (
	"bytes"
	"fmt"
	"os"
	"text/template"
)

// containerdSocket must be this one: the kubelet's cAdvisor looks for containers
// only there. The node's /run is its own, so it is not the machine's containerd.
const containerdSocket = "/run/containerd/containerd.sock"

// containerdConfig keeps everything below folders of the cluster. AppArmor is
// off, because containerd would load a profile into the machine's kernel, where
// it stays; NRI is off, because nothing here plugs into it.
var containerdConfig = template.Must(template.New("containerd").Parse(`version = 3
root = "/var/lib/containerd"
state = "/run/containerd"

[grpc]
  address = "{{.Socket}}"

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "{{.Snapshotter}}"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{{.Pause}}"
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = "{{.RegistryDir}}"

[plugins."io.containerd.cri.v1.runtime"]
  # The machine may lack CAP_SYS_RESOURCE, without which scores can't be lowered.
  restrict_oom_score_adj = true
  disable_apparmor = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        BinaryName = "{{.Runc}}"
        SystemdCgroup = false
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["{{.BinDir}}"]
    conf_dir = "{{.CNIDir}}"

[plugins."io.containerd.nri.v1.nri"]
  disable = true

# The data lives as long as the process: nothing to save from a power cut.
[plugins."io.containerd.metadata.v1.bolt"]
  no_sync = true

[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"
`))

// cniConfig puts Pods on a bridge in the node's own network namespace. There is
// no masquerading: no packet of a Pod is to leave the machine.
const cniConfig = `{
  "cniVersion": "1.0.0",
  "name": "pods",
  "plugins": [{
    "type": "bridge",
    "bridge": "cni0",
    "isGateway": true,
    "ipMasq": false,
    "hairpinMode": true,
    "ipam": {
      "type": "host-local",
      "ranges": [[{"subnet": "` + podCIDR + `"}]],
      "routes": [{"dst": "0.0.0.0/0"}],
      "dataDir": "/run/cni"
    }
  }]
}
`

func (s setup) containerd() program {
	return program{Name: containerd, Path: s.bin(containerd),
		Args: []string{"--config=" + s.configFile("containerd.toml")}}
}

func (s setup) writeContainerdConfig() error {
	var b bytes.Buffer
	err := containerdConfig.Execute(&b, map[string]string{
		"Socket":      containerdSocket,
		"Snapshotter": s.snapshotter,
		"Pause":       pauseImage,
		"Runc":        s.bin("runc"),
		"BinDir":      s.binDir(),
		"CNIDir":      s.cniDir(),
		"RegistryDir": s.registryDir(),
	})
	if err != nil {
		return fmt.Errorf("configuration of containerd: %w", err)
	}
	if err := os.WriteFile(s.configFile("containerd.toml"), b.Bytes(), 0o644); err != nil {
		return err
	}
	if err := os.MkdirAll(s.cniDir(), 0o755); err != nil {
		return err
	}
	return os.WriteFile(s.cniDir()+"/10-bridge.conflist", []byte(cniConfig), 0o644)
}
