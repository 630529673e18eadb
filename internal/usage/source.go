// Package usage reads how much memory containers use, from one of several sources, for everything at once.
package usage

import (
	"context"
	"time"
)

// Container names one container of one Pod.
type Container struct {
	Namespace string
	Pod       string
	Name      string
}

// Sample is one measurement of a container's working set.
type Sample struct {
	// Bytes of the working set: memory in use less inactive file pages.
	Bytes int64
	// Time of the measurement itself, as the source tells it.
	Time time.Time
}

// Node is where Pods run, and where its kubelet listens.
type Node struct {
	Name string
	// Address is an IP address or host name, without a port.
	Address string
}

// Scope is what a reading has to cover.
type Scope struct {
	Namespaces []string
	Nodes      []Node
}

// Reading is what one pass over a source brought.
type Reading struct {
	// Samples holds the newest sample of each container that the source knows of. It may hold more containers than
	// were asked for, and lack some.
	Samples map[Container]Sample
	// Failures holds, by node name, why that node's samples could not be read. A source that does not read node by
	// node puts its failure under the name of every node in the scope.
	Failures map[string]error
}

// Source is one way to learn how much memory containers use.
type Source interface {
	// Name is a short constant word, used as a metric label.
	Name() string
	// Read asks once for everything in the scope. What could be read is returned even when some of it failed.
	Read(ctx context.Context, scope Scope) Reading
}

// add keeps the newest of the samples of one container. Of two of the same time, as a Prometheus that puts its own times
// on samples has them of a container and its predecessor, it keeps the larger: a needless raise costs less than a kill.
func (r Reading) add(c Container, s Sample) {
	known, ok := r.Samples[c]
	if ok && (s.Time.Before(known.Time) || s.Time.Equal(known.Time) && s.Bytes <= known.Bytes) {
		return
	}
	r.Samples[c] = s
}

func newReading() Reading {
	return Reading{Samples: map[Container]Sample{}, Failures: map[string]error{}}
}
