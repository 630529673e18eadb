package workload

import (
	"context"
	"errors"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

func TestOwnersFindTheDeploymentOfAPod(t *testing.T) {
	ofReplicaSet := func() *corev1.Pod { return ownedBy(pod(), "apps/v1", "ReplicaSet", "memhog-1") }
	ofDeployment := func() *appsv1.ReplicaSet { return ownedBy(replicaSet(), "apps/v1", "Deployment", "memhog") }
	reborn := func(o client.Object) client.Object {
		o.SetUID("uid-of-another-life")
		return o
	}
	tests := []struct {
		reason string
		pod    *corev1.Pod
		there  []client.Object
		want   string
	}{
		{
			reason: "through its ReplicaSet",
			pod:    ofReplicaSet(), there: []client.Object{ofDeployment(), deployment()},
			want: "memhog",
		},
		{
			reason: "a bare Pod has none",
			pod:    pod(), there: []client.Object{ofDeployment(), deployment()},
		},
		{
			reason: "a Pod of a StatefulSet has none",
			pod:    ownedBy(pod(), "apps/v1", "StatefulSet", "memhog"),
			there: []client.Object{
				&appsv1.StatefulSet{ObjectMeta: named("memhog")}, ofDeployment(), deployment(),
			},
		},
		{
			reason: "a ReplicaSet of another group is not meant",
			pod:    ownedBy(pod(), "example.com/v1", "ReplicaSet", "memhog-1"), there: []client.Object{ofDeployment(), deployment()},
		},
		{
			reason: "a ReplicaSet of its own has none",
			pod:    ofReplicaSet(), there: []client.Object{replicaSet(), deployment()},
		},
		{
			reason: "a Deployment-like owner of another group is not meant",
			pod:    ofReplicaSet(),
			there:  []client.Object{ownedBy(replicaSet(), "example.com/v1", "Deployment", "memhog"), deployment()},
		},
		{
			reason: "the ReplicaSet is gone",
			pod:    ofReplicaSet(), there: []client.Object{deployment()},
		},
		{
			reason: "the Deployment is gone",
			pod:    ofReplicaSet(), there: []client.Object{ofDeployment()},
		},
		{
			reason: "a later ReplicaSet of the same name is not its owner",
			pod:    ofReplicaSet(), there: []client.Object{reborn(ofDeployment()), deployment()},
		},
		{
			reason: "a later Deployment of the same name is not its owner",
			pod:    ofReplicaSet(), there: []client.Object{ofDeployment(), reborn(deployment())},
		},
		{
			reason: "a ReplicaSet that is being deleted counts as gone",
			pod:    ofReplicaSet(), there: []client.Object{deleting(ofDeployment()), deployment()},
		},
		{
			reason: "a Deployment that is being deleted counts as gone",
			pod:    ofReplicaSet(), there: []client.Object{ofDeployment(), deleting(deployment())},
		},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			reader := fake.NewClientBuilder().WithObjects(tt.there...).Build()
			found, err := Owners{Reader: reader}.Deployment(t.Context(), tt.pod)
			if err != nil {
				t.Fatalf("%s, but: %v", tt.reason, err)
			}
			var got string
			if found != nil {
				got = found.Name
			}
			if got != tt.want {
				t.Errorf("%s: want Deployment %q, got %q", tt.reason, tt.want, got)
			}
		})
	}
}

func TestOwnersThatCannotBeReadAreAnError(t *testing.T) {
	unreadable := errors.New("the API server is away")
	for kind, name := range map[string]string{"ReplicaSet": "default/memhog-1", "Deployment": "default/memhog"} {
		t.Run(kind, func(t *testing.T) {
			reader := fake.NewClientBuilder().
				WithObjects(ownedBy(replicaSet(), "apps/v1", "Deployment", "memhog"), deployment()).
				WithInterceptorFuncs(interceptor.Funcs{Get: func(
					ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption,
				) error {
					if key.String() == name {
						return unreadable
					}
					return c.Get(ctx, key, o, opts...)
				}}).Build()
			found, err := Owners{Reader: reader}.Deployment(t.Context(), ownedBy(pod(), "apps/v1", "ReplicaSet", "memhog-1"))
			if found != nil || !errors.Is(err, unreadable) || !strings.Contains(err.Error(), kind+` "`+name+`"`) {
				t.Errorf("want no Deployment and an error that names the %s, got %v, %v", kind, found, err)
			}
		})
	}
}
