package main

import (
	"fmt"
	"math"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

const mib = 1 << 20

// containerName is the container of the Deployment that the story is about.
const containerName = "memhog"

// size is a container's memory request and limit, in bytes.
type size struct {
	request, limit int64
}

// sizeIn is the size of the story's container among others.
func sizeIn(containers []corev1.Container) size {
	for _, c := range containers {
		if c.Name == containerName {
			return size{c.Resources.Requests.Memory().Value(), c.Resources.Limits.Memory().Value()}
		}
	}
	return size{}
}

// times is the size that an AppMonitor's multiplier makes of this one, rounded up to whole Mi: 256Mi/384Mi × 1.5 →
// 384Mi/576Mi.
func (s size) times(multiplier float64) size {
	grow := func(bytes int64) int64 { return int64(math.Ceil(float64(bytes)*multiplier/mib)) * mib }
	return size{grow(s.request), grow(s.limit)}
}

// String is what people write in manifests, 256Mi/384Mi.
func (s size) String() string {
	return fmt.Sprintf("%s/%s", resource.NewQuantity(s.request, resource.BinarySI), resource.NewQuantity(s.limit, resource.BinarySI))
}

func (s size) limitMiB() float64 { return float64(s.limit) / mib }
