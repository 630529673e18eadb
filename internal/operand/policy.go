package operand

import (
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// Claims of a token that is bound to a Pod: that Pod's name, and its node's. The API server verifies them; nobody who stole the
// token can change them.
const (
	nodeClaim = "authentication.kubernetes.io/node-name"
	podClaim  = "authentication.kubernetes.io/pod-name"
)

// Policy lets an agent do no more than its part, whatever RBAC allows, which knows no nodes: resize Pods of its own node, only
// their memory, only upward, only where they opted in; and report on its own Pod. A token that is bound to no Pod may do nothing.
// There is one policy in a cluster, for the agents of one operator.
func Policy(namespace string, owners ...metav1.OwnerReference) *admissionv1.ValidatingAdmissionPolicy {
	fail, equivalent := admissionv1.Fail, admissionv1.Equivalent
	return &admissionv1.ValidatingAdmissionPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicy"},
		ObjectMeta: metav1.ObjectMeta{Name: Name, Labels: labelsOf(namespace), OwnerReferences: owners},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: &fail,
			MatchConstraints: &admissionv1.MatchResources{
				MatchPolicy: &equivalent,
				ResourceRules: []admissionv1.NamedRuleWithOperations{{
					RuleWithOperations: admissionv1.RuleWithOperations{
						Operations: []admissionv1.OperationType{admissionv1.Update},
						Rule: admissionv1.Rule{
							APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods/resize", "pods/status"},
						},
					},
				}},
			},
			MatchConditions: []admissionv1.MatchCondition{{
				Name: "agents", Expression: fmt.Sprintf("request.userInfo.username == '%s'", account(namespace)),
			}},
			Variables:   variables(),
			Validations: append(resizes(), statuses(namespace)...),
		},
	}
}

// Binding puts the policy in force, for all namespaces.
func Binding(namespace string, owners ...metav1.OwnerReference) *admissionv1.ValidatingAdmissionPolicyBinding {
	return &admissionv1.ValidatingAdmissionPolicyBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicyBinding"},
		ObjectMeta: metav1.ObjectMeta{Name: Name, Labels: labelsOf(namespace), OwnerReferences: owners},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: Name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		},
	}
}

func variables() []admissionv1.Variable {
	claim := func(key string) string {
		return fmt.Sprintf("has(request.userInfo.extra) && '%[1]s' in request.userInfo.extra && "+
			"size(request.userInfo.extra['%[1]s']) == 1 ? request.userInfo.extra['%[1]s'][0] : ''", key)
	}
	containers := func(of string) string {
		return fmt.Sprintf("%[1]s.spec.containers + (has(%[1]s.spec.initContainers) ? %[1]s.spec.initContainers : [])", of)
	}
	status := func(of string) string { return fmt.Sprintf("dyn(%s).?status.orValue({})", of) }
	return []admissionv1.Variable{
		{Name: "resize", Expression: "request.subResource == 'resize'"},
		{Name: "node", Expression: claim(nodeClaim)},
		{Name: "pod", Expression: claim(podClaim)},
		{Name: "monitored", Expression: fmt.Sprintf(
			"has(oldObject.metadata.annotations) && '%[1]s' in oldObject.metadata.annotations ? "+
				"oldObject.metadata.annotations['%[1]s'] : ''",
			v1.MonitorAnnotation)},
		{Name: "before", Expression: containers("oldObject")},
		{Name: "after", Expression: containers("object")},
		{Name: "said", Expression: status("oldObject")},
		{Name: "says", Expression: status("object")},
	}
}

// resizes are the rules for the subresource by which Pods are resized.
func resizes() []admissionv1.Validation {
	return []admissionv1.Validation{
		refuse(
			"!variables.resize || variables.pod != '' && variables.node != '' && "+
				"has(oldObject.spec.nodeName) && oldObject.spec.nodeName == variables.node",
			"'an agent may resize Pods of its own node only: its token is bound to ' + "+
				"(variables.pod == '' ? 'no Pod' : variables.node == '' ? 'no node' : 'node ' + variables.node)"),
		refuse(
			"!variables.resize || !(variables.monitored in ['', 'false'])",
			fmt.Sprintf("'an agent may resize only Pods that opted in by the annotation %s'", v1.MonitorAnnotation)),
		refuse(
			"!variables.resize || size(variables.before) == size(variables.after) && variables.after.all(a, "+
				"variables.before.exists(b, b.name == a.name && "+
				grow("a", "b", "limits")+" && "+grow("a", "b", "requests")+" && "+claims("a", "b")+" && "+
				same("a", "b", "resources")+"))",
			"'an agent may raise the memory of containers, and change nothing else of them'"),
		refuse(
			"!variables.resize || "+grow("object.spec", "oldObject.spec", "limits")+" && "+
				grow("object.spec", "oldObject.spec", "requests")+" && "+claims("object.spec", "oldObject.spec")+" && "+
				same("object.spec", "oldObject.spec", "resources", "containers", "initContainers"),
			"'an agent may raise the memory of a Pod, and change nothing else of it'"),
	}
}

// grow is true when of the limits, or the requests, only memory has changed, and that has not become less.
func grow(after, before, what string) string {
	list := func(of string) string { return fmt.Sprintf("%s.?resources.?%s.orValue({})", of, what) }
	return fmt.Sprintf("%[1]s.all(r, r in %[2]s) && %[2]s.all(r, r in %[1]s && "+
		"(r == 'memory' ? quantity(%[1]s[r]).compareTo(quantity(%[2]s[r])) >= 0 : %[1]s[r] == %[2]s[r]))", list(after), list(before))
}

// claims is true when these are as they were.
func claims(after, before string) string {
	return fmt.Sprintf("%[1]s.?resources.?claims == %[2]s.?resources.?claims", after, before)
}

// same is true when all fields but some are as they were. They are gone through without a type, by those that there are: a list of them
// would let an agent write what a newer API server knows besides.
func same(after, before string, but ...string) string {
	left := "f in ['" + strings.Join(but, "', '") + "']"
	return fmt.Sprintf("dyn(%[1]s).all(f, %[3]s || f in dyn(%[2]s) && dyn(%[1]s)[f] == dyn(%[2]s)[f]) && "+
		"dyn(%[2]s).all(f, %[3]s || f in dyn(%[1]s))", after, before, left)
}

// statuses are the rules for the status, in which an agent tells how it is. Its Pod's address, which others may trust, what its
// containers are, what controllers select it by, and what holds up its deletion are not its to tell.
func statuses(namespace string) []admissionv1.Validation {
	others := func(of string) string {
		return fmt.Sprintf("variables.%s.?conditions.orValue([]).filter(c, c.type != '%s')", of, v1.AgentKeepsGuarantee)
	}
	return []admissionv1.Validation{
		refuse(
			fmt.Sprintf("variables.resize || variables.pod != '' && object.metadata.name == variables.pod && "+
				"request.namespace == '%s'", namespace),
			"'an agent may report on its own Pod only: its token is bound to ' + "+
				"(variables.pod == '' ? 'no Pod' : 'Pod ' + variables.pod)"),
		refuse(
			"variables.resize || "+metadata("labels")+" && "+metadata("annotations")+" && "+metadata("finalizers")+" && "+
				metadata("ownerReferences")+" && "+same("variables.says", "variables.said", "conditions")+" && "+
				others("says")+" == "+others("said"),
			fmt.Sprintf("'an agent may report the condition %s, and nothing else'", v1.AgentKeepsGuarantee)),
	}
}

// metadata is true when that is as it was.
func metadata(field string) string {
	return fmt.Sprintf("object.metadata.?%[1]s == oldObject.metadata.?%[1]s", field)
}

func refuse(unless, message string) admissionv1.Validation {
	reason := metav1.StatusReasonForbidden
	return admissionv1.Validation{Expression: unless, MessageExpression: message, Reason: &reason}
}
