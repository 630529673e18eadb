// Command scorecard starts a cluster, installs the operator, and runs `operator-sdk scorecard` on the bundle: the tests
// that come with the SDK and our own, from images under the names that the bundle has for them.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kubedemo/memhog-operator/test/cluster"
	"github.com/kubedemo/memhog-operator/test/install"
	"github.com/kubedemo/memhog-operator/test/olm"
	"github.com/kubedemo/memhog-operator/test/registry"
	"github.com/kubedemo/memhog-operator/tools"
)

// patience is how long each of the steps may take that take seconds on an idle machine.
const patience = 3 * time.Minute

func main() {
	log.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	root, err := install.Root()
	if err != nil {
		return err
	}
	programs, err := tools.Build(ctx, os.Stderr, "operator-sdk")
	if err != nil {
		return err
	}
	c, err := cluster.Up(ctx, cluster.Options{Name: "memhog-scorecard", Out: os.Stderr})
	if err != nil {
		return err
	}
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		err = errors.Join(err, c.Down(ending))
	}()
	images, err := serve(ctx, root, c)
	if err != nil {
		return err
	}
	defer func() { _ = images.Close() }()
	if err := prepare(ctx, root, c); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, programs["operator-sdk"], "scorecard", filepath.Join(root, "bundle"),
		"--kubeconfig="+c.Kubeconfig(), "--namespace="+olm.ScorecardNamespace, "--service-account="+olm.ScorecardAccount,
		"--untar-image="+olm.UntarRef, "--wait-time=15m", "--output=text")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("operator-sdk scorecard: %w", err)
	}
	return nil
}

// serve lets the cluster pull the images that the bundle names.
func serve(ctx context.Context, root string, c *cluster.Cluster) (*registry.Registry, error) {
	bundle, err := olm.Released(root)
	if err != nil {
		return nil, err
	}
	pushed, err := olm.ScorecardImages(ctx, os.Stderr, root, bundle)
	if err != nil {
		return nil, err
	}
	operator, err := install.OperatorImage(ctx, root)
	if err != nil {
		return nil, err
	}
	images, err := registry.Serve(ctx, c.HostAddress().String())
	if err != nil {
		return nil, err
	}
	if err := images.Push(ctx, append(pushed, operator)...); err != nil {
		return nil, errors.Join(err, images.Close())
	}
	return images, c.PullFrom(images.URL())
}

// prepare installs the operator, and the account that the tests run as.
func prepare(ctx context.Context, root string, c *cluster.Cluster) error {
	config, err := c.RESTConfig()
	if err != nil {
		return err
	}
	client, err := install.NewClient(config)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(root, "test", "scorecard", "rights.yaml"))
	if err != nil {
		return err
	}
	rights, err := install.Decode(text)
	if err != nil {
		return err
	}
	if err := install.Apply(ctx, client, rights...); err != nil {
		return err
	}
	return install.Operator{Root: root}.Install(ctx, client, patience)
}
