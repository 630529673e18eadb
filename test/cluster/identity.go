package cluster

import (
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// writeIdentities creates every certificate, key and kubeconfig of the cluster.
func (l layout) writeIdentities() error {
	if err := os.MkdirAll(l.pki(), 0o700); err != nil {
		return err
	}
	ca, err := newAuthority("kubernetes")
	if err != nil {
		return err
	}
	if err := ca.write(l.pki(), "ca"); err != nil {
		return err
	}
	if err := l.writeServers(ca); err != nil {
		return err
	}
	if err := l.writeFrontProxy(); err != nil {
		return err
	}
	if err := writeTokenKey(l.pki()); err != nil {
		return err
	}
	return l.writeKubeconfigs(ca)
}

// writeServers issues what the API server and the kubelet show to their clients,
// and what the API server shows to the kubelet. The kubelet's certificate names
// the node's address and is signed by the cluster's authority, so that a Pod can
// verify it with the ca.crt that is mounted beside its token.
func (l layout) writeServers(ca *authority) error {
	api, err := ca.server("kube-apiserver", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"localhost", "127.0.0.1", serviceIP, l.Link.Node.String())
	if err != nil {
		return err
	}
	if err := api.write(l.pki(), "apiserver"); err != nil {
		return err
	}
	kubelet, err := ca.server("system:node:"+l.nodeName(), l.nodeName(), l.Link.Node.String())
	if err != nil {
		return err
	}
	if err := kubelet.write(l.pki(), "kubelet"); err != nil {
		return err
	}
	client, err := ca.client("kube-apiserver-kubelet-client", "system:masters")
	if err != nil {
		return err
	}
	return client.write(l.pki(), "apiserver-kubelet-client")
}

// writeFrontProxy creates the identity by which extension API servers, such as
// metrics-server, know that a request was authenticated by the API server.
func (l layout) writeFrontProxy() error {
	ca, err := newAuthority("front-proxy")
	if err != nil {
		return err
	}
	if err := ca.write(l.pki(), "front-proxy-ca"); err != nil {
		return err
	}
	client, err := ca.client("front-proxy-client")
	if err != nil {
		return err
	}
	return client.write(l.pki(), "front-proxy-client")
}

func (l layout) writeKubeconfigs(ca *authority) error {
	for _, who := range []struct {
		file, user, group string
	}{
		{l.adminKubeconfig(), "kubernetes-admin", "system:masters"},
		{l.kubeconfig("kube-controller-manager"), "system:kube-controller-manager", ""},
		{l.kubeconfig("kube-scheduler"), "system:kube-scheduler", ""},
		{l.kubeconfig("kube-proxy"), "system:kube-proxy", ""},
		// CoreDNS ships with a service account of its own; here it is a process of the node.
		{l.kubeconfig(coreDNS), "coredns", "system:masters"},
		{l.kubeconfig("kubelet"), "system:node:" + l.nodeName(), "system:nodes"},
	} {
		var groups []string
		if who.group != "" {
			groups = []string{who.group}
		}
		client, err := ca.client(who.user, groups...)
		if err != nil {
			return err
		}
		if err := l.writeKubeconfig(who.file, ca, client); err != nil {
			return fmt.Errorf("kubeconfig of %q: %w", who.user, err)
		}
	}
	return nil
}

// writeKubeconfig embeds certificates, so that the file works wherever it is copied to.
func (l layout) writeKubeconfig(file string, ca *authority, client pair) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	name := resourceName(l.Name)
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: l.apiURL(), CertificateAuthorityData: ca.pair.cert}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{ClientCertificateData: client.cert, ClientKeyData: client.key}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	return clientcmd.WriteToFile(*config, file)
}
