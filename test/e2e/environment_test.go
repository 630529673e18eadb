package e2e

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/test/cluster"
	"github.com/kubedemo/memhog-operator/test/install"
	"github.com/kubedemo/memhog-operator/test/prometheus"
)

// environment is the cluster, what was put into it, and the ways to reach it.
type environment struct {
	// missing says why nothing can be tested here; empty when everything can.
	missing string
	root    string
	cluster *cluster.Cluster
	config  *rest.Config
	client  client.Client
	clients kubernetes.Interface
	// installed is true once the operator is ours to remove.
	installed bool
}

var scheme = runtime.NewScheme()

func init() {
	for _, add := range []func(*runtime.Scheme) error{clientscheme.AddToScheme, v1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
}

// storyLabel marks every namespace of the suite.
const storyLabel = "memhog-e2e"

// readers is the namespace of the service accounts that read the operator's metrics, or try to.
const readers = "memhog-e2e-readers"

func (e *environment) bringUp(ctx context.Context) error {
	var err error
	if e.root, err = install.Root(); err != nil {
		return err
	}
	o := cluster.Options{Name: clusterName, Out: os.Stderr}
	if withoutResize() {
		// The switch is locked from 1.35 on, so the control plane has to be one of before.
		o.ControlPlaneArgs = []string{"--emulated-version=1.34", "--feature-gates=InPlacePodVerticalScaling=false"}
	}
	if e.cluster, err = cluster.Open(ctx, o); err != nil {
		return err
	}
	if err := e.connect(); err != nil {
		return err
	}
	if err := e.mustNotBeInUse(ctx); err != nil {
		return err
	}
	if !e.cluster.Own() {
		if err := e.loadImages(ctx); err != nil {
			return err
		}
	}
	say("installing config/default")
	e.installed = true
	if err := e.install(ctx); err != nil {
		return err
	}
	if err := e.addReaders(ctx); err != nil {
		return err
	}
	say("the operator is available")
	if withAgents() {
		return awaitAgents(ctx)
	}
	return nil
}

func (e *environment) connect() error {
	var err error
	if e.config, err = e.cluster.RESTConfig(); err != nil {
		return err
	}
	if e.client, err = client.New(e.config, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("client: %w", err)
	}
	if e.clients, err = kubernetes.NewForConfig(e.config); err != nil {
		return fmt.Errorf("clients: %w", err)
	}
	return nil
}

// mustNotBeInUse keeps the suite from taking over, and in the end removing, an operator that someone uses.
func (e *environment) mustNotBeInUse(ctx context.Context) error {
	err := e.client.Get(ctx, client.ObjectKey{Name: install.OperatorKey.Namespace}, &corev1.Namespace{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return cmp.Or(err, fmt.Errorf("namespace %q exists: the operator is in use on this cluster; `make undeploy` removes it",
		install.OperatorKey.Namespace))
}

func (e *environment) loadImages(ctx context.Context) error {
	for _, build := range []func(context.Context, string) (cluster.Image, error){install.OperatorImage, install.MemhogImage} {
		image, err := build(ctx, e.root)
		if err != nil {
			return err
		}
		say("loading image %s", image.Ref)
		if err := e.cluster.LoadImage(ctx, image); err != nil {
			return err
		}
	}
	return nil
}

// install applies config/default, and waits until the operator is available. Further flags are added to its own, and to
// those that decide about agents.
func (e *environment) install(ctx context.Context, flags ...string) error {
	flags = append(agentFlags(), flags...)
	return install.Operator{Root: e.root, Image: operatorImage(), Args: flags}.Install(ctx, e.client, patience)
}

func operatorImage() string   { return cmp.Or(os.Getenv("IMG"), install.OperatorRef) }
func memhogImage() string     { return cmp.Or(os.Getenv("MEMHOG_IMG"), install.MemhogRef) }
func prometheusImage() string { return cmp.Or(os.Getenv("PROMETHEUS_IMG"), prometheus.Ref) }

// The service accounts of the namespace readers: one may read the operator's metrics, the other may not.
const (
	metricsReader = "metrics-reader"
	stranger      = "stranger"
)

// addReaders makes the service accounts, and binds one to the ClusterRole that config/rbac has for them.
func (e *environment) addReaders(ctx context.Context) error {
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: readers, Labels: map[string]string{storyLabel: "true"}}},
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: metricsReader, Namespace: readers}},
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: stranger, Namespace: readers}},
		readersBinding(),
	}
	for _, o := range objects {
		if err := e.client.Create(ctx, o); client.IgnoreAlreadyExists(err) != nil {
			return fmt.Errorf("create %T %q: %w", o, o.GetName(), err)
		}
	}
	return nil
}

func readersBinding() *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: readers},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "memhog-operator-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: readers, Name: metricsReader}},
	}
}

// token returns a token of one of the service accounts in the namespace readers.
func (e *environment) token(ctx context.Context, account string) (string, error) {
	request, err := e.clients.CoreV1().ServiceAccounts(readers).CreateToken(ctx, account,
		&authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("token of service account %q: %w", account, err)
	}
	return request.Status.Token, nil
}

// takeDown removes what bringUp and the stories made. A cluster of the suite's own goes as a whole.
func (e *environment) takeDown(ctx context.Context) error {
	if e.cluster == nil {
		return nil
	}
	if !e.cluster.Own() {
		say("taking the cluster down")
		return e.cluster.Down(ctx)
	}
	if !e.installed {
		return nil
	}
	say("removing the operator and the stories' namespaces")
	objects, err := install.Operator{Root: e.root, Image: operatorImage()}.Objects()
	if err != nil {
		return err
	}
	return errors.Join(
		e.removeNamespaces(ctx),
		client.IgnoreNotFound(e.client.Delete(ctx, readersBinding())),
		install.Delete(ctx, e.client, objects...),
	)
}

func (e *environment) removeNamespaces(ctx context.Context) error {
	namespaces, err := e.namespaces(ctx)
	if err != nil {
		return err
	}
	for i := range namespaces {
		if err := e.client.Delete(ctx, &namespaces[i]); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete namespace %q: %w", namespaces[i].Name, err)
		}
	}
	return wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (bool, error) {
		left, err := e.namespaces(ctx)
		return len(left) == 0, err
	})
}

// namespaces lists those of the suite that are there, also those that are going.
func (e *environment) namespaces(ctx context.Context) ([]corev1.Namespace, error) {
	var list corev1.NamespaceList
	err := e.client.List(ctx, &list, client.HasLabels{storyLabel})
	return list.Items, err
}
