package olm_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	apiv1 "github.com/operator-framework/api/pkg/operators/v1"
	apiv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	apiv2 "github.com/operator-framework/api/pkg/operators/v2"
	"k8s.io/apimachinery/pkg/runtime"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/test/cluster"
	"github.com/kubedemo/memhog-operator/test/install"
	"github.com/kubedemo/memhog-operator/test/olm"
	"github.com/kubedemo/memhog-operator/test/registry"
)

// clusterName tells this suite's cluster apart from others on the machine.
const clusterName = "memhog-olm"

// environment is what all stories share: a cluster with OLM in it, and the registry that it pulls from.
type environment struct {
	missing  string // why there is none
	root     string
	cluster  *cluster.Cluster
	images   *registry.Registry
	client   client.WithWatch
	renderer olm.Renderer
	bundle   olm.Bundle    // in the repository
	operator cluster.Image // of the bundle's version
}

var env environment

func TestMain(m *testing.M) {
	flag.Parse()
	klog.SetLogger(logr.Discard())
	log.SetLogger(logr.Discard())
	os.Exit(run(m))
}

// run brings everything up, runs the tests, and takes everything down again, also after a failure or ^C.
func run(m *testing.M) (code int) {
	if env.missing = missing(); env.missing != "" {
		return m.Run()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer func() {
		if err := env.takeDown(); err != nil {
			fmt.Fprintln(os.Stderr, "take down:", err)
			code = max(code, 1)
		}
	}()
	if err := env.bringUp(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bring up:", err)
		return 1
	}
	ended := make(chan int, 1)
	go func() { ended <- m.Run() }()
	select {
	case code := <-ended:
		return code
	case <-ctx.Done():
		fmt.Fprintln(os.Stderr, "interrupted: taking everything down")
		return 130
	}
}

// missing says why stories can't be told. A cluster of the user's own is no place for them: they install OLM, and serve
// images under the names of released ones.
func missing() string {
	switch {
	case testing.Short():
		return "-short"
	case os.Geteuid() != 0:
		return "a cluster of its own needs root"
	}
	return ""
}

func (e *environment) bringUp(ctx context.Context) error {
	var err error
	if e.root, err = install.Root(); err != nil {
		return err
	}
	if e.bundle, err = olm.Released(e.root); err != nil {
		return err
	}
	if e.renderer, err = olm.NewRenderer(ctx, os.Stderr); err != nil {
		return err
	}
	// Fresh numbers at every look: a story need not wait for the kubelet's housekeeping.
	options := cluster.Options{Name: clusterName, Out: os.Stderr, DNS: true, Stats: cluster.StatsFromCRI}
	if e.cluster, err = cluster.Up(ctx, options); err != nil {
		return err
	}
	if e.client, err = newClient(e.cluster); err != nil {
		return err
	}
	if err := e.serveImages(ctx); err != nil {
		return err
	}
	say("installing the Operator Lifecycle Manager")
	return olm.InstallManager(ctx, e.client, patience)
}

// serveImages fills a registry with all images but those of catalogs and bundles, which come and go with the stories.
func (e *environment) serveImages(ctx context.Context) error {
	var err error
	if e.images, err = registry.Serve(ctx, e.cluster.HostAddress().String()); err != nil {
		return err
	}
	if err := e.cluster.PullFrom(e.images.URL()); err != nil {
		return err
	}
	images, err := olm.ManagerImages(ctx, os.Stderr, e.root)
	if err != nil {
		return err
	}
	memhog, err := install.MemhogImage(ctx, e.root)
	if err != nil {
		return err
	}
	if e.operator, err = install.OperatorImage(ctx, e.root); err != nil {
		return err
	}
	e.operator.Ref = olm.OperatorRef(e.bundle.Version)
	return e.images.Push(ctx, append(images, memhog, e.operator)...)
}

func (e *environment) takeDown() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var errs []error
	if e.images != nil {
		errs = append(errs, e.images.Close())
	}
	if e.cluster != nil {
		errs = append(errs, e.cluster.Down(ctx))
	}
	return errors.Join(errs...)
}

func newClient(c *cluster.Cluster) (client.WithWatch, error) {
	config, err := c.RESTConfig()
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientscheme.AddToScheme, v1.AddToScheme, apiv1.AddToScheme, apiv1alpha1.AddToScheme, apiv2.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return client.NewWithWatch(config, client.Options{Scheme: scheme})
}

// say prints a line of progress.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}
