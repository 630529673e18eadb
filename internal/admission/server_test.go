package admission

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
)

// served tells when it is started.
type served struct {
	webhook.Server
	started chan struct{}
}

func (s served) Start(context.Context) error {
	close(s.started)
	return nil
}

func TestTheWebhookIsServedOnceThereIsACertificate(t *testing.T) {
	dir, inner := t.TempDir(), served{started: make(chan struct{})}
	s := &Server{Server: inner, CertDir: dir, Log: logr.Discard()}
	if s.NeedLeaderElection() {
		t.Error("only the leader answers")
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Start(t.Context()) }()
	select {
	case <-inner.started:
		t.Error("it is served without a certificate")
	default:
	}
	for _, name := range []string{"tls.crt", "tls.key"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	<-inner.started
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestTheWebhookEndsWithTheManager(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := &Server{Server: served{started: make(chan struct{})}, CertDir: t.TempDir(), Log: logr.Discard()}
	if err := s.Start(ctx); err != nil {
		t.Errorf("it ends with %v", err)
	}
}
