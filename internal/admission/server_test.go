package admission

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/util/cert"
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
	certificate, key, err := cert.GenerateSelfSignedCertKey("webhook", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		dir, inner := t.TempDir(), served{started: make(chan struct{})}
		s := &Server{Server: inner, CertDir: dir, Log: logr.Discard()}
		if s.NeedLeaderElection() {
			t.Error("only the leader answers")
		}
		write := func(name string, text []byte) {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * certPoll)
			synctest.Wait()
		}
		unserved := func(why string) {
			select {
			case <-inner.started:
				t.Fatal("it is served with " + why)
			default:
			}
		}
		ended := make(chan error, 1)
		go func() { ended <- s.Start(t.Context()) }()
		write("tls.crt", certificate)
		unserved("a certificate and no key")
		write("tls.key", []byte("x"))
		unserved("a key that is none")
		write("tls.key", key)
		<-inner.started
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestTheWebhookEndsWithTheManager(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := &Server{Server: served{started: make(chan struct{})}, CertDir: t.TempDir(), Log: logr.Discard()}
	if err := s.Start(ctx); err != nil {
		t.Errorf("it ends with %v", err)
	}
}
