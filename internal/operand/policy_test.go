package operand

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// agentPod is the Pod of an agent on a node.
func agentPod(t *testing.T, namespace, name, node string) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: labels()},
		Spec: corev1.PodSpec{
			ServiceAccountName: Name, NodeName: node, Containers: []corev1.Container{{Name: "agent", Image: "memhog-operator:dev"}},
		},
	}
	create(t, pod)
	return pod
}

// hog is a Pod on a node with a sidecar, that opted in if the annotation says so.
func hog(t *testing.T, namespace, name, node, annotation string) *corev1.Pod {
	t.Helper()
	always := corev1.ContainerRestartPolicyAlways
	size := corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("256Mi")},
		Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("384Mi")},
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Spec: corev1.PodSpec{
			NodeName:       node,
			InitContainers: []corev1.Container{{Name: "sidecar", Image: "memhog:dev", Resources: size, RestartPolicy: &always}},
			Containers: []corev1.Container{
				{Name: "memhog", Image: "memhog:dev", Resources: size},
				{Name: "free", Image: "memhog:dev"},
			},
			Volumes: []corev1.Volume{{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{
				Medium: corev1.StorageMediumMemory, SizeLimit: new(resource.MustParse("64Mi")),
			}}}},
		},
	}
	if annotation != "" {
		pod.Annotations = map[string]string{v1.MonitorAnnotation: annotation}
	}
	create(t, pod)
	return pod
}

// bearer is a client with a token of the agents' account, bound to a Pod; to nothing when there is none.
func bearer(t *testing.T, namespace string, pod *corev1.Pod) client.Client {
	t.Helper()
	if pod == nil {
		return bearerOf(t, namespace, nil)
	}
	return bearerOf(t, namespace, &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID})
}

// bearerOf is a client with a token of the agents' account, bound to any object.
func bearerOf(t *testing.T, namespace string, to *authenticationv1.BoundObjectReference) client.Client {
	t.Helper()
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{BoundObjectRef: to}}
	owner := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: Name, Namespace: namespace}}
	must(t, live.SubResource("token").Create(t.Context(), owner, request))
	anonymous := rest.AnonymousClientConfig(config)
	anonymous.BearerToken = request.Status.Token
	c, err := client.New(anonymous, client.Options{})
	must(t, err)
	return c
}

// node has room for all.
func node(t *testing.T, name string) *corev1.Node {
	t.Helper()
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	create(t, n)
	n.Status.Allocatable = corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("64"), corev1.ResourceMemory: resource.MustParse("256Gi"),
	}
	n.Status.Capacity = n.Status.Allocatable
	n.Status.DeclaredFeatures = []string{"InPlacePodLevelResourcesVerticalScaling", "InPlacePodVerticalScalingMemoryBackedVolumes"}
	must(t, live.Status().Update(t.Context(), n))
	return n
}

// inForce waits until the policy refuses what it should.
func inForce(t *testing.T, forbidden func(ctx context.Context) error) {
	t.Helper()
	awaits(t, "the policy is in force", func(ctx context.Context) error {
		if err := forbidden(ctx); err == nil || !strings.Contains(err.Error(), "ValidatingAdmissionPolicy '"+Name+"'") {
			return fmt.Errorf("what it should refuse gives: %w", err)
		}
		return nil
	})
}

// resized is a patch of containers' resources.
func resized(list, name string, resources map[string]any) map[string]any {
	return map[string]any{"spec": map[string]any{list: []any{map[string]any{"name": name, "resources": resources}}}}
}

func memory(request, limit string) map[string]any {
	return map[string]any{"requests": map[string]any{"memory": request}, "limits": map[string]any{"memory": limit}}
}

// scratch is a patch of the size of a volume in memory.
func scratch(size string) map[string]any {
	return map[string]any{"spec": map[string]any{"volumes": []any{map[string]any{
		"name": "scratch", "emptyDir": map[string]any{"sizeLimit": size},
	}}}}
}

func told(condition corev1.PodConditionType) map[string]any {
	return map[string]any{"status": map[string]any{"conditions": []any{
		map[string]any{"type": condition, "status": "True", "reason": "KeepsGuarantee", "message": "it does"},
	}}}
}

// patch tries a change without making it.
func patch(ctx context.Context, c client.Client, pod *corev1.Pod, subresource string, change map[string]any) error {
	text, err := json.Marshal(change)
	if err != nil {
		return err
	}
	o := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace}}
	return c.SubResource(subresource).Patch(ctx, o, client.RawPatch(types.StrategicMergePatchType, text), client.DryRunAll)
}

func TestAStolenTokenIsOfNoUseElsewhere(t *testing.T) {
	home, shop := newNamespace(t), newNamespaceOfOthers(t)
	machine := node(t, "here")
	node(t, "there")
	mine, other := agentPod(t, home, "agent-here", "here"), agentPod(t, home, "agent-there", "there")
	agent, stray := bearer(t, home, mine), bearer(t, home, nil)
	ofNode := bearerOf(t, home, &authenticationv1.BoundObjectReference{
		APIVersion: "v1", Kind: "Node", Name: machine.Name, UID: machine.UID,
	})
	here, there := hog(t, shop, "here", "here", "true"), hog(t, shop, "there", "there", "true")
	named := hog(t, shop, "named", "here", "johnny-cache")
	stranger, no := hog(t, shop, "stranger", "here", ""), hog(t, shop, "no", "here", "false")
	create(t, Policy(home))
	create(t, Binding(home))
	raise := resized("containers", "memhog", memory("512Mi", "768Mi"))
	inForce(t, func(ctx context.Context) error { return patch(ctx, agent, there, "resize", raise) })

	tests := []struct {
		reason      string
		by          client.Client
		pod         *corev1.Pod
		subresource string
		change      map[string]any
		// refusal that is wanted, by a part of its text; empty where it is allowed.
		refusal string
	}{
		{"its own node's Pod grows", agent, here, "resize", raise, ""},
		{"one that names its AppMonitor as well", agent, named, "resize", raise, ""},
		{"a sidecar grows", agent, here, "resize", resized("initContainers", "sidecar", memory("512Mi", "768Mi")), ""},
		{"the limit alone grows", agent, here, "resize", resized("containers", "memhog", memory("256Mi", "385Mi")), ""},
		{"the same in other units", agent, here, "resize", resized("containers", "memhog", memory("268435456", "393216Ki")), ""},
		{"a Pod of another node", agent, there, "resize", raise, "its token is bound to node here"},
		{"a token that is bound to no Pod", stray, here, "resize", raise, "its token is bound to no Pod"},
		{"a token that is bound to the node itself", ofNode, here, "resize", raise, "its token is bound to no Pod"},
		{"a Pod that did not opt in", agent, stranger, "resize", raise, "opted in by the annotation"},
		{"a Pod that said no", agent, no, "resize", raise, "opted in by the annotation"},
		{
			"a lower limit", agent, here, "resize", resized("containers", "memhog", memory("256Mi", "383Mi")),
			"raise the memory of containers, and change nothing else",
		},
		{
			"a lower request", agent, here, "resize", resized("containers", "memhog", memory("255Mi", "768Mi")),
			"raise the memory of containers, and change nothing else",
		},
		{
			"a lower limit of a sidecar", agent, here, "resize", resized("initContainers", "sidecar", memory("256Mi", "300Mi")),
			"raise the memory of containers, and change nothing else",
		},
		{
			"one up, the other down", agent, here, "resize",
			map[string]any{"spec": map[string]any{
				"containers":     []any{map[string]any{"name": "memhog", "resources": memory("512Mi", "768Mi")}},
				"initContainers": []any{map[string]any{"name": "sidecar", "resources": memory("128Mi", "256Mi")}},
			}},
			"raise the memory of containers, and change nothing else",
		},
		{
			"more CPU", agent, here, "resize", resized("containers", "memhog", map[string]any{"limits": map[string]any{"cpu": "2"}}),
			"raise the memory of containers, and change nothing else",
		},
		{
			"a smaller request for CPU", agent, here, "resize",
			resized("containers", "memhog", map[string]any{"requests": map[string]any{"cpu": "50m"}}),
			"raise the memory of containers, and change nothing else",
		},
		{
			"a first request for memory", agent, here, "resize",
			resized("containers", "free", map[string]any{"requests": map[string]any{"memory": "1Gi"}}),
			"raise the memory of containers, and change nothing else",
		},
		{
			"a smaller volume in memory", agent, here, "resize", scratch("32Mi"),
			"raise the memory of a Pod, and change nothing else",
		},
		{
			"a larger volume in memory", agent, here, "resize", scratch("1Gi"),
			"raise the memory of a Pod, and change nothing else",
		},
		{"it reports on its own Pod", agent, mine, "status", told(v1.AgentKeepsGuarantee), ""},
		{"on another agent's Pod", agent, other, "status", told(v1.AgentKeepsGuarantee), "its token is bound to Pod agent-here"},
		{"on its own by a token of nobody's", stray, mine, "status", told(v1.AgentKeepsGuarantee), "its token is bound to no Pod"},
		{"that its own Pod is ready", agent, mine, "status", told(corev1.PodReady), "and nothing else"},
		{
			"where its own Pod can be reached", agent, mine, "status",
			map[string]any{"status": map[string]any{"podIPs": []any{map[string]any{"ip": "192.0.2.1"}}}}, "and nothing else",
		},
		{
			"what its own Pod is selected by", agent, mine, "status",
			map[string]any{"metadata": map[string]any{"labels": map[string]any{"app": "bank"}}}, "and nothing else",
		},
		{"on a Pod elsewhere", agent, here, "status", told(v1.AgentKeepsGuarantee), `cannot patch resource "pods/status"`},
		{"past the subresource", agent, here, "", raise, `cannot patch resource "pods"`},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			err := try(t.Context(), tt.by, tt.pod, tt.subresource, tt.change)
			if tt.refusal == "" {
				if err != nil {
					t.Errorf("%s is refused: %v", tt.reason, err)
				}
				return
			}
			if !apierrors.IsForbidden(err) {
				t.Fatalf("%s: got %v, want it forbidden", tt.reason, err)
			}
			mustContain(t, err.Error(), tt.refusal)
		})
	}
}

// try is patch, of the Pod itself where there is no subresource.
func try(ctx context.Context, c client.Client, pod *corev1.Pod, subresource string, change map[string]any) error {
	if subresource != "" {
		return patch(ctx, c, pod, subresource, change)
	}
	text, err := json.Marshal(change)
	if err != nil {
		return err
	}
	o := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace}}
	return c.Patch(ctx, o, client.RawPatch(types.StrategicMergePatchType, text), client.DryRunAll)
}

func TestThePolicyConcernsNobodyElse(t *testing.T) {
	home, shop := newNamespace(t), newNamespaceOfOthers(t)
	node(t, "here")
	node(t, "there")
	agent, pod := bearer(t, home, agentPod(t, home, "agent", "here")), hog(t, shop, "there", "there", "true")
	create(t, Policy(home))
	create(t, Binding(home))
	lower := resized("containers", "memhog", memory("200Mi", "300Mi"))
	inForce(t, func(ctx context.Context) error { return patch(ctx, agent, pod, "resize", lower) })
	operator, err := client.New(as(home, "memhog-operator-controller-manager"), client.Options{})
	must(t, err)
	if err := patch(t.Context(), operator, pod, "resize", lower); err != nil {
		t.Errorf("the operator itself may lower, anywhere, but: %v", err)
	}
}

// newNamespaceOfOthers is one without anything of the operator's.
func newNamespaceOfOthers(t *testing.T) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "shop-"}}
	must(t, live.Create(t.Context(), ns))
	return ns.Name
}
