package workload

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/utils/clock"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
)

// rediscovery is how often the API server is asked what it can: clusters are upgraded, and sometimes taken back.
const rediscovery = 5 * time.Minute

// Discoverer knows what the API server can. It is asked before the operator acts for the first time, and again every now and then.
type Discoverer struct {
	Discovery discovery.DiscoveryInterface
	Clock     clock.PassiveClock

	doubted atomic.Bool
	mu      sync.Mutex
	known   Server
	askedAt time.Time
}

// Now returns what the API server can. When it cannot be asked, what was known last stands. It is an error when nothing was: whoever
// takes it for one that can resize nothing restarts what need not be.
func (d *Discoverer) Now(ctx context.Context) (Server, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.Clock.Now()
	if !d.doubted.Swap(false) && !d.askedAt.IsZero() && now.Sub(d.askedAt) < rediscovery {
		return d.known, nil
	}
	found, err := Discover(d.Discovery)
	d.askedAt = now
	if err != nil && d.known == (Server{}) {
		d.askedAt = time.Time{}
		return Server{}, err
	}
	if err != nil {
		logf.FromContext(ctx).Error(err, "discovery failed")
		return d.known, nil
	}
	if found != d.known {
		logf.FromContext(ctx).Info("the API server was asked what it can", "version", found.Version, "resizesPods", found.Resize)
	}
	d.known = found
	return d.known, nil
}

// Doubt has the API server asked again, after it answered as if it could not what it could.
// It does not wait for an answer.
func (d *Discoverer) Doubt() { d.doubted.Store(true) }
