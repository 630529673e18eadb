package install

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestRootHoldsThisPackage(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(root, "test", "install"); here != want {
		t.Errorf("root is %q, so this should be %q, but is %q", root, want, here)
	}
	t.Chdir(t.TempDir())
	if _, err := Root(); err == nil {
		t.Error("a folder outside the repository has a root")
	}
}

func TestDecodeSkipsEmptyDocuments(t *testing.T) {
	objects, err := Decode([]byte(`# a comment
---
kind: Namespace
metadata: {name: a}
---
---
kind: Pod
metadata: {name: b, namespace: a}
`))
	if err != nil {
		t.Fatal(err)
	}
	var titles []string
	for _, object := range objects {
		titles = append(titles, title(object))
	}
	if diff := cmp.Diff([]string{"Namespace a", "Pod a/b"}, titles); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
	if _, err := Decode([]byte("kind: [")); err == nil || !strings.Contains(err.Error(), "object 1") {
		t.Errorf("a broken manifest gives %v, want an error that tells where", err)
	}
}

func TestOperatorObjects(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	const image, arg = "registry.example/op:1", "--prometheus-addr=http://192.0.2.7:9090"
	objects, err := Operator{Root: root, Image: image, Args: []string{arg}}.Objects()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for i, object := range objects {
		if _, seen := kinds[object.GetKind()]; !seen {
			kinds[object.GetKind()] = i
		}
		if object.GetKind() != "Deployment" {
			continue
		}
		container := manager(t, object)
		if container["image"] != image {
			t.Errorf("the operator runs image %v", container["image"])
		}
		if args, _ := container["args"].([]any); !slices.Contains(args, any(arg)) {
			t.Errorf("the operator's flags are %v", args)
		}
	}
	for _, first := range []string{"Namespace", "CustomResourceDefinition"} {
		at, found := kinds[first]
		if !found || at > kinds["Deployment"] {
			t.Errorf("%s is not applied before the Deployment", first)
		}
	}
}

func manager(t *testing.T, deployment *unstructured.Unstructured) map[string]any {
	t.Helper()
	containers, _, err := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	if err != nil || client.ObjectKeyFromObject(deployment) != OperatorKey {
		t.Fatalf("%s: %v", title(deployment), err)
	}
	return containers[0].(map[string]any)
}

func TestSetEnv(t *testing.T) {
	objects, err := Decode([]byte(`
kind: Deployment
metadata: {name: d}
spec: {template: {spec: {containers: [{name: c, env: [{name: A, value: old}]}]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"A", "B"} {
		if err := SetEnv(objects[0], "c", name, "new"); err != nil {
			t.Fatal(err)
		}
	}
	containers, _, _ := unstructured.NestedSlice(objects[0].Object, "spec", "template", "spec", "containers")
	want := []any{map[string]any{"name": "A", "value": "new"}, map[string]any{"name": "B", "value": "new"}}
	if diff := cmp.Diff(want, containers[0].(map[string]any)["env"]); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	if err := SetEnv(objects[0], "other", "A", ""); err == nil || err.Error() != `Deployment d has no container "other"` {
		t.Errorf("a missing container gives %v", err)
	}
}

func TestAvailable(t *testing.T) {
	done := appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Generation: 2},
		Status: appsv1.DeploymentStatus{
			ObservedGeneration: 2, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1,
		},
	}
	tests := []struct {
		reason string
		change func(*appsv1.Deployment)
		want   bool
	}{
		{"all is done", func(*appsv1.Deployment) {}, true},
		{"the newest template is not seen yet", func(d *appsv1.Deployment) { d.Generation = 3 }, false},
		{"an old replica is left", func(d *appsv1.Deployment) { d.Status.Replicas = 2 }, false},
		{"the new replica is not ready", func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 0 }, false},
		{"scaled to none", func(d *appsv1.Deployment) {
			d.Spec.Replicas = new(int32)
			d.Status = appsv1.DeploymentStatus{ObservedGeneration: 2}
		}, true},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			d := done.DeepCopy()
			test.change(d)
			if got := available(d); got != test.want {
				t.Errorf("available is %v", got)
			}
		})
	}
}

func TestStateNamesTheObstacle(t *testing.T) {
	pod := &corev1.Pod{Status: corev1.PodStatus{
		Phase: corev1.PodPending,
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/1 nodes are available"},
		},
		ContainerStatuses: []corev1.ContainerStatus{
			{Name: "a", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImagePull"}}},
			{Name: "b", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: 137}}},
		},
	}}
	want := "Pending; 0/1 nodes are available; a waits: ErrImagePull ; b ended: OOMKilled, exit code 137"
	if got := State(pod); got != want {
		t.Errorf("State says %q, want %q", got, want)
	}
}
