package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

func newTestLayout(t *testing.T) layout {
	t.Helper()
	return layout{Name: "unit", Dir: t.TempDir(), Link: linkAt(3)}
}

func readCert(t *testing.T, content []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(content)
	if block == nil {
		t.Fatalf("no PEM in %q", content)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func readFile(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestServersAreVerifiable(t *testing.T) {
	l := newTestLayout(t)
	if err := l.writeIdentities(); err != nil {
		t.Fatal(err)
	}
	ca := readCert(t, readFile(t, l.pkiFile("ca.crt")))
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	for _, tt := range []struct {
		reason, file string
		hosts        []string
	}{
		{"Pods reach the API by Service address and by names", "apiserver",
			[]string{serviceIP, "kubernetes.default.svc", "127.0.0.1", l.Link.Node.String()}},
		{"a Pod verifies the kubelet by the node's address", "kubelet", []string{l.Link.Node.String(), "unit-node"}},
	} {
		cert := readCert(t, readFile(t, l.pkiFile(tt.file+".crt")))
		for _, host := range tt.hosts {
			options := x509.VerifyOptions{Roots: roots, DNSName: host, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
			if _, err := cert.Verify(options); err != nil {
				t.Errorf("%s: %s as %s: %v", tt.reason, tt.file, host, err)
			}
		}
		if _, err := tls.LoadX509KeyPair(l.pkiFile(tt.file+".crt"), l.pkiFile(tt.file+".key")); err != nil {
			t.Errorf("%s: %v", tt.file, err)
		}
	}
}

func TestClientsAreWhoTheyShouldBe(t *testing.T) {
	l := newTestLayout(t)
	if err := l.writeIdentities(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ file, user, group string }{
		{l.adminKubeconfig(), "kubernetes-admin", "system:masters"},
		{l.kubeconfig(kubelet), "system:node:unit-node", "system:nodes"},
		{l.kubeconfig(kubeProxy), "system:kube-proxy", ""},
		{l.kubeconfig(scheduler), "system:kube-scheduler", ""},
		{l.kubeconfig(controllerManager), "system:kube-controller-manager", ""},
	} {
		config, err := clientcmd.BuildConfigFromFlags("", tt.file)
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(tt.file), err)
			continue
		}
		if want := "https://" + l.Link.Node.String() + ":6443"; config.Host != want {
			t.Errorf("%s: server %s, want %s", filepath.Base(tt.file), config.Host, want)
		}
		cert := readCert(t, config.CertData)
		groups := append(cert.Subject.Organization, "")
		if cert.Subject.CommonName != tt.user || groups[0] != tt.group {
			t.Errorf("%s: user %q of %q, want %q of %q", filepath.Base(tt.file),
				cert.Subject.CommonName, groups[0], tt.user, tt.group)
		}
	}
}

func TestSecretsAreForTheOwnerOnly(t *testing.T) {
	l := newTestLayout(t)
	if err := l.writeIdentities(); err != nil {
		t.Fatal(err)
	}
	keys, err := filepath.Glob(l.pkiFile("*.key"))
	if err != nil || len(keys) == 0 {
		t.Fatalf("no keys: %v", err)
	}
	for _, file := range append(keys, l.adminKubeconfig()) {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", file, info.Mode().Perm())
		}
	}
}
