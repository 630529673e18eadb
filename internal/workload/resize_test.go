package workload

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// resizing is a Pod that is meant to have 512Mi/768Mi, and has what the kubelet says; empty when it says nothing.
func resizing(request, limit string, conditions ...corev1.PodCondition) *corev1.Pod {
	p := pod()
	p.Generation = 2
	p.Spec.Containers = []corev1.Container{sized("memhog", "512Mi", "768Mi")}
	status := corev1.ContainerStatus{Name: "memhog"}
	if limit != "" {
		has := sized("", request, limit).Resources
		status.Resources = &has
	}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{status}
	p.Status.Conditions = conditions
	return p
}

func pending(reason string, generation int64) corev1.PodCondition {
	return corev1.PodCondition{
		Type: corev1.PodResizePending, Status: corev1.ConditionTrue, Reason: reason, ObservedGeneration: generation,
	}
}

func TestOnlyTheKubeletIsBelieved(t *testing.T) {
	for _, tt := range []struct {
		reason string
		pod    *corev1.Pod
		state  ResizeState
		has    Size
	}{
		{"it has what it is meant to have", resizing("512Mi", "768Mi"), ResizeSettled, two},
		{"it has not yet", resizing("256Mi", "384Mi"), ResizeInProgress, one},
		{"the kubelet is at it", resizing("256Mi", "384Mi", corev1.PodCondition{
			Type: corev1.PodResizeInProgress, Status: corev1.ConditionTrue, ObservedGeneration: 2,
		}), ResizeInProgress, one},
		{"there is no room", resizing("256Mi", "384Mi", pending("Deferred", 2)), ResizeDeferred, one},
		{"there will never be", resizing("256Mi", "384Mi", pending("Infeasible", 2)), ResizeInfeasible, one},
		{"a kubelet of 1.33 does not say of which size it speaks", resizing("256Mi", "384Mi", pending("Deferred", 0)), ResizeDeferred, one},
		{"the kubelet does not get it done", resizing("256Mi", "384Mi", corev1.PodCondition{
			Type: corev1.PodResizeInProgress, Status: corev1.ConditionTrue, Reason: "Error", ObservedGeneration: 2,
		}), ResizeFailing, one},
		{"what was said of an earlier size", resizing("256Mi", "384Mi", pending("Infeasible", 1)), ResizeInProgress, one},
		{"what no longer holds", resizing("256Mi", "384Mi", corev1.PodCondition{
			Type: corev1.PodResizePending, Status: corev1.ConditionFalse, Reason: "Deferred", ObservedGeneration: 2,
		}), ResizeInProgress, one},
		{"what is said of a container that has its size is said of another", resizing("512Mi", "768Mi", pending("Deferred", 2)),
			ResizeSettled, two},
		{"a reason of a later Kubernetes", resizing("256Mi", "384Mi", pending("Thinking", 2)), ResizeInProgress, one},
		{"it says nothing of sizes", resizing("", ""), ResizeSettled, two},
		{"the kernel counts in pages", resizing("512Mi", "805306367"), ResizeSettled,
			Size{Request: 512 * mebibyte, Limit: 768*mebibyte - 1}},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			state, has := ResizeOf(tt.pod, tt.pod.Spec.Containers[0])
			if state != tt.state || has != tt.has {
				t.Errorf("%s: %v, %+v, want %v, %+v", tt.reason, state, has, tt.state, tt.has)
			}
		})
	}
	bare := resizing("256Mi", "384Mi")
	bare.Status.ContainerStatuses = nil
	if state, has := ResizeOf(bare, bare.Spec.Containers[0]); state != ResizeSettled || has != two {
		t.Errorf("a container without a status: %v, %+v", state, has)
	}
}

func TestASidecarIsLookedUpAmongTheInitContainers(t *testing.T) {
	p := pod()
	small := sized("", "256Mi", "384Mi").Resources
	p.Spec.InitContainers = []corev1.Container{sized("first", "1Mi", "1Mi"), sidecar("proxy", "512Mi", "768Mi")}
	p.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "first"}, {Name: "proxy", Resources: &small}}
	if state, has := ResizeOf(p, p.Spec.InitContainers[1]); state != ResizeInProgress || has != one {
		t.Errorf("%v, %+v", state, has)
	}
	if s := StatusOf(p, "proxy"); s == nil || s.Name != "proxy" {
		t.Errorf("its status is %+v", s)
	}
	if s := StatusOf(p, "nobody"); s != nil {
		t.Errorf("the status of nobody is %+v", s)
	}
	var names []string
	for _, c := range Containers(&p.Spec) {
		names = append(names, c.Name)
	}
	if diff := cmp.Diff([]string{"proxy"}, names); diff != "" {
		t.Errorf("containers that run as long as the Pod (-want +got):\n%s", diff)
	}
}

// owns is what a manager owns of a Pod's containers by the resize subresource.
func owns(manager, subresource, list, container string) metav1.ManagedFieldsEntry {
	at := metav1.NewTime(noon)
	return metav1.ManagedFieldsEntry{
		Manager: manager, Subresource: subresource, Operation: metav1.ManagedFieldsOperationUpdate, Time: &at,
		FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:` + list + `":{"k:{\"name\":\"` + container +
			`\"}":{"f:resources":{"f:limits":{"f:memory":{}},"f:requests":{"f:memory":{}}}}}}}`),
	}
}

func TestWhoResizedAContainer(t *testing.T) {
	for _, tt := range []struct {
		reason string
		fields []metav1.ManagedFieldsEntry
		want   Resizer
	}{
		{"nobody", nil, NobodyResized},
		{"the operator", []metav1.ManagedFieldsEntry{owns(FieldManager, "resize", "containers", "memhog")}, OperatorResized},
		{"an agent", []metav1.ManagedFieldsEntry{owns(AgentFieldManager, "resize", "containers", "memhog")}, AgentResized},
		{"somebody else", []metav1.ManagedFieldsEntry{owns("vpa-updater", "resize", "containers", "memhog")}, OtherResized},
		{"the operator, of another container", []metav1.ManagedFieldsEntry{
			owns(FieldManager, "resize", "containers", "other"),
		}, NobodyResized},
		{"the operator, of a sidecar", []metav1.ManagedFieldsEntry{
			owns(FieldManager, "resize", "initContainers", "memhog"),
		}, OperatorResized},
		{"whoever made the Pod did not", []metav1.ManagedFieldsEntry{owns("kube-controller-manager", "", "containers", "memhog")},
			NobodyResized},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			p := resizing("512Mi", "768Mi")
			p.Spec.InitContainers = []corev1.Container{sidecar("memhog", "", "")}
			p.ManagedFields = tt.fields
			got, at, err := ResizedBy(p, "memhog")
			if err != nil || got != tt.want {
				t.Errorf("%s: %v (%v), want %v", tt.reason, got, err, tt.want)
			}
			if want := tt.want.Ours(); at.Equal(noon) != want {
				t.Errorf("%s: at %s", tt.reason, at)
			}
		})
	}
	p := resizing("512Mi", "768Mi")
	p.ManagedFields = []metav1.ManagedFieldsEntry{{Subresource: "resize", FieldsV1: metav1.NewFieldsV1("[")}}
	if _, _, err := ResizedBy(p, "memhog"); err == nil {
		t.Error("fields that cannot be read are no error")
	}
}

func TestAResizeIsOnePatchOfWhatWasSeen(t *testing.T) {
	p := resizing("512Mi", "768Mi")
	p.Spec.Containers = append(p.Spec.Containers, sized("other", "1Mi", "2Mi"), sized("unrequested", "", "64Mi"))
	p.Spec.InitContainers = []corev1.Container{sidecar("proxy", "10Mi", "20Mi")}
	var sent, manager, subresource string
	c := interceptor.NewClient(fake.NewClientBuilder().Build(), interceptor.Funcs{SubResourcePatch: func(
		_ context.Context, _ client.Client, sub string, o client.Object, patch client.Patch, opts ...client.SubResourcePatchOption,
	) error {
		text, err := patch.Data(o)
		options := (&client.SubResourcePatchOptions{}).ApplyOptions(opts)
		sent, manager, subresource = string(text), options.FieldManager, sub
		return err
	}})
	_, err := ResizePod(t.Context(), c, p, FieldManager, []Resize{
		{Container: "memhog", Size: four}, {Container: "unrequested", Size: Size{Request: 1, Limit: 128 * mebibyte}},
		{Container: "proxy", Size: Size{Request: 20 * mebibyte, Limit: 40 * mebibyte}}, {Container: "gone", Size: four},
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"op":"test","path":"/metadata/uid","value":"uid-memhog-1-abc"},` +
		`{"op":"test","path":"/spec/containers/0/name","value":"memhog"},` +
		`{"op":"test","path":"/spec/containers/0/resources/limits/memory","value":"768Mi"},` +
		`{"op":"replace","path":"/spec/containers/0/resources/limits/memory","value":"1536Mi"},` +
		`{"op":"replace","path":"/spec/containers/0/resources/requests/memory","value":"1Gi"},` +
		`{"op":"test","path":"/spec/containers/2/name","value":"unrequested"},` +
		`{"op":"test","path":"/spec/containers/2/resources/limits/memory","value":"64Mi"},` +
		`{"op":"replace","path":"/spec/containers/2/resources/limits/memory","value":"128Mi"},` +
		`{"op":"test","path":"/spec/initContainers/0/name","value":"proxy"},` +
		`{"op":"test","path":"/spec/initContainers/0/resources/limits/memory","value":"20Mi"},` +
		`{"op":"replace","path":"/spec/initContainers/0/resources/limits/memory","value":"40Mi"},` +
		`{"op":"replace","path":"/spec/initContainers/0/resources/requests/memory","value":"20Mi"}]`
	if diff := cmp.Diff(want, sent); diff != "" || manager != FieldManager || subresource != "resize" {
		t.Errorf("as %q to %q (-want +got):\n%s", manager, subresource, diff)
	}
}

func TestContainersThatRestartOnResize(t *testing.T) {
	policy := func(of corev1.ResourceName, restart corev1.ResourceResizeRestartPolicy) corev1.Container {
		return corev1.Container{ResizePolicy: []corev1.ContainerResizePolicy{{ResourceName: of, RestartPolicy: restart}}}
	}
	for reason, tt := range map[string]struct {
		c    corev1.Container
		want bool
	}{
		"it says nothing":           {corev1.Container{}, false},
		"of memory it does":         {policy(corev1.ResourceMemory, corev1.RestartContainer), true},
		"of memory it does not":     {policy(corev1.ResourceMemory, corev1.NotRequired), false},
		"of another resource it is": {policy(corev1.ResourceCPU, corev1.RestartContainer), false},
	} {
		if got := RestartsOnResize(tt.c); got != tt.want {
			t.Errorf("%s: %t", reason, got)
		}
	}
}

func TestWhatAPodTakesOfItsNodeWhileItIsResized(t *testing.T) {
	p := resizing("256Mi", "384Mi")
	p.Status.ContainerStatuses[0].AllocatedResources = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")}
	if got := Requests(p); got != two.Request {
		t.Errorf("while it grows: %d", got)
	}
	p.Spec.Containers[0] = sized("memhog", "128Mi", "192Mi")
	if got := Requests(p); got != one.Request {
		t.Errorf("while it shrinks: %d", got)
	}
}
