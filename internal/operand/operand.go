// Package operand keeps the node agents: a DaemonSet that the operator makes, confines, reports on and removes. OLM installs
// no DaemonSets, and what agents are told follows what the operator was told, so the operator owns them itself.
package operand

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Name is that of everything that makes up the agents: the DaemonSet, its service account with its ClusterRole, and the
// admission policy that confines it.
const Name = "memhog-operator-agent"

// FieldManager is the name under which the agents' objects are applied. It is not that of the operator's changes to
// workloads: the DaemonSet's memory limit would be taken for a raise, and its rollout for one that OLM has to wait for.
const FieldManager = "memhog-operator-operand"

// Labels that tell the agents' objects from others, of the operator and of strangers.
const (
	nameLabel      = "app.kubernetes.io/name"
	componentLabel = "app.kubernetes.io/component"
	instanceLabel  = "app.kubernetes.io/instance"
	operatorName   = "memhog-operator"
	agentComponent = "agent"
)

// Mode says whether there are to be agents.
type Mode string

const (
	// Auto has agents where they can be had; where not, the operator does without.
	Auto Mode = "auto"
	// On has agents, and takes it for an error where they cannot be had.
	On Mode = "on"
	// Off removes the agents that there are.
	Off Mode = "off"
)

// Settings are what the operator was told about its agents.
type Settings struct {
	Mode Mode
	// Image that agents run. Default: that of the operator's own Pod.
	Image        string
	NodeSelector map[string]string
	Tolerations  []corev1.Toleration
	// FillRate is how much memory a second a container may fill and still be rescued in time.
	FillRate resource.Quantity
	// Namespaces to watch; all when there are none.
	Namespaces []string
	// LogFlags are passed on to the agents as they are.
	LogFlags []string
}

// Home is where the operator runs, as its agents need to know it.
type Home struct {
	Namespace string
	// Image of the operator, and how nodes get it.
	Image       string
	PullPolicy  corev1.PullPolicy
	PullSecrets []corev1.LocalObjectReference
	// Owner is the operator's Deployment: the agents go when it goes.
	Owner metav1.OwnerReference
	// PolicyOwner is what the admission policy goes with.
	PolicyOwner []metav1.OwnerReference
}

// labels are those of the agents' objects and Pods.
func labels() map[string]string {
	return map[string]string{nameLabel: operatorName, componentLabel: agentComponent}
}

// labelsOf are those of the agents' cluster-wide objects, which tell the namespace of the operator that has them.
func labelsOf(namespace string) map[string]string {
	all := labels()
	all[instanceLabel] = namespace
	return all
}

// account is the user name of the agents' service account.
func account(namespace string) string {
	return strings.Join([]string{"system:serviceaccount", namespace, Name}, ":")
}
