package operand

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const (
	// cgroups is the one folder of the node that an agent sees, and cgroupsInside is where it sees it.
	cgroups       = "/sys/fs/cgroup"
	cgroupsInside = "/host/sys/fs/cgroup"

	// nonroot is the user of the operator's image.
	nonroot = 65532

	metricsPort = 8444

	// memoryLimit of an agent, and what the Go runtime tries to stay below so as not to meet it.
	memoryLimit = "128Mi"
	goLimit     = "110MiB"

	// rolledAtOnce bounds how many agents are replaced at a time. The controller looks after the nodes of those meanwhile:
	// with a tenth, 1000 nodes are through after ten rounds, and nine in ten are never without.
	rolledAtOnce = "10%"

	// proven is for how many seconds a new agent must run before the next ones are replaced: one that cannot work ends sooner.
	proven = 10
)

// DaemonSet is what runs the agents.
func DaemonSet(home Home, s Settings) *appsv1.DaemonSet {
	unavailable := intstr.FromString(rolledAtOnce)
	return &appsv1.DaemonSet{
		TypeMeta: metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: "DaemonSet"},
		ObjectMeta: metav1.ObjectMeta{
			Name: Name, Namespace: home.Namespace, Labels: labels(), OwnerReferences: []metav1.OwnerReference{home.Owner},
		},
		Spec: appsv1.DaemonSetSpec{
			Selector:        &metav1.LabelSelector{MatchLabels: labels()},
			MinReadySeconds: proven,
			UpdateStrategy: appsv1.DaemonSetUpdateStrategy{
				Type:          appsv1.RollingUpdateDaemonSetStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxUnavailable: &unavailable},
			},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{
					Labels:      labels(),
					Annotations: map[string]string{"kubectl.kubernetes.io/default-container": agentComponent},
				},
				Spec: podSpec(home, s),
			},
		},
	}
}

func podSpec(home Home, s Settings) corev1.PodSpec {
	yes, user, grace := true, int64(nonroot), int64(5)
	directory := corev1.HostPathDirectory
	return corev1.PodSpec{
		ServiceAccountName:            Name,
		AutomountServiceAccountToken:  &yes,
		NodeSelector:                  s.NodeSelector,
		Affinity:                      affinity(),
		Tolerations:                   s.Tolerations,
		ImagePullSecrets:              home.PullSecrets,
		PriorityClassName:             "system-node-critical", // who saves others must not be evicted for want of memory
		TerminationGracePeriodSeconds: &grace,                 // it holds nothing that would have to be put in order
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: &yes, RunAsUser: &user, RunAsGroup: &user,
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{agentContainer(home, s)},
		Volumes: []corev1.Volume{{
			Name:         "cgroups",
			VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: cgroups, Type: &directory}},
		}},
	}
}

// affinity is for the nodes that the image is built for, as that of the operator's own Deployment, and that are machines: what
// stands for another service has no control groups, and a Pod that never starts there would hold up all others when they are rolled.
func affinity() *corev1.Affinity {
	term := corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
		{Key: corev1.LabelArchStable, Operator: corev1.NodeSelectorOpIn, Values: []string{"amd64", "arm64"}},
		{Key: corev1.LabelOSStable, Operator: corev1.NodeSelectorOpIn, Values: []string{"linux"}},
		{Key: "type", Operator: corev1.NodeSelectorOpNotIn, Values: []string{"virtual-kubelet"}},
		{Key: "eks.amazonaws.com/compute-type", Operator: corev1.NodeSelectorOpNotIn, Values: []string{"fargate"}},
	}}
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{term}},
	}}
}

func agentContainer(home Home, s Settings) corev1.Container {
	yes, no := true, false
	// With cgroup v1 each controller is a mount of its own below the folder, which read-only alone would leave writable. It rules
	// out that later mounts are seen, but controllers are mounted before there are Pods.
	recursive := corev1.RecursiveReadOnlyIfPossible
	image := s.Image
	if image == "" {
		image = home.Image
	}
	return corev1.Container{
		Name:            agentComponent,
		Image:           image,
		ImagePullPolicy: home.PullPolicy,
		Args:            agentArgs(s),
		Env: []corev1.EnvVar{
			{Name: "GOMEMLIMIT", Value: goLimit},
			fromField("NODE_NAME", "spec.nodeName"),
			fromField("POD_NAME", "metadata.name"),
			fromField("POD_NAMESPACE", "metadata.namespace"),
		},
		Ports: []corev1.ContainerPort{{Name: "metrics", ContainerPort: metricsPort, Protocol: corev1.ProtocolTCP}},
		// No limit on CPU: a rescue must not wait for the next scheduling period. Much more is requested than is used, because the kernel
		// goes by that when it lets somebody wait where processors are taken: with 10m looks came up to 0.2 s late.
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("40Mi"),
			},
			Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(memoryLimit)},
		},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes, Privileged: &no,
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
		VolumeMounts: []corev1.VolumeMount{{
			Name: "cgroups", MountPath: cgroupsInside, ReadOnly: true, RecursiveReadOnly: &recursive,
		}},
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
	}
}

func agentArgs(s Settings) []string {
	args := []string{agentComponent}
	if len(s.Namespaces) > 0 {
		args = append(args, "--namespace="+strings.Join(s.Namespaces, ","))
	}
	args = append(args,
		"--guaranteed-fill-rate="+s.FillRate.String(),
		"--cgroup-root="+cgroupsInside,
		"--metrics-bind-address=:8444",
	)
	return append(args, s.LogFlags...)
}

func fromField(variable, field string) corev1.EnvVar {
	return corev1.EnvVar{Name: variable, ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: field},
	}}
}
