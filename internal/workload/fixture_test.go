package workload

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const mebibyte = 1 << 20

// named is the metadata of an object, with a UID that follows from its name.
func named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID("uid-" + name)}
}

// ownedBy makes an object of the kind the controller of another, which is returned.
func ownedBy[T client.Object](o T, apiVersion, kind, name string) T {
	yes := true
	o.SetOwnerReferences(append(o.GetOwnerReferences(), metav1.OwnerReference{
		APIVersion: apiVersion, Kind: kind, Name: name, UID: types.UID("uid-" + name), Controller: &yes,
	}))
	return o
}

// deleting puts an object in the state between its deletion and its end.
func deleting[T client.Object](o T) T {
	now := metav1.Now()
	o.SetDeletionTimestamp(&now)
	o.SetFinalizers([]string{"example.com/not-yet"}) // nothing else keeps it there
	return o
}

func pod() *corev1.Pod { return &corev1.Pod{ObjectMeta: named("memhog-1-abc")} }

func replicaSet() *appsv1.ReplicaSet { return &appsv1.ReplicaSet{ObjectMeta: named("memhog-1")} }

func deployment(containers ...corev1.Container) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: named("memhog")}
	d.Spec.Template.Spec.Containers = containers
	return d
}

// sized is a container with a memory request and limit, empty for none.
func sized(name, request, limit string) corev1.Container {
	c := corev1.Container{Name: name}
	if request != "" {
		c.Resources.Requests = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(request)}
	}
	if limit != "" {
		c.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(limit)}
	}
	return c
}

func of(d *appsv1.Deployment) *Workload { return Of(d, "Deployment") }

// sidecar is a container among the init containers that runs for as long as the Pod does.
func sidecar(name, request, limit string) corev1.Container {
	c, always := sized(name, request, limit), corev1.ContainerRestartPolicyAlways
	c.RestartPolicy = &always
	return c
}

func clientKey(o client.Object) client.ObjectKey { return client.ObjectKeyFromObject(o) }
