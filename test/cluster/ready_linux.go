package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// bootPatience is an order of magnitude more than a boot takes.
const bootPatience = 3 * time.Minute

// maxRestarts is how often a program may end during the boot: some give up once
// or twice when what they talk to is not there yet.
const maxRestarts = 5

// awaitReady returns when Pods can be created and will run.
func (c *Cluster) awaitReady(ctx context.Context, o Options, pause Image, begin time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, bootPatience)
	defer cancel()
	config, err := c.RESTConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	steps := []struct {
		name string
		done func(context.Context) (bool, error)
	}{
		{"container runtime", func(ctx context.Context) (bool, error) {
			if _, err := os.Stat(c.containerdSocket()); err != nil {
				return false, nil
			}
			return true, c.LoadImage(ctx, pause)
		}},
		{"API server", func(ctx context.Context) (bool, error) {
			_, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
			return err == nil, nil
		}},
		{"node", func(ctx context.Context) (bool, error) { return nodeReady(ctx, client, c.nodeName()) }},
		{"service accounts", func(ctx context.Context) (bool, error) { return podsAccepted(ctx, client) }},
	}
	for _, step := range steps {
		if err := c.poll(ctx, step.done); err != nil {
			return fmt.Errorf("waiting for %s: %w", step.name, err)
		}
		fmt.Fprintf(o.Out, "cluster %s: %s ready (%.1f s)\n", o.Name, step.name, time.Since(begin).Seconds())
	}
	return nil
}

// poll calls done until it is, and gives up when the node has ended, when a
// program ends again and again, or with ctx.
func (c *Cluster) poll(ctx context.Context, done func(context.Context) (bool, error)) error {
	for {
		ok, err := done(ctx)
		if err != nil || ok {
			return err
		}
		if err := c.crashed(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.node.ended:
			return errors.New("the node's first process has ended")
		case <-time.After(pollDelay):
		}
	}
}

// crashed reports a program that can't be kept running.
func (c *Cluster) crashed() error {
	statuses, err := c.statuses()
	if err != nil {
		return nil // being written
	}
	for _, name := range sortedKeys(statuses) {
		if s := statuses[name]; s.Exit != "" && s.Starts >= maxRestarts {
			return fmt.Errorf("%s ended %d times, at last with: %s", name, s.Starts, s.Exit)
		}
	}
	return nil
}

func nodeReady(ctx context.Context, client kubernetes.Interface, name string) (bool, error) {
	n, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return false, nil
	}
	for _, t := range n.Spec.Taints {
		if t.Key == corev1.TaintNodeNotReady {
			return false, nil
		}
	}
	for _, condition := range n.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue, nil
		}
	}
	return false, nil
}

// podsAccepted says whether a Pod can be created: not before the namespace has
// its service account, and would not start before the authority's certificate is
// there to be mounted.
func podsAccepted(ctx context.Context, client kubernetes.Interface) (bool, error) {
	core := client.CoreV1()
	_, err := core.ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{})
	if err == nil {
		_, err = core.ConfigMaps(metav1.NamespaceDefault).Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
	}
	if err == nil || apierrors.IsNotFound(err) {
		return err == nil, nil
	}
	return false, nil
}

// tail returns the end of a file.
func tail(file string, size int64) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > size {
		_, _ = f.Seek(-size, io.SeekEnd)
	}
	b, _ := io.ReadAll(f)
	return strings.TrimSpace(string(b))
}
