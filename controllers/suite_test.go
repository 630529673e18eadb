package controllers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// A real API server, shared by the package's tests: each test has a namespace of its own.
var (
	// live talks to the API server, cached reads what the operator's own cache holds.
	live, cached client.Client
	scheme       = runtime.NewScheme()
	config       *rest.Config
)

func TestMain(m *testing.M) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		fmt.Fprintln(os.Stderr, "KUBEBUILDER_ASSETS does not say where kube-apiserver and etcd are: run these tests by `make test`")
		os.Exit(1)
	}
	code, err := runWithAPIServer(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "start an API server:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func runWithAPIServer(m *testing.M) (code int, err error) {
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	utilruntime.Must(v1.AddToScheme(scheme))
	RegisterMetrics()
	env := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join("..", "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	if config, err = env.Start(); err != nil {
		return 0, err
	}
	defer func() {
		if stopErr := env.Stop(); err == nil {
			err = stopErr
		}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if live, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return 0, err
	}
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, Cache: CacheOptions(nil), Metrics: metricsserver.Options{BindAddress: "0"},
	})
	if err != nil {
		return 0, err
	}
	if err := IndexPods(ctx, mgr.GetFieldIndexer()); err != nil {
		return 0, err
	}
	cached = mgr.GetClient()
	go func() { _ = mgr.Start(ctx) }() // ends with the context; a cache that never starts fails the first test
	if !mgr.GetCache().WaitForCacheSync(ctx) {
		return 0, fmt.Errorf("the cache did not start")
	}
	return m.Run(), nil
}

// newNamespace makes a namespace for one test.
func newNamespace(t *testing.T) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	must(t, live.Create(t.Context(), ns))
	return ns.Name
}

// settle waits until the cache holds the version of the object that the test has, or no longer holds a deleted one.
func settle(t *testing.T, o client.Object) {
	t.Helper()
	want := o.GetResourceVersion()
	seen, _ := o.DeepCopyObject().(client.Object)
	err := wait.PollUntilContextTimeout(t.Context(), 5*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		err := cached.Get(ctx, client.ObjectKeyFromObject(o), seen)
		if want == "" {
			return client.IgnoreNotFound(err) == nil && err != nil, nil
		}
		return err == nil && seen.GetResourceVersion() == want, nil
	})
	if err != nil {
		t.Fatalf("the cache does not show %T %s at version %q: %v", o, o.GetName(), want, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustContain(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not contain %q", text, part)
		}
	}
}
