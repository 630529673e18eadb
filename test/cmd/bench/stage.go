package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubedemo/memhog-operator/test/cluster"
	"github.com/kubedemo/memhog-operator/test/install"
)

const (
	// namespace is where the containers are that are measured.
	namespace = "memhog-bench"
	// patience is how long anything may take that takes seconds on an idle machine.
	patience = 3 * time.Minute
)

// stage is a cluster with the operator in it.
type stage struct {
	root    string
	cluster *cluster.Cluster
	client  client.WithWatch
	clients kubernetes.Interface
}

// say prints a line of progress.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// setUp builds the images, starts a cluster with these options and installs the operator, with more flags than usual.
func setUp(ctx context.Context, o cluster.Options, args ...string) (*stage, error) {
	root, err := install.Root()
	if err != nil {
		return nil, err
	}
	say("building the images: a minute or two at first")
	operator, err := install.OperatorImage(ctx, root)
	if err != nil {
		return nil, err
	}
	memhog, err := install.MemhogImage(ctx, root)
	if err != nil {
		return nil, err
	}
	s := &stage{root: root}
	o.Name, o.Out = "memhog-bench", os.Stderr
	if s.cluster, err = cluster.Up(ctx, o); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, args, operator, memhog); err != nil {
		return nil, errors.Join(err, s.takeDown(ctx))
	}
	return s, nil
}

func (s *stage) prepare(ctx context.Context, args []string, images ...cluster.Image) error {
	if err := s.cluster.LoadImage(ctx, images...); err != nil {
		return err
	}
	config, err := s.cluster.RESTConfig()
	if err != nil {
		return err
	}
	if s.client, err = install.NewClient(config); err != nil {
		return err
	}
	if s.clients, err = kubernetes.NewForConfig(config); err != nil {
		return fmt.Errorf("client for %s: %w", config.Host, err)
	}
	return s.install(ctx, args...)
}

// install installs the operator with these flags, in place of one with others.
func (s *stage) install(ctx context.Context, args ...string) error {
	say("installing the operator with %v", args)
	return install.Operator{Root: s.root, Args: args}.Install(ctx, s.client, patience)
}

func (s *stage) takeDown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return s.cluster.Down(ctx)
}
