package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubedemo/memhog-operator/test/install"
	"github.com/kubedemo/memhog-operator/test/prometheus"
)

// step is a sentence of a story, and how to make it true.
type step struct {
	sentence string
	do       func(context.Context) error
}

// rescue is the story: in place, or by a rolling update.
func (s *stage) rescue() []step {
	steps := []step{
		{"Build the images", s.buildImages},
		{"Start a real Kubernetes on this machine", s.openCluster},
		{"Clear the stage, and load the images", s.prepare},
	}
	if s.ownCluster {
		steps = []step{
			{"Connect to the cluster that KUBECONFIG names", s.openCluster},
			{"Clear the stage", s.prepare},
		}
	}
	if s.prometheus {
		steps = append(steps, step{"Let a real Prometheus scrape the kubelet", s.installPrometheus})
	}
	steps = append(steps, step{"Install the operator, as kubectl apply -k config/default does", s.installOperator})
	if s.agent {
		steps = append(steps, step{"Wait until the agent of each node keeps its guarantee", s.awaitAgents})
	}
	return append(steps,
		step{"Apply the AppMonitor johnny-cache", s.applyMonitor},
		step{fmt.Sprintf("Apply the annotated Deployment memhog, and watch it grow by %v MiB/s", s.rate), s.watchMemhog},
	)
}

// tell makes a story's sentences true, one after the other.
func (s *stage) tell(ctx context.Context, steps []step) error {
	for i, step := range steps {
		fmt.Fprintf(s.out, "==> %d/%d %s\n", i+1, len(steps), step.sentence)
		if err := step.do(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("step %d, %q: %w", i+1, step.sentence, err)
		}
	}
	return nil
}

func (s *stage) buildImages(ctx context.Context) error {
	s.say("of the operator and of memhog: a minute or two at first, seconds when Go has compiled them before")
	operator, err := install.OperatorImage(ctx, s.root)
	if err != nil {
		return err
	}
	memhog, err := install.MemhogImage(ctx, s.root)
	if err != nil {
		return err
	}
	s.images = append(s.images, operator, memhog)
	s.operatorImage, s.memhogImage = operator.Ref, memhog.Ref
	if !s.prometheus {
		return nil
	}
	image, err := prometheus.Image(ctx, s.out)
	if err != nil {
		return err
	}
	s.images = append(s.images, image)
	s.prometheusImage = image.Ref
	return nil
}

// prepare removes what an earlier story left, and loads the images.
func (s *stage) prepare(ctx context.Context) error {
	left, err := s.existing(ctx, namespaceObject())
	if err != nil {
		return err
	}
	if left != nil {
		if left.GetLabels()[ownerLabel] != namespace {
			return fmt.Errorf("the cluster has a namespace %q that is not the demo's: delete it first", namespace)
		}
		s.say("namespace %s is left from an earlier time, and is deleted", namespace)
		if err := install.Delete(ctx, s.client, left); err != nil {
			return err
		}
	}
	if s.ownCluster {
		return nil
	}
	return s.cluster.LoadImage(ctx, s.images...)
}

func (s *stage) installPrometheus(ctx context.Context) error {
	objects, err := prometheus.Objects(s.prometheusImage)
	if err != nil {
		return err
	}
	if err := s.remember(ctx, objects...); err != nil {
		return err
	}
	address, err := prometheus.Install(ctx, s.client, s.prometheusImage, patience)
	if err != nil {
		return err
	}
	s.say("it is at %s", address)
	s.prometheusArgs = []string{"--prometheus-addr=" + address}
	return nil
}

// installOperator leaves an operator alone that is on one's own cluster already. On a cluster of ours it replaces one
// that an earlier story left, which may be older than the code.
func (s *stage) installOperator(ctx context.Context) error {
	operator := install.Operator{Root: s.root, Image: s.operatorImage, Args: s.operatorArgs()}
	objects, err := operator.Objects()
	if err != nil {
		return err
	}
	var there appsv1.Deployment
	err = s.client.Get(ctx, install.OperatorKey, &there)
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		return fmt.Errorf("look for the operator: %w", err)
	case !s.ownCluster:
		if err := install.Delete(ctx, s.client, objects...); err != nil {
			return err
		}
	case s.prometheus:
		return errors.New("the operator is installed already, and may read another source: remove it first (make undeploy)")
	default:
		s.say("it is installed already, and used as it is")
		return install.WaitAvailable(ctx, s.client, install.OperatorKey, patience)
	}
	if err := s.remember(ctx, objects...); err != nil {
		return err
	}
	return operator.Install(ctx, s.client, patience)
}

// applyMonitor applies the ancestor's AppMonitor: unchanged, unless a strategy was asked for.
func (s *stage) applyMonitor(ctx context.Context) error {
	objects, err := install.Render(filepath.Join(s.root, "config", "samples"))
	if err != nil {
		return err
	}
	for _, object := range objects {
		object.SetNamespace(namespace)
		if object.GetKind() == "AppMonitor" && s.strategy != "" {
			if err := unstructured.SetNestedField(object.Object, s.strategy, "spec", "strategy"); err != nil {
				return fmt.Errorf("AppMonitor %q: %w", object.GetName(), err)
			}
		}
	}
	if err := s.apply(ctx, append([]*unstructured.Unstructured{namespaceObject()}, objects...)...); err != nil {
		return err
	}
	if s.monitor, err = monitorIn(objects); err != nil {
		return err
	}
	s.say("it acts at %v %% of the limit, and multiplies by %v", s.monitor.threshold, s.monitor.multiplier)
	return nil
}

// watchMemhog applies the Deployment and shows what becomes of it.
func (s *stage) watchMemhog(ctx context.Context) error {
	memhog, err := s.memhog()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	facts := make(chan fact, 1024)
	w := &witness{clients: s.clients, namespace: namespace, facts: facts, agent: s.agent}
	if !s.ownCluster {
		w.memory = s.cluster.Memory
	}
	if err := w.watch(ctx); err != nil {
		return err
	}
	begin := time.Now()
	if err := s.apply(ctx, memhog); err != nil {
		return err
	}
	s.applied = memhog
	before, err := sizeOf(memhog)
	if err != nil {
		return err
	}
	sizes := []size{before}
	for i := range s.raises() {
		sizes = append(sizes, sizes[i].times(s.monitor.multiplier))
	}
	s.record = newRecord(begin, s.inPlace(), s.monitor.threshold/100, sizes...)
	switch {
	case s.agent:
		s.record.reader = ""
		go s.tellOfFastPath(ctx, facts)
	case s.prometheus:
		s.record.reader = "Prometheus"
	}
	return s.observe(ctx, facts, newView(s.out))
}

// observe puts facts on record and shows them, until the rescue or the deadline.
func (s *stage) observe(ctx context.Context, facts <-chan fact, v view) error {
	defer func() {
		s.record.end = time.Now()
		v.close(s.record, s.record.end)
	}()
	ticks := time.NewTicker(500 * time.Millisecond)
	defer ticks.Stop()
	var rescued time.Time
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case f := <-facts:
			f(s.record)
		case now := <-ticks.C:
			v.show(s.record, now)
			if rescued.IsZero() && s.record.finished() {
				rescued = now
			}
			if !rescued.IsZero() && now.Sub(rescued) >= s.linger {
				return nil
			}
			if rescued.IsZero() && now.Sub(s.record.begin) >= s.deadline {
				return nil // the verdict says what is missing
			}
		}
	}
}
