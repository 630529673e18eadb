package cluster

import (
	"fmt"
	"os"
)

const (
	etcdClient = "127.0.0.1:2379"
	etcdPeer   = "127.0.0.1:2380"
	apiReady   = "https://127.0.0.1:6443/readyz"
)

func (s setup) etcd() program {
	return program{Name: etcd, Path: s.bin(etcd), Args: []string{
		"--name=" + s.nodeName(),
		"--data-dir=" + s.data(etcd),
		"--listen-client-urls=http://" + etcdClient,
		"--advertise-client-urls=http://" + etcdClient,
		"--listen-peer-urls=http://" + etcdPeer,
		"--initial-advertise-peer-urls=http://" + etcdPeer,
		"--initial-cluster=" + s.nodeName() + "=http://" + etcdPeer,
		// The data lives as long as the process: nothing to save from a power cut.
		"--unsafe-no-fsync",
		"--log-level=warn",
	}}
}

func (s setup) apiServer() program {
	args := []string{
		"--etcd-servers=http://" + etcdClient,
		"--bind-address=0.0.0.0",
		fmt.Sprintf("--secure-port=%d", apiPort),
		// Also the address of the Service default/kubernetes; loopback is refused there.
		"--advertise-address=" + s.Link.Node.String(),
		"--service-cluster-ip-range=" + serviceCIDR,
		"--allow-privileged",
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--client-ca-file=" + s.pkiFile("ca.crt"),
		"--tls-cert-file=" + s.pkiFile("apiserver.crt"),
		"--tls-private-key-file=" + s.pkiFile("apiserver.key"),
		"--kubelet-certificate-authority=" + s.pkiFile("ca.crt"),
		"--kubelet-client-certificate=" + s.pkiFile("apiserver-kubelet-client.crt"),
		"--kubelet-client-key=" + s.pkiFile("apiserver-kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + s.pkiFile("sa.pub"),
		"--service-account-signing-key-file=" + s.pkiFile("sa.key"),
		"--requestheader-client-ca-file=" + s.pkiFile("front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + s.pkiFile("front-proxy-client.crt"),
		"--proxy-client-key-file=" + s.pkiFile("front-proxy-client.key"),
		// Without cluster DNS, webhooks and extension API servers are reached by endpoint.
		"--enable-aggregator-routing=true",
		"--audit-policy-file=" + s.configFile("audit-policy.yaml"),
		"--audit-log-path=" + s.auditLog(),
		// Blocking: an answered write is in the log, so that a test may count.
		"--audit-log-mode=blocking",
		"--audit-log-maxsize=0",
	}
	return program{Name: apiServer, Path: s.bin(apiServer), After: "tcp:" + etcdClient,
		Args: append(args, s.controlPlaneArgs()...)}
}

func (s setup) controlPlaneArgs() []string {
	return append(featureGates(s.options.FeatureGates), s.options.ControlPlaneArgs...)
}

// auditPolicy logs finished writes and nothing else: who did which to what.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted, Panic]
rules:
- level: Metadata
  verbs: [create, update, patch, delete, deletecollection]
- level: None
`

func (s setup) writeAuditPolicy() error {
	return os.WriteFile(s.configFile("audit-policy.yaml"), []byte(auditPolicy), 0o644)
}

func (s setup) controllerManager() program {
	config := s.kubeconfig(controllerManager)
	args := []string{
		"--kubeconfig=" + config,
		"--authentication-kubeconfig=" + config,
		"--authorization-kubeconfig=" + config,
		"--bind-address=127.0.0.1",
		"--leader-elect=false",
		"--use-service-account-credentials=true",
		// Its start asks for an account per controller, 5 s at the default rate.
		"--kube-api-qps=200",
		"--kube-api-burst=400",
		"--root-ca-file=" + s.pkiFile("ca.crt"),
		"--service-account-private-key-file=" + s.pkiFile("sa.key"),
		"--cluster-signing-cert-file=" + s.pkiFile("ca.crt"),
		"--cluster-signing-key-file=" + s.pkiFile("ca.key"),
		"--allocate-node-cidrs=false",
		// How soon a node that became Ready loses the taint that keeps Pods away.
		"--node-monitor-period=1s",
		// The default folder is on the machine, outside of the cluster's mounts.
		"--flex-volume-plugin-dir=" + s.data("volume-plugins"),
	}
	return program{Name: controllerManager, Path: s.bin(controllerManager), After: apiReady,
		Args: append(args, s.controlPlaneArgs()...)}
}

func (s setup) scheduler() program {
	config := s.kubeconfig(scheduler)
	args := []string{
		"--kubeconfig=" + config,
		"--authentication-kubeconfig=" + config,
		"--authorization-kubeconfig=" + config,
		"--bind-address=127.0.0.1",
		"--leader-elect=false",
	}
	return program{Name: scheduler, Path: s.bin(scheduler), After: apiReady,
		Args: append(args, s.controlPlaneArgs()...)}
}

// kubeProxy makes Services reachable. It masquerades all Service traffic:
// without that, the answer of a Pod on the same bridge would bypass the node
// where the kernel's br_netfilter is absent, and never be translated back.
func (s setup) kubeProxy() program {
	return program{Name: kubeProxy, Path: s.bin(kubeProxy), After: apiReady,
		Args: append([]string{
			"--kubeconfig=" + s.kubeconfig(kubeProxy),
			"--hostname-override=" + s.nodeName(),
			"--bind-address=" + s.Link.Node.String(),
			"--proxy-mode=nftables",
			"--cluster-cidr=" + podCIDR,
			"--masquerade-all",
			// The connection table's size is the machine's, not the namespace's.
			"--conntrack-max-per-core=0",
		}, featureGates(s.options.FeatureGates)...)}
}

// searchPath is where the node's programs look for other programs.
func (s setup) searchPath() string {
	return s.binDir() + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}
