package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubedemo/memhog-operator/test/install"
)

// rights are sentences such as "patch deployments.apps", with the name at the end where they hold for one object only.
type rights map[string]bool

func TestTheOperatorMayDoWhatItsRolesSayAndNoMore(t *testing.T) {
	s := tell(t)
	operator := s.rightsOf(operatorAccount, install.OperatorKey.Namespace)
	for right := range operator {
		if strings.Contains(right, "*") {
			t.Errorf("a wildcard: %s", right)
		}
	}
	// What every service account may, such as to ask for its own rights, is the cluster's doing.
	granted := rights{}
	anyone := s.rightsOf("system:serviceaccount:"+s.namespace+":default", install.OperatorKey.Namespace)
	for right := range operator {
		if !anyone[right] {
			granted[right] = true
		}
	}
	if diff := cmp.Diff(s.rightsInConfig(), granted); diff != "" {
		t.Errorf("the operator's rights are not those of its roles in config/default (-config +cluster):\n%s", diff)
	}
	t.Logf("the operator may: %s", strings.Join(slices.Sorted(maps.Keys(granted)), ", "))
}

func TestTheOperatorMayNot(t *testing.T) {
	s := tell(t)
	as := s.as(operatorAccount)
	for _, forbidden := range []authorizationv1.ResourceAttributes{
		{Verb: "get", Resource: "secrets"},
		{Verb: "list", Resource: "secrets"},
		{Verb: "update", Resource: "secrets"},
		{Verb: "get", Resource: "configmaps"},
		{Verb: "create", Resource: "pods"},
		{Verb: "create", Resource: "pods", Subresource: "exec"},
		{Verb: "create", Resource: "pods", Subresource: "eviction"},
		{Verb: "patch", Resource: "pods"},
		{Verb: "delete", Resource: "pods"},
		{Verb: "get", Resource: "nodes"},
		{Verb: "get", Resource: "nodes", Subresource: "proxy"},
		{Verb: "create", Resource: "serviceaccounts", Subresource: "token"},
		{Verb: "create", Group: "apps", Resource: "deployments"},
		{Verb: "update", Group: "apps", Resource: "deployments"},
		{Verb: "delete", Group: "apps", Resource: "deployments"},
		{Verb: "patch", Group: "apps", Resource: "replicasets"},
		{Verb: "patch", Group: "batch", Resource: "jobs"},
		{Verb: "patch", Group: "batch", Resource: "cronjobs"},
		{Verb: "update", Group: "admissionregistration.k8s.io", Resource: "mutatingwebhookconfigurations"},
		{Verb: "create", Group: "admissionregistration.k8s.io", Resource: "mutatingwebhookconfigurations"},
		{Verb: "create", Group: "kubedemo.com", Resource: "appmonitors"},
		{Verb: "patch", Group: "kubedemo.com", Resource: "appmonitors"},
		{Verb: "get", Group: "coordination.k8s.io", Resource: "leases"},
		{Verb: "update", Group: rbacv1.GroupName, Resource: "clusterroles"},
		{Verb: "impersonate", Resource: "users"},
	} {
		forbidden.Namespace = s.namespace
		answer, err := as.AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(),
			&authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &forbidden}},
			metav1.CreateOptions{})
		must(t, err)
		if answer.Status.Allowed {
			t.Errorf("the operator may %s %s/%s: %s", forbidden.Verb, forbidden.Resource, forbidden.Subresource, answer.Status.Reason)
		}
	}
}

// as is a client that acts as a service account.
func (s *story) as(account string) kubernetes.Interface {
	s.t.Helper()
	config := rest.CopyConfig(env.config)
	namespace := strings.Split(account, ":")[2]
	config.Impersonate = rest.ImpersonationConfig{
		UserName: account,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
	}
	clients, err := kubernetes.NewForConfig(config)
	must(s.t, err)
	return clients
}

// rightsOf asks the API server for all that a service account may do to resources, as kubectl auth can-i --list does.
func (s *story) rightsOf(account, namespace string) rights {
	s.t.Helper()
	review, err := s.as(account).AuthorizationV1().SelfSubjectRulesReviews().Create(s.t.Context(),
		&authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}},
		metav1.CreateOptions{})
	must(s.t, err)
	if review.Status.Incomplete {
		s.t.Logf("the API server cannot list all rights: %s", review.Status.EvaluationError)
	}
	all := rights{}
	for _, rule := range review.Status.ResourceRules {
		all.add(rule.Verbs, rule.APIGroups, rule.Resources, rule.ResourceNames)
	}
	return all
}

// rightsInConfig are those of the roles that config/default binds to the operator's service account.
func (s *story) rightsInConfig() rights {
	s.t.Helper()
	objects, err := install.Operator{Root: env.root}.Objects()
	must(s.t, err)
	bound := map[string]bool{}
	for _, o := range objects {
		if kind := o.GetKind(); kind == "ClusterRoleBinding" || kind == "RoleBinding" {
			var binding rbacv1.ClusterRoleBinding // both have the same fields
			s.convert(o, &binding)
			for _, subject := range binding.Subjects {
				if "system:serviceaccount:"+subject.Namespace+":"+subject.Name == operatorAccount {
					bound[binding.RoleRef.Kind+" "+binding.RoleRef.Name] = true
				}
			}
		}
	}
	all := rights{}
	for _, o := range objects {
		if bound[o.GetKind()+" "+o.GetName()] {
			var role rbacv1.ClusterRole
			s.convert(o, &role)
			for _, rule := range role.Rules {
				all.add(rule.Verbs, rule.APIGroups, rule.Resources, rule.ResourceNames)
			}
		}
	}
	return all
}

func (s *story) convert(from *unstructured.Unstructured, to any) {
	s.t.Helper()
	must(s.t, runtime.DefaultUnstructuredConverter.FromUnstructured(from.Object, to))
}

func (r rights) add(verbs, groups, resources, names []string) {
	if len(names) == 0 {
		names = []string{""}
	}
	for _, verb := range verbs {
		for _, group := range groups {
			for _, resource := range resources {
				for _, name := range names {
					r[strings.TrimRight(fmt.Sprintf("%s %s.%s %s", verb, resource, group, name), ". ")] = true
				}
			}
		}
	}
}
