package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// resizesTake makes every resize of a Pod so much longer, until the story ends: by a webhook, served from here, that
// thinks for so long before it agrees.
func (s *story) resizesTake(longer time.Duration) {
	s.t.Helper()
	certificate, authority := s.certificateFor(env.cluster.HostAddress().AsSlice())
	listener, err := tls.Listen("tcp", env.cluster.HostAddress().String()+":0",
		&tls.Config{Certificates: []tls.Certificate{certificate}})
	must(s.t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil || review.Request == nil {
			http.Error(w, "no review", http.StatusBadRequest)
			return
		}
		<-time.After(longer)
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
		review.Request = nil
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(review)
	})}
	go func() { _ = server.Serve(listener) }()
	s.t.Cleanup(func() { _ = server.Close() })

	url := "https://" + listener.Addr().String() + "/"
	slow, ignore, seconds := admissionregistrationv1.SideEffectClassNone, admissionregistrationv1.Ignore, int32(5)
	hook := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: s.namespace},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name:                    "slow.memhog-e2e.kubedemo.com",
			ClientConfig:            admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: authority},
			AdmissionReviewVersions: []string{"v1"},
			SideEffects:             &slow, FailurePolicy: &ignore, TimeoutSeconds: &seconds,
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Update},
				Rule: admissionregistrationv1.Rule{
					APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods/resize"},
				},
			}},
		}},
	}
	s.undo("make resizes as fast as they were", func(ctx context.Context) error {
		return client.IgnoreNotFound(env.client.Delete(ctx, hook))
	})
	must(s.t, env.client.Create(s.t.Context(), hook))
}

// certificateFor makes a certificate for an address, and returns it with the PEM block that clients trust it by.
func (s *story) certificateFor(ip net.IP) (tls.Certificate, []byte) {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(s.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{ip}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(s.t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
