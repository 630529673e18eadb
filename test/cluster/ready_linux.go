package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// bootPatience is for a machine that is busy with something else: on an idle one
// a boot takes 5 s.
const bootPatience = 5 * time.Minute

// maxStarts is how often a program may end during the boot: some give up once or
// twice when what they talk to is not there yet.
const maxStarts = 5

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
	for _, step := range []struct {
		name string
		done func(context.Context) error
	}{
		{"container runtime", func(ctx context.Context) error { return c.runtimeReady(ctx, pause) }},
		{"API server", func(ctx context.Context) error { return apiServerReady(ctx, client) }},
		{"node", func(ctx context.Context) error { return nodeReady(ctx, client, c.nodeName()) }},
		{"service account", func(ctx context.Context) error { return accountReady(ctx, client) }},
	} {
		if err := c.poll(ctx, step.done); err != nil {
			return fmt.Errorf("waiting for %s: %w", step.name, err)
		}
		fmt.Fprintf(o.Out, "cluster %s: %s ready (%.1f s)\n", o.Name, step.name, time.Since(begin).Seconds())
	}
	return nil
}

// poll calls done until it has no error, and gives up when the node has ended,
// when a program ends again and again, or with ctx.
func (c *Cluster) poll(ctx context.Context, done func(context.Context) error) error {
	for {
		reason := done(ctx)
		if reason == nil {
			return nil
		}
		if err := c.crashed(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), reason)
		case <-c.node.ended:
			return errors.New("the node's first process has ended")
		case <-time.After(pollDelay):
		}
	}
}

// crashed reports a program that can't be kept running.
func (c *Cluster) crashed() error {
	all, err := c.statuses()
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(all) {
		if s := all[name]; s.Exit != "" && s.Starts >= maxStarts {
			return fmt.Errorf("%s ended %d times, at last with: %s", name, s.Starts, s.Exit)
		}
	}
	return nil
}

// runtimeReady loads the image without which no Pod starts.
func (c *Cluster) runtimeReady(ctx context.Context, pause Image) error {
	if _, err := os.Stat(c.containerdSocket()); err != nil {
		return err
	}
	return c.LoadImage(ctx, pause)
}

func apiServerReady(ctx context.Context, client kubernetes.Interface) error {
	_, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
	return err
}

// nodeReady says why the scheduler would put no Pod on the node.
func nodeReady(ctx context.Context, client kubernetes.Interface, name string) error {
	node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status != corev1.ConditionTrue {
			return fmt.Errorf("node %s: %s: %s", name, condition.Reason, condition.Message)
		}
	}
	// It comes with the node and goes a moment after the condition is true.
	for _, taint := range node.Spec.Taints {
		if taint.Key == corev1.TaintNodeNotReady {
			return fmt.Errorf("node %s has the taint %s", name, taint.Key)
		}
	}
	return nil
}

// accountReady says why a Pod would not be accepted, which needs the namespace's
// service account, or not start, which needs the authority's certificate.
func accountReady(ctx context.Context, client kubernetes.Interface) error {
	core := client.CoreV1()
	if _, err := core.ServiceAccounts(metav1.NamespaceDefault).Get(ctx, "default", metav1.GetOptions{}); err != nil {
		return err
	}
	_, err := core.ConfigMaps(metav1.NamespaceDefault).Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
	return err
}
