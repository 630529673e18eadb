package admission

import (
	"context"
	"crypto/tls"
	"path/filepath"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
)

// certPoll is how often it is looked for a certificate that is not there yet.
const certPoll = time.Second

// Server serves the webhook from when there is a certificate on. Until then API servers get no answer, and create Pods as
// they are.
type Server struct {
	webhook.Server
	// CertDir is where tls.crt and tls.key appear, and are exchanged.
	CertDir string
	Log     logr.Logger
}

// Start implements manager.Runnable.
func (s *Server) Start(ctx context.Context) error {
	if !s.certified() {
		s.Log.Info("waiting for the webhook's certificate: until then new Pods catch up once they run", "directory", s.CertDir)
	}
	ticker := time.NewTicker(certPoll)
	defer ticker.Stop()
	for !s.certified() {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
	return s.Server.Start(ctx)
}

// certified is true when there are a certificate and its key. While they are exchanged they may not belong together.
func (s *Server) certified() bool {
	_, err := tls.LoadX509KeyPair(filepath.Join(s.CertDir, "tls.crt"), filepath.Join(s.CertDir, "tls.key"))
	return err == nil
}

// NeedLeaderElection has every replica answer: a Service sends API servers to any of them.
func (s *Server) NeedLeaderElection() bool { return false }
