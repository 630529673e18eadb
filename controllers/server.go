package controllers

import (
	"context"
	"sync"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/utils/clock"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/kubedemo/memhog-operator/internal/workload"
)

// rediscovery is how often the API server is asked what it can: clusters are upgraded, and sometimes taken back.
const rediscovery = 5 * time.Minute

// Server knows what the API server can. It is asked before the operator acts for the first time, and again every now and then.
type Server struct {
	Discovery discovery.DiscoveryInterface
	Clock     clock.PassiveClock

	mu      sync.Mutex
	known   workload.Server
	askedAt time.Time
}

// Now returns what the API server can. When it cannot be asked, what was known last stands. It is an error when nothing was: whoever
// takes it for one that can resize nothing restarts what need not be.
func (s *Server) Now(ctx context.Context) (workload.Server, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Clock.Now()
	if !s.askedAt.IsZero() && now.Sub(s.askedAt) < rediscovery {
		return s.known, nil
	}
	found, err := workload.Discover(s.Discovery)
	s.askedAt = now
	if err != nil && s.known == (workload.Server{}) {
		s.askedAt = time.Time{}
		return workload.Server{}, err
	}
	if err != nil {
		logf.FromContext(ctx).Error(err, "discovery failed")
		return s.known, nil
	}
	if found != s.known {
		logf.FromContext(ctx).Info("the API server was asked what it can", "version", found.Version, "resizesPods", found.Resize)
	}
	s.known = found
	return s.known, nil
}

// Doubt has the API server asked again, after it answered as if it could not what it could.
func (s *Server) Doubt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.askedAt = time.Time{}
}
