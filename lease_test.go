package main

import (
	"encoding/base64"
	"testing"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestTheTokenSaysWhoTheOperatorIs(t *testing.T) {
	claims := `{"kubernetes.io":{"namespace":"n","serviceaccount":{"name":"a","uid":"u-1"}}}`
	got, err := accountOf("header." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".signature")
	if err != nil || got.Namespace != "n" || got.Account.Name != "a" || got.Account.UID != "u-1" {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, token := range []string{"", "a.b", "a.%.c", "a." + base64.RawURLEncoding.EncodeToString([]byte("{}")) + ".c"} {
		if _, err := accountOf(token); err == nil {
			t.Errorf("%q was taken for a service account's token", token)
		}
	}
}

func TestTheLeaseBelongsToTheServiceAccount(t *testing.T) {
	who := account{Namespace: "n"}
	who.Account.Name, who.Account.UID = "a", "new"
	tests := []struct {
		reason string
		before []metav1.OwnerReference
		writes int
	}{
		{"it is fresh", nil, 1},
		{"it is of an earlier installation", []metav1.OwnerReference{{Kind: "ServiceAccount", Name: "a", UID: "old"}}, 1},
		{"it is ours already", []metav1.OwnerReference{{APIVersion: "v1", Kind: "ServiceAccount", Name: "a", UID: "new"}}, 0},
	}
	want := []metav1.OwnerReference{{APIVersion: "v1", Kind: "ServiceAccount", Name: "a", UID: "new"}}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			clients := fake.NewClientset(&coordinationv1.Lease{
				ObjectMeta: metav1.ObjectMeta{Name: leaseName, Namespace: "n", OwnerReferences: test.before},
			})
			leases := clients.CoordinationV1().Leases("n")
			if err := ownLease(t.Context(), leases, who); err != nil {
				t.Fatal(err)
			}
			writes := 0
			for _, action := range clients.Actions() {
				if action.GetVerb() == "update" {
					writes++
				}
			}
			lease, err := leases.Get(t.Context(), leaseName, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, lease.OwnerReferences); diff != "" || writes != test.writes {
				t.Errorf("%d writes, want %d; owners (-want +got):\n%s", writes, test.writes, diff)
			}
		})
	}
}
