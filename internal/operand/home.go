package operand

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	apilabels "k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubedemo/memhog-operator/internal/workload"
)

// obstacle is why there can be no agents, for people. It lasts until somebody changes something, unlike an error.
type obstacle struct {
	text string
	// remove is true when agents that there are must go: nothing would confine them, or they can do nothing.
	remove bool
}

func (o *obstacle) Error() string { return o.text }

// enforceLabel of a namespace says which Pods may be created in it; of the levels only the first allows a folder of the node.
const (
	enforceLabel = "pod-security.kubernetes.io/enforce"
	privileged   = "privileged"
)

// olmOwner are labels by which OLM finds what belongs to a ClusterServiceVersion, and removes it with that.
const (
	olmOwner          = "olm.owner"
	olmOwnerKind      = "olm.owner.kind"
	olmOwnerNamespace = "olm.owner.namespace"
)

const rbac = "rbac.authorization.k8s.io/v1"

// canHaveAgents is an obstacle where agents could not be confined, or could resize nothing.
func canHaveAgents(server discovery.DiscoveryInterface) error {
	able, err := workload.Discover(server)
	if err != nil {
		return err
	}
	if !able.Resize {
		return &obstacle{remove: true, text: "the API server has no subresource pods/resize, which is all that agents act by"}
	}
	policies, err := server.ServerResourcesForGroupVersion("admissionregistration.k8s.io/v1")
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("ask for the API server's admission policies: %w", err)
	}
	confines := policies != nil && slices.ContainsFunc(policies.APIResources, func(r metav1.APIResource) bool {
		return r.Name == "validatingadmissionpolicies"
	})
	if !confines {
		return &obstacle{remove: true, text: "the API server has no ValidatingAdmissionPolicy v1, which confines agents to their nodes"}
	}
	return nil
}

// findHome reads where the operator runs from its own Pod.
func findHome(ctx context.Context, c client.Reader, namespace, name string) (Home, error) {
	pod := &corev1.Pod{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, pod); err != nil {
		if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
			return Home{}, &obstacle{text: "the operator cannot read its own Pod: " + err.Error()}
		}
		return Home{}, fmt.Errorf("read the operator's Pod %q: %w", name, err)
	}
	container := pod.Spec.Containers[0]
	for _, other := range pod.Spec.Containers {
		if other.Name == "manager" { // a mesh may have put a sidecar before it
			container = other
		}
	}
	home := Home{
		Namespace: namespace, Image: container.Image, PullPolicy: container.ImagePullPolicy, PullSecrets: pod.Spec.ImagePullSecrets,
		Owner: metav1.OwnerReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID},
	}
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return home, nil
	}
	home.Owner = reference(owner)
	if owner.Kind != "ReplicaSet" {
		return home, nil
	}
	set := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: owner.APIVersion, Kind: owner.Kind}}
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: owner.Name}, set); err != nil {
		if apierrors.IsForbidden(err) {
			return Home{}, &obstacle{text: "the operator cannot read its own ReplicaSet: " + err.Error()}
		}
		return Home{}, fmt.Errorf("read the operator's ReplicaSet %q: %w", owner.Name, err)
	}
	if owner := metav1.GetControllerOf(set); owner != nil {
		home.Owner = reference(owner)
	}
	return home, nil
}

// reference is one that claims no control, and holds up no deletion.
func reference(to *metav1.OwnerReference) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: to.APIVersion, Kind: to.Kind, Name: to.Name, UID: to.UID}
}

// allowsNodeFolders is an obstacle where the namespace's Pod Security level keeps agents from the folder of cgroups. Where the
// level cannot be read, the attempt will tell.
func allowsNodeFolders(ctx context.Context, c client.Reader, namespace string) error {
	ns := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}}
	if err := c.Get(ctx, client.ObjectKey{Name: namespace}, ns); err != nil {
		if apierrors.IsForbidden(err) {
			return nil
		}
		return fmt.Errorf("read namespace %q: %w", namespace, err)
	}
	level := ns.Labels[enforceLabel]
	if level == "" || level == privileged {
		return nil
	}
	// Agents that run already are not touched by a change of the level; but who made it wants none.
	return &obstacle{remove: true, text: fmt.Sprintf("namespace %q enforces the Pod Security level %q, which forbids agents the folder %s "+
		"of the node: label the namespace %s=%s to have them", namespace, level, cgroups, enforceLabel, privileged)}
}

// policyOwner returns what the admission policy goes with at an uninstallation. It is cluster-wide, so its owner must be: the agents'
// ClusterRole. OLM makes that under names of its own, and removes it with the ClusterServiceVersion that it is labelled with.
func policyOwner(ctx context.Context, c client.Reader, namespace, version string) ([]metav1.OwnerReference, error) {
	roles := &metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{APIVersion: rbac, Kind: "ClusterRoleList"}}
	which := client.ListOptions{FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, Name)}
	if version != "" {
		which = client.ListOptions{LabelSelector: apilabels.SelectorFromSet(apilabels.Set{
			olmOwner: version, olmOwnerKind: "ClusterServiceVersion", olmOwnerNamespace: namespace,
		})}
	}
	if err := c.List(ctx, roles, &which); err != nil {
		return nil, fmt.Errorf("find the agents' ClusterRole: %w", err)
	}
	if len(roles.Items) == 0 {
		// During an uninstallation it goes before the operator does. A policy that is made now would be left behind.
		return nil, &obstacle{remove: true, text: fmt.Sprintf("there is no ClusterRole %s with the agents' rights", Name)}
	}
	first := slices.MinFunc(roles.Items, func(a, b metav1.PartialObjectMetadata) int { return strings.Compare(a.Name, b.Name) })
	return []metav1.OwnerReference{
		{APIVersion: rbac, Kind: "ClusterRole", Name: first.Name, UID: first.UID},
	}, nil
}
