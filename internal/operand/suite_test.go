package operand

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
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"
)

// A real API server, shared by the package's tests. The admission policy is one for the whole cluster, so they run one after the
// other.
var (
	live   client.Client
	config *rest.Config
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
	env := &envtest.Environment{}
	// Off by default, so far: with it, volumes can be changed by the same subresource as containers.
	env.ControlPlane.GetAPIServer().Configure().Append("feature-gates", "InPlacePodVerticalScalingMemoryBackedVolumes=true")
	if config, err = env.Start(); err != nil {
		return 0, err
	}
	defer func() {
		if stopErr := env.Stop(); err == nil {
			err = stopErr
		}
	}()
	if live, err = client.New(config, client.Options{}); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// newNamespace makes a namespace for one test, with the accounts and rights that config/rbac gives to operator and agents.
func newNamespace(t *testing.T) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	must(t, live.Create(t.Context(), ns))
	for _, file := range []string{
		"service_account.yaml", "role.yaml", "role_binding.yaml",
		"agent_service_account.yaml", "agent_role.yaml", "agent_role_binding.yaml",
		"agent_keeper_role.yaml", "agent_keeper_role_binding.yaml",
	} {
		for _, o := range shipped(t, file, ns.Name) {
			switch o.GetObjectKind().GroupVersionKind().Kind {
			case "ClusterRoleBinding":
				o.SetName(o.GetName() + "-" + ns.Name) // a test may have two operators
			case "ClusterRole":
				if err := live.Get(t.Context(), client.ObjectKeyFromObject(o), o.DeepCopyObject().(client.Object)); err == nil {
					continue
				}
			}
			create(t, o)
		}
	}
	return ns.Name
}

// shipped are the objects of a file of config/rbac, as kustomize would have them.
func shipped(t *testing.T, file, namespace string) []client.Object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "rbac", file))
	must(t, err)
	var objects []client.Object
	for _, document := range strings.Split(string(text), "\n---\n") {
		o := &unstructured.Unstructured{}
		must(t, yaml.Unmarshal([]byte(document), &o.Object))
		o.SetName("memhog-operator-" + o.GetName())
		if o.GetNamespace() != "" {
			o.SetNamespace(namespace)
		}
		if strings.HasSuffix(o.GetKind(), "RoleBinding") {
			name, _, _ := unstructured.NestedString(o.Object, "roleRef", "name")
			must(t, unstructured.SetNestedField(o.Object, "memhog-operator-"+name, "roleRef", "name"))
			subjects, _, _ := unstructured.NestedSlice(o.Object, "subjects")
			for _, s := range subjects {
				subject := s.(map[string]any)
				subject["name"], subject["namespace"] = "memhog-operator-"+subject["name"].(string), namespace
			}
			must(t, unstructured.SetNestedSlice(o.Object, subjects, "subjects"))
		}
		objects = append(objects, o)
	}
	return objects
}

// create makes an object for the time of the test.
func create(t *testing.T, o client.Object) {
	t.Helper()
	must(t, live.Create(t.Context(), o))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := client.IgnoreNotFound(live.Delete(ctx, o, client.GracePeriodSeconds(0))); err != nil {
			t.Errorf("delete %s: %v", o.GetName(), err)
		}
	})
}

// as is the configuration of a client that acts as a service account.
func as(namespace, name string) *rest.Config {
	c := rest.CopyConfig(config)
	c.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + namespace + ":" + name,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
	}
	return c
}

// awaits waits until a condition holds; the error says what is still missing.
func awaits(t *testing.T, what string, holds func(ctx context.Context) error) {
	t.Helper()
	var missing error
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		missing = holds(ctx)
		return missing == nil, nil
	})
	if err != nil {
		t.Fatalf("%s: %v", what, missing)
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
