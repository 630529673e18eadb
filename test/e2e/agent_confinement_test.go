package e2e

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/test/install"
)

// elsewhere is a node that there is nothing of but its name.
const elsewhere = "memhog-e2e-elsewhere"

func TestAgentsTokenIsOfLittleUseToAThief(t *testing.T) {
	s := prepareWithAgents(t)
	s.alone()
	back := s.theControllerIsAway() // it would put right what the thief does
	agent := s.theAgentActs()
	stolen := s.agentsToken(agent)

	here := s.podOn(agent.Spec.NodeName, "here", true)
	stranger := s.podOn(agent.Spec.NodeName, "stranger", false)
	there := s.podOn(s.anotherNode(), "there", true)
	s.agentAccountMay(agent.Namespace)
	for _, attempt := range []struct {
		reason  string
		pod     *corev1.Pod
		patch   string
		allowed bool
	}{
		{"more memory for a Pod of its node", here, resources("100Mi", "150Mi", ""), true},
		{"more memory for a Pod of another node", there, resources("100Mi", "150Mi", ""), false},
		{"less memory", here, resources("64Mi", "96Mi", ""), false},
		{"a smaller request with the same limit", here, resources("64Mi", "150Mi", ""), false},
		{"another CPU request", here, resources("100Mi", "150Mi", "20m"), false},
		{"a Pod that did not opt in", stranger, resources("100Mi", "150Mi", ""), false},
	} {
		err := s.patches(stolen, attempt.pod, "resize", attempt.patch)
		if allowed := err == nil; allowed != attempt.allowed || !allowed && !isPolicys(err) {
			t.Errorf("%s: %v, want it to be allowed: %t", attempt.reason, err, attempt.allowed)
			continue
		}
		t.Logf("%s: %v", attempt.reason, err)
	}
	const lie = `{"status":{"conditions":[{"type":"` + v1.AgentKeepsGuarantee + `","status":"False","reason":"TooSlow"}]}}`
	var operators corev1.PodList
	back()
	must(t, env.client.List(t.Context(), &operators, client.InNamespace(agent.Namespace),
		client.MatchingLabels{"control-plane": "controller-manager"}))
	for _, pod := range []*corev1.Pod{here, &operators.Items[0]} {
		err := s.patches(stolen, pod, "status", lie)
		if !apierrors.IsForbidden(err) {
			t.Errorf("the status of Pod %s: %v, want it to be refused", pod.Name, err)
		}
		t.Logf("the status of Pod %s: %v", pod.Name, err)
	}
	for what, err := range s.misuse(stolen, here) {
		if !apierrors.IsForbidden(err) {
			t.Errorf("to %s: %v, want it to be forbidden", what, err)
		}
	}
}

// isPolicys is true for a refusal by the agents' admission policy, and not by anything else that may have a reason.
func isPolicys(err error) bool {
	return err != nil && strings.Contains(err.Error(), "ValidatingAdmissionPolicy 'memhog-operator-agent'")
}

// agentsToken is a token like the one that the kubelet gives the agent: bound to its Pod, and so to its node.
func (s *story) agentsToken(agent *corev1.Pod) kubernetes.Interface {
	s.t.Helper()
	request, err := env.clients.CoreV1().ServiceAccounts(agent.Namespace).CreateToken(s.t.Context(), agent.Spec.ServiceAccountName,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{BoundObjectRef: &authenticationv1.BoundObjectReference{
			Kind: "Pod", APIVersion: "v1", Name: agent.Name, UID: agent.UID,
		}}}, metav1.CreateOptions{})
	must(s.t, err)
	config := rest.AnonymousClientConfig(env.config)
	config.BearerToken = request.Status.Token
	clients, err := kubernetes.NewForConfig(config)
	must(s.t, err)
	return clients
}

// anotherNode makes a node on which nothing runs, until the story ends.
func (s *story) anotherNode() string {
	s.t.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: elsewhere}, Spec: corev1.NodeSpec{
		Taints: []corev1.Taint{{Key: elsewhere, Effect: corev1.TaintEffectNoSchedule}},
	}}
	s.undo("remove the other node", func(ctx context.Context) error {
		return client.IgnoreNotFound(env.client.Delete(ctx, node))
	})
	must(s.t, env.client.Create(s.t.Context(), node))
	// Room for what the thief asks for: nothing but the policy is to stand in his way.
	room := corev1.ResourceList{
		corev1.ResourceMemory: resource.MustParse("8Gi"), corev1.ResourceCPU: resource.MustParse("2"),
		corev1.ResourcePods: resource.MustParse("10"),
	}
	before := node.DeepCopy()
	node.Status.Capacity, node.Status.Allocatable = room, room
	must(s.t, env.client.Status().Patch(s.t.Context(), node, client.MergeFrom(before)))
	return elsewhere
}

// podOn creates a Pod on a node, past the scheduler. Nothing monitors it, so that nobody but the thief resizes it.
func (s *story) podOn(node, name string, annotated bool) *corev1.Pod {
	s.t.Helper()
	hog := memhog(s).Named(name).Sized("64Mi/96Mi").Holds(10).Annotated("nobody")
	if !annotated {
		hog.Unannotated()
	}
	template := hog.deployment.Spec.Template
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.Name, pod.Namespace, pod.Spec.NodeName = name, s.namespace, node
	s.undo("remove Pod "+name, func(ctx context.Context) error {
		// No kubelet would on the other node.
		return client.IgnoreNotFound(env.client.Delete(ctx, pod, client.GracePeriodSeconds(0)))
	})
	must(s.t, env.client.Create(s.t.Context(), pod))
	if node != elsewhere {
		s.stays(pod)
	}
	return pod
}

// resources is a patch of a hog's only container.
func resources(request, limit, cpu string) string {
	requests := `"memory":"` + request + `"`
	if cpu != "" {
		requests += `,"cpu":"` + cpu + `"`
	}
	return `{"spec":{"containers":[{"name":"memhog","resources":{"requests":{` + requests + `},"limits":{"memory":"` + limit + `"}}}]}}`
}

func (s *story) patches(as kubernetes.Interface, pod *corev1.Pod, subresource, patch string) error {
	s.t.Helper()
	_, err := as.CoreV1().Pods(pod.Namespace).Patch(s.t.Context(), pod.Name, types.StrategicMergePatchType, []byte(patch),
		metav1.PatchOptions{}, subresource)
	return err
}

// misuse tries what the agent has no business to do.
func (s *story) misuse(as kubernetes.Interface, pod *corev1.Pod) map[string]error {
	s.t.Helper()
	ctx, pods := s.t.Context(), as.CoreV1().Pods(pod.Namespace)
	_, secrets := as.CoreV1().Secrets(install.OperatorKey.Namespace).List(ctx, metav1.ListOptions{})
	_, labels := pods.Patch(ctx, pod.Name, types.MergePatchType, []byte(`{"metadata":{"labels":{"a":"b"}}}`), metav1.PatchOptions{})
	return map[string]error{
		"read secrets":    secrets,
		"label the Pod":   labels,
		"delete the Pod":  pods.Delete(ctx, pod.Name, metav1.DeleteOptions{}),
		"evict the Pod":   pods.EvictV1(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace}}),
		"remove its node": as.CoreV1().Nodes().Delete(ctx, pod.Spec.NodeName, metav1.DeleteOptions{}),
	}
}

// agentAccountMay writes into the test's log what kubectl says about the agents' rights.
func (s *story) agentAccountMay(namespace string) {
	s.t.Helper()
	kubectl := exec.CommandContext(s.t.Context(), env.cluster.Kubectl(), "--kubeconfig="+env.cluster.Kubeconfig(),
		"auth", "can-i", "--list", "--namespace="+namespace, "--as="+agentAccount,
		"--as-group=system:serviceaccounts", "--as-group=system:authenticated")
	said, err := kubectl.CombinedOutput()
	if err != nil {
		s.t.Errorf("kubectl auth can-i --list: %v\n%s", err, said)
	}
	if strings.Contains(string(said), "*.*") {
		s.t.Error("the agents' account has wildcards")
	}
	s.t.Logf("the agents' account may:\n%s", said)
}
