package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

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

// sized is a size from a time on.
type sized struct {
	at   time.Time
	size size
}

// course is how a size changed, in the order of time.
type course []sized

// add notes the size at a time, and reports whether it is a change.
func (c *course) add(at time.Time, s size) bool {
	if n := len(*c); n > 0 && (*c)[n-1].size == s {
		return false
	}
	*c = append(*c, sized{at, s})
	return true
}

// at is the size at a time, the first one before it.
func (c course) at(t time.Time) size {
	for _, s := range slices.Backward(c) {
		if !s.at.After(t) {
			return s.size
		}
	}
	if len(c) == 0 {
		return size{}
	}
	return c[0].size
}

// reached is when a size was first noted, or zero.
func (c course) reached(s size) time.Time {
	i := slices.IndexFunc(c, func(x sized) bool { return x.size == s })
	if i < 0 {
		return time.Time{}
	}
	return c[i].at
}

func (c course) sizes() []size {
	var list []size
	for _, s := range c {
		list = append(list, s.size)
	}
	return list
}

// arrows joins sizes as a story tells them, 256Mi/384Mi → 512Mi/768Mi.
func arrows(sizes []size) string {
	var words []string
	for _, s := range sizes {
		words = append(words, s.String())
	}
	return strings.Join(words, " → ")
}

// sizeInForce is the size that the kubelet says the story's container has.
func sizeInForce(p *corev1.Pod) (size, bool) {
	for _, c := range p.Status.ContainerStatuses {
		if c.Name == containerName && c.Resources != nil && c.State.Running != nil {
			return size{c.Resources.Requests.Memory().Value(), c.Resources.Limits.Memory().Value()}, true
		}
	}
	return size{}, false
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
