package workload

import (
	"context"
	"errors"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

func TestOwnersFindTheWorkloadOfAPod(t *testing.T) {
	ofReplicaSet := func() *corev1.Pod { return ownedBy(pod(), "apps/v1", "ReplicaSet", "memhog-1") }
	ofDeployment := func() *appsv1.ReplicaSet { return ownedBy(replicaSet(), "apps/v1", "Deployment", "memhog") }
	reborn := func(o client.Object) client.Object {
		o.SetUID("uid-of-another-life")
		return o
	}
	itself := "Pod/memhog-1-abc"
	job := func() client.Object { return &batchv1.Job{ObjectMeta: named("memhog-1")} }
	tests := []struct {
		reason string
		pod    *corev1.Pod
		there  []client.Object
		want   string
	}{
		{
			reason: "a Deployment, through its ReplicaSet",
			pod:    ofReplicaSet(), there: []client.Object{ofDeployment(), deployment()},
			want: "Deployment/memhog",
		},
		{
			reason: "a StatefulSet", pod: ownedBy(pod(), "apps/v1", "StatefulSet", "memhog"),
			there: []client.Object{&appsv1.StatefulSet{ObjectMeta: named("memhog")}, deployment()}, want: "StatefulSet/memhog",
		},
		{
			reason: "a DaemonSet", pod: ownedBy(pod(), "apps/v1", "DaemonSet", "memhog"),
			there: []client.Object{&appsv1.DaemonSet{ObjectMeta: named("memhog")}}, want: "DaemonSet/memhog",
		},
		{
			reason: "a Job", pod: ownedBy(pod(), "batch/v1", "Job", "memhog-1"), there: []client.Object{job()}, want: "Job/memhog-1",
		},
		{
			reason: "a CronJob, through its Job", pod: ownedBy(pod(), "batch/v1", "Job", "memhog-1"),
			there: []client.Object{ownedBy(job(), "batch/v1", "CronJob", "memhog"), &batchv1.CronJob{ObjectMeta: named("memhog")}},
			want:  "CronJob/memhog",
		},
		{
			reason: "a bare Pod is its own", pod: pod(), there: []client.Object{ofDeployment(), deployment()}, want: itself,
		},
		{
			reason: "and one of an unknown kind of owner", pod: ownedBy(pod(), "example.com/v1", "Rollout", "memhog"),
			there: []client.Object{deployment()}, want: itself,
		},
		{
			reason: "a ReplicaSet of another group is not meant",
			pod:    ownedBy(pod(), "example.com/v1", "ReplicaSet", "memhog-1"), there: []client.Object{ofDeployment(), deployment()},
			want: itself,
		},
		{
			reason: "a ReplicaSet of its own", pod: ofReplicaSet(), there: []client.Object{replicaSet(), deployment()},
			want: "ReplicaSet/memhog-1",
		},
		{
			reason: "a ReplicaSet whose owner is of an unknown kind",
			pod:    ofReplicaSet(),
			there:  []client.Object{ownedBy(replicaSet(), "example.com/v1", "Deployment", "memhog"), deployment()},
			want:   "ReplicaSet/memhog-1",
		},
		{
			reason: "the ReplicaSet is gone",
			pod:    ofReplicaSet(), there: []client.Object{deployment()}, want: itself,
		},
		{
			reason: "the Deployment is gone",
			pod:    ofReplicaSet(), there: []client.Object{ofDeployment()}, want: "ReplicaSet/memhog-1",
		},
		{
			reason: "a later ReplicaSet of the same name is not its owner",
			pod:    ofReplicaSet(), there: []client.Object{reborn(ofDeployment()), deployment()}, want: itself,
		},
		{
			reason: "a later Deployment of the same name is not its owner",
			pod:    ofReplicaSet(), there: []client.Object{ofDeployment(), reborn(deployment())}, want: "ReplicaSet/memhog-1",
		},
		{
			reason: "a ReplicaSet that is being deleted counts as gone",
			pod:    ofReplicaSet(), there: []client.Object{deleting(ofDeployment()), deployment()}, want: itself,
		},
		{
			reason: "a Deployment that is being deleted counts as gone",
			pod:    ofReplicaSet(), there: []client.Object{ofDeployment(), deleting(deployment())}, want: "ReplicaSet/memhog-1",
		},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			reader := fake.NewClientBuilder().WithObjects(tt.there...).Build()
			found, err := Owners{Reader: reader}.Of(t.Context(), tt.pod)
			if err != nil {
				t.Fatalf("%s, but: %v", tt.reason, err)
			}
			if found.Name() != tt.want {
				t.Errorf("%s: want %s, got %s", tt.reason, tt.want, found.Name())
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
			found, err := Owners{Reader: reader}.Of(t.Context(), ownedBy(pod(), "apps/v1", "ReplicaSet", "memhog-1"))
			if found != nil || !errors.Is(err, unreadable) || !strings.Contains(err.Error(), kind+` "`+name+`"`) {
				t.Errorf("want no Deployment and an error that names the %s, got %v, %v", kind, found, err)
			}
		})
	}
}
