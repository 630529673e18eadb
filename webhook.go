package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/kubedemo/memhog-operator/internal/admission"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// Names that config/operator gives to the webhook's parts.
const (
	webhookConfiguration = "memhog-operator-births"
	webhookService       = "memhog-operator-webhook"
)

// namespaceFile is where a Pod has the name of its namespace.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// rotationRetry is how long after a failure the certificate is looked at again.
const rotationRetry = time.Minute

// webhookOptions say how the webhook for new Pods is served.
type webhookOptions struct {
	port       int
	certDir    string
	certSecret string
}

func (o *webhookOptions) bind(flags *flag.FlagSet) {
	flags.IntVar(&o.port, "webhook-port", 9443,
		"port of the webhook that gives new Pods what their workload has learned to need; 0 turns it off")
	flags.StringVar(&o.certDir, "webhook-cert-dir", "/tmp/k8s-webhook-server/serving-certs",
		"directory with tls.crt and tls.key for the webhook; they are waited for when they are missing")
	flags.StringVar(&o.certSecret, "webhook-cert-secret", "",
		"Secret in the operator's namespace, mounted as --webhook-cert-dir, that the operator keeps the webhook's certificate in; "+
			"empty when somebody else makes it")
}

func (o webhookOptions) validate() error {
	if o.port < 0 || o.port > 65535 {
		return fmt.Errorf("--webhook-port %d: want 1 to 65535, or 0 for none", o.port)
	}
	if o.port == 0 && o.certSecret != "" {
		return fmt.Errorf("--webhook-cert-secret %q: there is no webhook to keep a certificate for, with --webhook-port 0", o.certSecret)
	}
	if problems := validation.IsDNS1123Subdomain(o.certSecret); o.certSecret != "" && len(problems) > 0 {
		return fmt.Errorf("--webhook-cert-secret %q: %s", o.certSecret, strings.Join(problems, "; "))
	}
	return nil
}

// addWebhook serves the webhook for new Pods, with a certificate that is in a directory: put there by OLM, by cert-manager, or
// by the operator itself, where it was given a Secret to keep it in.
func addWebhook(mgr ctrl.Manager, o webhookOptions, parents admission.Parents) error {
	if o.port == 0 {
		return nil
	}
	server := webhook.NewServer(webhook.Options{
		Port: o.port, CertDir: o.certDir,
		TLSOpts: []func(*tls.Config){func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }},
	})
	server.Register(admission.Path, &webhook.Admission{Handler: &admission.Births{
		Parents: parents, Decoder: ctrladmission.NewDecoder(mgr.GetScheme()),
	}})
	log := ctrl.Log.WithName("webhook")
	if err := mgr.Add(&admission.Server{Server: server, CertDir: o.certDir, Log: log}); err != nil {
		return fmt.Errorf("add the webhook: %w", err)
	}
	if o.certSecret == "" {
		return nil
	}
	namespace, err := os.ReadFile(namespaceFile)
	if err != nil {
		return fmt.Errorf("--webhook-cert-secret %q: find the namespace that it is in: %w", o.certSecret, err)
	}
	in := strings.TrimSpace(string(namespace))
	err = rotator.AddRotator(tolerant{Manager: mgr}, &rotator.CertRotator{
		SecretKey:             types.NamespacedName{Namespace: in, Name: o.certSecret},
		CertDir:               o.certDir,
		CAName:                webhookService + "-ca",
		CAOrganization:        "memhog-operator",
		DNSName:               fmt.Sprintf("%s.%s.svc", webhookService, in),
		IsReady:               make(chan struct{}),
		Webhooks:              []rotator.WebhookInfo{{Name: webhookConfiguration, Type: rotator.Mutating}},
		FieldOwner:            workload.FieldManager,
		RequireLeaderElection: true,
	})
	if err != nil {
		return fmt.Errorf("keep the webhook's certificate in the Secret %q: %w", o.certSecret, err)
	}
	return nil
}

// tolerant adds runnables without which the operator goes on: without a certificate there is no webhook, and new Pods catch up
// once they run.
type tolerant struct {
	manager.Manager
}

// Add implements manager.Manager.
func (t tolerant) Add(r manager.Runnable) error {
	return t.Manager.Add(newDispensable(r))
}

// dispensable is a runnable whose failure is said, and ends nothing.
type dispensable struct {
	manager.Runnable
	// again is true for one that is begun again after a while.
	again bool
	retry time.Duration
}

func newDispensable(r manager.Runnable) dispensable {
	_, rotates := r.(*rotator.CertRotator)
	return dispensable{Runnable: r, again: rotates, retry: rotationRetry}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (d dispensable) NeedLeaderElection() bool {
	elected, ok := d.Runnable.(manager.LeaderElectionRunnable)
	return !ok || elected.NeedLeaderElection()
}

// Start implements manager.Runnable. The rotation of the certificate is begun again after a while, if it has not got so far that
// it cannot: then what watches the Secret and the webhook's configuration goes on with it.
func (d dispensable) Start(ctx context.Context) error {
	for {
		err := d.Runnable.Start(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			ctrl.Log.WithName("webhook").Error(err, "keeping the webhook's certificate failed")
		}
		var retry <-chan time.Time
		if d.again && !slices.Contains(onceBegun, err.Error()) {
			retry = time.After(d.retry)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-retry:
		}
	}
}

// onceBegun are the errors of a rotation that waited in vain for its certificate to be mounted, or to be told to API servers. A
// second start of it would panic: it closes its channels again.
var onceBegun = []string{"could not mount certs", "could not inject certs to webhooks"}
