package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// tokenFile is where a Pod has its service account's token.
const tokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token"

// account is who the operator runs as, by its own token.
type account struct {
	Namespace string `json:"namespace"`
	Account   struct {
		Name string    `json:"name"`
		UID  types.UID `json:"uid"`
	} `json:"serviceaccount"`
}

// addLeaseOwner has the leader give the Lease to the service account, so that an uninstallation takes it along: it is the
// one object that the operator makes itself, in a namespace that may outlive it. Outside of a Pod, or in one that acts on
// another cluster by a kubeconfig, there is no account of this cluster.
func addLeaseOwner(config *rest.Config, mgr ctrl.Manager, o options) error {
	if !o.leaderElect || config.BearerTokenFile != tokenFile {
		return nil
	}
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		return fmt.Errorf("read the service account's token: %w", err)
	}
	who, err := accountOf(string(token))
	if err != nil {
		// A token of another kind does as well: only the Lease would stay behind.
		ctrl.Log.Error(err, "the Lease gets no owner")
		return nil
	}
	client, err := coordinationv1.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make a client for the Lease: %w", err)
	}
	return mgr.Add(manager.RunnableFunc(func(ctx context.Context) error {
		if err := ownLease(ctx, client.Leases(who.Namespace), who); err != nil {
			// It works without; only its Lease would stay behind.
			ctrl.Log.Error(err, "giving the Lease an owner failed")
		}
		return nil
	}))
}

// accountOf reads the claims of a token that the API server will verify, so nothing is verified here.
func accountOf(token string) (account, error) {
	var claims struct {
		Kubernetes account `json:"kubernetes.io"`
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return account{}, fmt.Errorf("the service account's token has %d parts, want 3", len(parts))
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(text, &claims)
	}
	if err != nil {
		return account{}, fmt.Errorf("read the claims of the service account's token: %w", err)
	}
	if claims.Kubernetes.Account.UID == "" {
		return account{}, fmt.Errorf("the service account's token does not say whose it is")
	}
	return claims.Kubernetes, nil
}

// ownLease competes with the leader election for the Lease, which it renews every few seconds.
func ownLease(ctx context.Context, leases coordinationv1.LeaseInterface, who account) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		lease, err := leases.Get(ctx, leaseName, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("read the Lease: %w", err)
		}
		owned := slices.ContainsFunc(lease.OwnerReferences, func(r metav1.OwnerReference) bool { return r.UID == who.Account.UID })
		if owned {
			return nil
		}
		// An account of an earlier installation is no owner any more.
		lease.OwnerReferences = []metav1.OwnerReference{
			{APIVersion: "v1", Kind: "ServiceAccount", Name: who.Account.Name, UID: who.Account.UID},
		}
		_, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
		return err
	})
}
