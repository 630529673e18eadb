// Package prometheus runs the real Prometheus in a cluster, where it scrapes the kubelets' cAdvisor.
package prometheus

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubedemo/memhog-operator/test/cluster"
	"github.com/kubedemo/memhog-operator/test/install"
	"github.com/kubedemo/memhog-operator/tools"
)

// Ref is the reference of the image that Image builds.
const Ref = "memhog-prometheus:pinned"

// Key names Prometheus' Deployment, and its Service too.
var Key = client.ObjectKey{Namespace: "memhog-prometheus", Name: "prometheus"}

//go:embed manifest.yaml
var manifest []byte

// Image lays the pinned Prometheus out as the image Ref, and first builds it where that was never done. Progress
// goes to out.
func Image(ctx context.Context, out io.Writer) (cluster.Image, error) {
	programs, err := tools.Build(ctx, out, "prometheus")
	if err != nil {
		return cluster.Image{}, fmt.Errorf("build prometheus: %w", err)
	}
	return cluster.BuildImage(ctx, cluster.ImageSpec{
		Ref: Ref, Binary: programs["prometheus"], Entrypoint: "prometheus",
	})
}

// Objects are Prometheus and what it needs. The image is Ref unless another one, such as the official one, is given.
func Objects(image string) ([]*unstructured.Unstructured, error) {
	objects, err := install.Decode(manifest)
	if err != nil {
		return nil, fmt.Errorf("prometheus: %w", err)
	}
	if image == "" {
		return objects, nil
	}
	for _, object := range objects {
		if object.GetKind() != "Deployment" {
			continue
		}
		if err := install.SetImage(object, "prometheus", image); err != nil {
			return nil, err
		}
	}
	return objects, nil
}

// Install applies Objects, waits until Prometheus is available, and returns its address, http://IP:9090. It is the
// Service's IP, because a cluster need not have DNS.
func Install(ctx context.Context, c client.Client, image string, timeout time.Duration) (string, error) {
	objects, err := Objects(image)
	if err != nil {
		return "", err
	}
	if err := install.Apply(ctx, c, objects...); err != nil {
		return "", err
	}
	if err := install.WaitAvailable(ctx, c, Key, timeout); err != nil {
		return "", err
	}
	var service corev1.Service
	if err := c.Get(ctx, Key, &service); err != nil {
		return "", fmt.Errorf("address of prometheus: %w", err)
	}
	port := strconv.Itoa(int(service.Spec.Ports[0].Port))
	return "http://" + net.JoinHostPort(service.Spec.ClusterIP, port), nil
}
