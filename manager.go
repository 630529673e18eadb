package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/controllers"
)

// leaseName names the Lease by which replicas elect the one that acts.
const leaseName = "memhog-operator.kubedemo.com"

// cachePatience is how long a readiness probe waits for the caches, well below the probe's own second.
const cachePatience = 200 * time.Millisecond

func newManager(config *rest.Config, o options) (ctrl.Manager, error) {
	stop := 10 * time.Second // less than the 30 s after which the kubelet kills
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                        newScheme(),
		Cache:                         controllers.CacheOptions(o.namespaces),
		Metrics:                       metricsOptions(o.metricsAddr, o.metricsCertDir),
		HealthProbeBindAddress:        o.probeAddr,
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              leaseName,
		LeaderElectionReleaseOnCancel: true,
		GracefulShutdownTimeout:       &stop,
	})
	if err != nil {
		return nil, fmt.Errorf("set up the manager: %w", err)
	}
	if err := mgr.AddHealthzCheck("healthz", healthz.Ping); err != nil {
		return nil, fmt.Errorf("add the liveness probe: %w", err)
	}
	if err := mgr.AddReadyzCheck("caches", cachesRead(mgr)); err != nil {
		return nil, fmt.Errorf("add the readiness probe: %w", err)
	}
	return mgr, nil
}

// newScheme knows the kinds of Kubernetes, and our own.
func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1.AddToScheme(scheme))
	return scheme
}

// metricsOptions serve metrics over TLS to whom the cluster allows to read them.
func metricsOptions(addr, certDir string) metricsserver.Options {
	return metricsserver.Options{
		BindAddress:    addr,
		SecureServing:  true,
		CertDir:        certDir,
		FilterProvider: filters.WithAuthenticationAndAuthorization,
		TLSOpts:        []func(*tls.Config){func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }},
	}
}

// cachesRead is ready once all that is watched has been read: an operator that may not list Deployments, say, must not
// take the place of one that may.
func cachesRead(mgr ctrl.Manager) healthz.Checker {
	return func(req *http.Request) error {
		ctx, cancel := context.WithTimeout(req.Context(), cachePatience)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) {
			return errors.New("the caches have not been read yet")
		}
		return nil
	}
}
