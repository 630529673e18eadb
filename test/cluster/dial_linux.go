package cluster

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Dial connects to an address as the node sees it, such as a Pod's, without a detour by the API server. Names are not
// resolved there.
func (c *Cluster) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if c.Own() {
		return nil, fmt.Errorf("dial %s: %w", address, ErrOwnCluster)
	}
	pid, err := c.initPID()
	if err != nil {
		return nil, err
	}
	namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, err
	}
	defer namespace.Close()
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		// A socket belongs to the network of the thread that makes it. The thread ends with this goroutine, which
		// never unlocks it: nothing else is to run in there.
		runtime.LockOSThread()
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- result{err: fmt.Errorf("enter the node's network: %w", err)}
			return
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}
