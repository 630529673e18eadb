package operand

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
)

func settings() Settings { return Settings{Mode: Auto, FillRate: resource.MustParse("256Mi")} }

func home() Home {
	return Home{
		Namespace: "memhog-operator-system", Image: "registry.example/op:1", PullPolicy: corev1.PullIfNotPresent,
		PullSecrets: []corev1.LocalObjectReference{{Name: "registry"}},
		Owner:       metav1.OwnerReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "op", UID: "1"},
	}
}

func TestAgentsAreRunAsTheOperatorIs(t *testing.T) {
	set := DaemonSet(home(), settings())
	pod := set.Spec.Template.Spec
	agent := pod.Containers[0]
	if agent.Image != home().Image || agent.ImagePullPolicy != home().PullPolicy || pod.ImagePullSecrets[0].Name != "registry" {
		t.Errorf("the image is %s, pulled %s with %v", agent.Image, agent.ImagePullPolicy, pod.ImagePullSecrets)
	}
	if diff := cmp.Diff([]metav1.OwnerReference{home().Owner}, set.OwnerReferences); diff != "" {
		t.Errorf("owners (-want +got):\n%s", diff)
	}
	if set.Spec.MinReadySeconds != 10 {
		t.Errorf("the next agents are replaced after %d s, so that one that ends at once takes the place of all", set.Spec.MinReadySeconds)
	}
	if diff := cmp.Diff(labels(), set.Spec.Template.Labels); diff != "" {
		t.Errorf("labels of the Pods (-want +got):\n%s", diff)
	}
	wanted := "agent --guaranteed-fill-rate=256Mi --cgroup-root=/host/sys/fs/cgroup --metrics-bind-address=:8444"
	if args := strings.Join(agent.Args, " "); args != wanted {
		t.Errorf("its arguments are %s, want %s", args, wanted)
	}
	var variables []string
	for _, v := range agent.Env {
		if v.ValueFrom != nil {
			variables = append(variables, v.Name+"="+v.ValueFrom.FieldRef.FieldPath)
		}
	}
	names := []string{"NODE_NAME=spec.nodeName", "POD_NAME=metadata.name", "POD_NAMESPACE=metadata.namespace"}
	if diff := cmp.Diff(names, variables); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
}

func TestAgentsSeeOneFolderOfTheNodeAndMayDoNothingElse(t *testing.T) {
	pod := DaemonSet(home(), settings()).Spec.Template.Spec
	agent := pod.Containers[0]
	if len(pod.Volumes) != 1 || pod.Volumes[0].HostPath == nil || pod.Volumes[0].HostPath.Path != "/sys/fs/cgroup" {
		t.Errorf("volumes are %+v", pod.Volumes)
	}
	if len(agent.VolumeMounts) != 1 || !agent.VolumeMounts[0].ReadOnly || agent.VolumeMounts[0].MountPath != "/host/sys/fs/cgroup" {
		t.Errorf("mounts are %+v", agent.VolumeMounts)
	}
	if pod.HostNetwork || pod.HostPID || pod.HostIPC {
		t.Error("it shares a namespace with the node")
	}
	yes, no := true, false
	want := &corev1.SecurityContext{
		AllowPrivilegeEscalation: &no, Privileged: &no, ReadOnlyRootFilesystem: &yes,
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
	if diff := cmp.Diff(want, agent.SecurityContext); diff != "" {
		t.Errorf("security context of the container (-want +got):\n%s", diff)
	}
	c := pod.SecurityContext
	if !*c.RunAsNonRoot || *c.RunAsUser != 65532 || c.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("security context of the Pod: %+v", c)
	}
	if len(agent.Ports) != 1 || agent.Ports[0].ContainerPort != 8444 || agent.Ports[0].HostPort != 0 {
		t.Errorf("ports are %+v", agent.Ports)
	}
	if cpu, ok := agent.Resources.Limits[corev1.ResourceCPU]; ok {
		t.Errorf("its CPU is limited to %s", &cpu)
	}
}

func TestAgentsFollowTheOperatorsSettings(t *testing.T) {
	s := settings()
	s.Image, s.Namespaces, s.LogFlags = "registry.example/agent:2", []string{"shop", "bank"}, []string{"--zap-log-level=debug"}
	s.NodeSelector = map[string]string{"pool": "apps"}
	s.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	s.FillRate = resource.MustParse("1Gi")
	pod := DaemonSet(home(), s).Spec.Template.Spec
	wanted := "agent --namespace=shop,bank --guaranteed-fill-rate=1Gi --cgroup-root=/host/sys/fs/cgroup " +
		"--metrics-bind-address=:8444 --zap-log-level=debug"
	if args := strings.Join(pod.Containers[0].Args, " "); args != wanted {
		t.Errorf("its arguments are %s, want %s", args, wanted)
	}
	if pod.Containers[0].Image != s.Image {
		t.Errorf("its image is %s", pod.Containers[0].Image)
	}
	if diff := cmp.Diff(s.NodeSelector, pod.NodeSelector); diff != "" {
		t.Errorf("node selector (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(s.Tolerations, pod.Tolerations); diff != "" {
		t.Errorf("tolerations (-want +got):\n%s", diff)
	}
}

func TestAgentsAreForMachinesThatCanRunThem(t *testing.T) {
	pod := &corev1.Pod{Spec: DaemonSet(home(), settings()).Spec.Template.Spec}
	for _, tt := range []struct {
		node string
		more map[string]string
		want bool
	}{
		{"a machine", nil, true},
		{"one of a type", map[string]string{"type": "spot"}, true},
		{"of another architecture", map[string]string{corev1.LabelArchStable: "s390x"}, false},
		{"of another system", map[string]string{corev1.LabelOSStable: "windows"}, false},
		{"what stands for another service", map[string]string{"type": "virtual-kubelet"}, false},
		{"a Fargate node", map[string]string{"eks.amazonaws.com/compute-type": "fargate"}, false},
	} {
		labels := map[string]string{corev1.LabelArchStable: "amd64", corev1.LabelOSStable: "linux"}
		maps.Copy(labels, tt.more)
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: labels}}
		if is, err := nodeaffinity.GetRequiredNodeAffinity(pod).Match(node); err != nil || is != tt.want {
			t.Errorf("%s has an agent: %t (%v), want %t", tt.node, is, err, tt.want)
		}
	}
}
