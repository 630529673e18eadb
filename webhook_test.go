package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/open-policy-agent/cert-controller/pkg/rotator"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

func TestARotationIsBegunAgainOnlyWhereItCanBe(t *testing.T) {
	for _, tt := range []struct {
		reason string
		fails  error
		want   int // starts in three minutes
	}{
		{"it goes on", nil, 1},
		{"no permission yet", errors.New("acquiring secret to update certificates: forbidden"), 3},
		{"nothing was mounted", errors.New("could not mount certs"), 1},
		{"API servers were not told", errors.New("could not inject certs to webhooks"), 1},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				starts := 0
				inner := manager.RunnableFunc(func(ctx context.Context) error {
					starts++
					if tt.fails == nil {
						<-ctx.Done()
					}
					return tt.fails
				})
				ctx, cancel := context.WithTimeout(t.Context(), 3*rotationRetry-time.Second)
				defer cancel()
				d := dispensable{Runnable: inner, again: true, retry: rotationRetry}
				if err := d.Start(ctx); err != nil {
					t.Errorf("it ends the operator: %v", err)
				}
				if starts != tt.want {
					t.Errorf("%d starts, want %d", starts, tt.want)
				}
			})
		})
	}
}

func TestOnlyTheRotationIsBegunAgain(t *testing.T) {
	for _, tt := range []struct {
		runnable manager.Runnable
		elected  bool
		again    bool
	}{
		{&rotator.CertRotator{}, false, true},
		{&rotator.CertRotator{RequireLeaderElection: true}, true, true},
		{manager.RunnableFunc(func(context.Context) error { return nil }), true, false},
	} {
		d := newDispensable(tt.runnable)
		if d.again != tt.again || d.NeedLeaderElection() != tt.elected {
			t.Errorf("%T: begun again %t, by the leader %t", tt.runnable, d.again, d.NeedLeaderElection())
		}
	}
}
