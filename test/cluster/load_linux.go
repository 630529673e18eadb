package cluster

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

var errLoadOwn = fmt.Errorf("load an image: %w: push it to a registry that the cluster pulls from", ErrOwnCluster)

// LoadImage makes images available to Pods, which must not ask for pulls:
// imagePullPolicy IfNotPresent or Never.
func (c *Cluster) LoadImage(ctx context.Context, images ...Image) error {
	if c.Own() {
		return errLoadOwn
	}
	for _, image := range images {
		r, w := io.Pipe()
		go func() { w.CloseWithError(image.Write(w)) }()
		err := c.importImage(ctx, r)
		r.Close()
		if err != nil {
			return fmt.Errorf("load image %q: %w", image.Ref, err)
		}
	}
	return nil
}

// LoadTar does the same for an image archive in a file, as `docker save` or an
// OCI tool writes it.
func (c *Cluster) LoadTar(ctx context.Context, file string) error {
	if c.Own() {
		return errLoadOwn
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := c.importImage(ctx, f); err != nil {
		return fmt.Errorf("load image %s: %w", file, err)
	}
	return nil
}

// importImage speaks to containerd through its own client, across the border of
// the node's mount namespace.
func (c *Cluster) importImage(ctx context.Context, archive io.Reader) error {
	cmd := exec.CommandContext(ctx, filepath.Join(c.binDir(), "ctr"),
		"--address", c.containerdSocket(), "--namespace", "k8s.io", "images", "import", "-")
	var output bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = archive, &output, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("ctr images import: %w: %s", err, bytes.TrimSpace(output.Bytes()))
	}
	return nil
}

// containerdSocket is the way to the node's containerd from outside of its mount
// namespace, or empty while there is no node.
func (l layout) containerdSocket() string {
	pid, err := l.initPID()
	if err != nil {
		return ""
	}
	return filepath.Join("/proc", strconv.Itoa(pid), "root", containerdSocket)
}
