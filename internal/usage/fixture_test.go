package usage

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// here is a scope of the one node that a test starts.
var here = Scope{Namespaces: []string{"default"}, Nodes: []Node{{Name: "node-1", Address: "127.0.0.1"}}}

// testNode is a server that poses as a node's kubelet, and how it is reached.
type testNode struct {
	config    *rest.Config
	options   KubeletOptions
	presented certificate
}

// startNode starts one that answers by the handler; with none it is stopped at once, and nobody listens at its port.
func startNode(t *testing.T, handler http.HandlerFunc, with ...func(*testNode)) *testNode {
	t.Helper()
	own := newCertificate(t)
	node := &testNode{config: &rest.Config{}, presented: own}
	// The API server's name is not that of any node, and must not be asked for.
	node.config.ServerName = "kubernetes.default.svc"
	for _, option := range with {
		option(node)
	}
	if node.config.CAData == nil {
		node.config.CAData = node.presented.pem
	}
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{node.presented.pair}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that do not trust it are what is tested
	server.StartTLS()
	t.Cleanup(server.Close)
	address, ok := server.Listener.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatalf("the server listens at %v", server.Listener.Addr())
	}
	node.options.Port = address.Port
	if handler == nil {
		server.Close()
	}
	return node
}

// presenting gives the node a certificate.
func presenting(c certificate) func(*testNode) {
	return func(n *testNode) { n.presented = c }
}

// trusting gives the operator the authority to verify certificates with; without it, it is that of the node.
func trusting(c certificate) func(*testNode) {
	return func(n *testNode) { n.config.CAData = c.pem }
}

func (n *testNode) source(t *testing.T) *Kubelet {
	t.Helper()
	source, err := NewKubelet(n.config, n.options)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// certificate is one that signs itself.
type certificate struct {
	pair tls.Certificate
	pem  []byte
}

func newCertificate(t *testing.T, but ...func(*x509.Certificate)) certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: t.Name()},
		NotBefore:             time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	for _, change := range but {
		change(template)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return certificate{
		pair: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem:  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	}
}

func expired(c *x509.Certificate) { c.NotAfter = c.NotBefore.AddDate(1, 0, 0) }

func elsewhere(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 1)} }

func forClients(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }
