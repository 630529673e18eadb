//go:build !linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
)

type node struct{}

var errUnsupported = errors.New("a cluster needs Linux, for namespaces and cgroups; " + useYourOwn)

// Up needs Linux.
func Up(context.Context, Options) (*Cluster, error) { return nil, errUnsupported }

// Find needs Linux.
func Find(Options) (*Cluster, error) { return nil, errUnsupported }

// Remove needs Linux.
func Remove(context.Context, Options) error { return errUnsupported }

// Down leaves the user's own cluster alone; there can be no other.
func (c *Cluster) Down(context.Context) error { return nil }

// Signal needs a cluster that Up started.
func (c *Cluster) Signal(string, os.Signal) error { return ErrOwnCluster }

// Stop needs a cluster that Up started.
func (c *Cluster) Stop(context.Context, string) error { return ErrOwnCluster }

// Start needs a cluster that Up started.
func (c *Cluster) Start(context.Context, string) error { return ErrOwnCluster }

// Dial needs a cluster that Up started.
func (c *Cluster) Dial(context.Context, string, string) (net.Conn, error) { return nil, ErrOwnCluster }

// LoadImage needs a cluster that Up started.
func (c *Cluster) LoadImage(context.Context, ...Image) error { return ErrOwnCluster }

// LoadTar needs a cluster that Up started.
func (c *Cluster) LoadTar(context.Context, string) error { return ErrOwnCluster }

// Describe says which cluster this is.
func (c *Cluster) Describe(w io.Writer) error {
	_, err := fmt.Fprintf(w, "your own cluster, KUBECONFIG=%s\n", c.own)
	return err
}
