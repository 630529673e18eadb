package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubedemo/memhog-operator/test/cluster"
	"github.com/kubedemo/memhog-operator/test/install"
)

const (
	// clusterName keeps the demo's cluster apart from others on this machine.
	clusterName = "demo"
	// patience is how long anything that is installed may take to become available.
	patience = 2 * time.Minute
	// cleanup is how long it may take to clean up.
	cleanup = 3 * time.Minute
)

// stage is where the story plays: a cluster, and what was put into it.
type stage struct {
	options
	out     *os.File
	root    string
	images  []cluster.Image
	cluster *cluster.Cluster
	// started says that this program started the cluster, so that cleaning up means to end it.
	started bool
	config  *rest.Config
	client  client.Client
	clients kubernetes.Interface
	// installed are the objects to delete at the end from a cluster that goes on.
	installed []*unstructured.Unstructured

	prometheusArgs []string // of the operator, where it reads Prometheus
	monitor        monitor
	applied        *unstructured.Unstructured // the Deployment, as the API server took it
	record         *record
}

func newStage(o options, out *os.File) *stage {
	return &stage{options: o, out: out}
}

// say prints a line below the title of a step.
func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(s.out, "    "+format+"\n", args...)
}

// play tells the story and returns its last line. Whatever happens, it cleans up.
func (s *stage) play(ctx context.Context) (line string, err error) {
	if s.root, err = install.Root(); err != nil {
		return "", err
	}
	err = s.tell(ctx, s.rescue())
	if s.record != nil {
		line, err = s.conclude(ctx, err)
	}
	// ^C must not keep this from cleaning up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	return line, errors.Join(err, s.leave(ctx))
}

// openCluster starts a cluster, unless KUBECONFIG names one or an earlier one is still up.
func (s *stage) openCluster(ctx context.Context) error {
	o := cluster.Options{Name: clusterName, Out: s.out, Detach: s.keep}
	var err error
	if s.cluster, err = cluster.Find(o); err == nil && !s.ownCluster {
		s.say("the demo's cluster is up already: it is used, and stays up")
	} else {
		if s.cluster, err = cluster.Open(ctx, o); err != nil {
			return err
		}
		s.started = !s.ownCluster
	}
	if s.config, err = s.cluster.RESTConfig(); err != nil {
		return err
	}
	if s.client, err = install.NewClient(s.config); err != nil {
		return err
	}
	if s.clients, err = kubernetes.NewForConfig(s.config); err != nil {
		return fmt.Errorf("client for %s: %w", s.config.Host, err)
	}
	return nil
}

// leave takes the cluster down, or out of it what was put into it, or says how to look around.
func (s *stage) leave(ctx context.Context) error {
	if s.cluster == nil {
		return nil
	}
	if s.keep {
		s.lookAround(ctx)
		return nil
	}
	if s.started {
		fmt.Fprintln(s.out, "==> Take the cluster down")
		return s.cluster.Down(ctx)
	}
	fmt.Fprintln(s.out, "==> Delete what was installed")
	return install.Delete(ctx, s.client, s.installed...)
}

// apply puts objects into the cluster, and remembers to take them out again.
func (s *stage) apply(ctx context.Context, objects ...*unstructured.Unstructured) error {
	if err := s.remember(ctx, objects...); err != nil {
		return err
	}
	return install.Apply(ctx, s.client, objects...)
}

// remember notes what is going to be applied and is not there yet, to delete it at the end. What is there already, on
// one's own cluster, is not the demo's: to delete a CustomResourceDefinition would delete every AppMonitor.
func (s *stage) remember(ctx context.Context, objects ...*unstructured.Unstructured) error {
	for _, object := range objects {
		there, err := s.existing(ctx, object)
		if err != nil {
			return err
		}
		if there == nil {
			s.installed = append(s.installed, object.DeepCopy())
		}
	}
	return nil
}

// chartPath is where the chart is drawn.
func (s *stage) chartPath() string {
	if filepath.IsAbs(s.chart) {
		return s.chart
	}
	return filepath.Join(s.root, s.chart)
}

// existing is an object as the cluster has it, or nil.
func (s *stage) existing(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	there := &unstructured.Unstructured{}
	there.SetGroupVersionKind(object.GroupVersionKind())
	err := s.client.Get(ctx, client.ObjectKeyFromObject(object), there)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for %s %q: %w", object.GetKind(), object.GetName(), err)
	}
	return there, nil
}

// tail is the end of the operator's log.
func (s *stage) tail(ctx context.Context, lines int64) string {
	pods, err := s.clients.CoreV1().Pods(install.OperatorKey.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil || len(pods.Items) == 0 {
		return ""
	}
	text, err := s.clients.CoreV1().Pods(install.OperatorKey.Namespace).
		GetLogs(pods.Items[0].Name, &corev1.PodLogOptions{TailLines: &lines}).DoRaw(ctx)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
