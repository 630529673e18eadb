package olm_test

import (
	"context"
	"fmt"

	apiv1 "github.com/operator-framework/api/pkg/operators/v1"
	apiv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	apiv2 "github.com/operator-framework/api/pkg/operators/v2"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubedemo/memhog-operator/test/install"
	"github.com/kubedemo/memhog-operator/test/olm"
)

// subscription is an installation of the operator by OLM.
type subscription struct {
	story     *story
	namespace string
	object    *apiv1alpha1.Subscription
}

// operatorLabels are those of the operator's Pods.
var operatorLabels = client.MatchingLabels{"app.kubernetes.io/name": "memhog-operator", "control-plane": "controller-manager"}

func keyOf(o client.Object) client.ObjectKey { return client.ObjectKeyFromObject(o) }

// group says which namespaces the operators of a namespace watch; all when none is named.
func (s *story) group(namespace string, targets ...string) {
	s.t.Helper()
	s.create(&apiv1.OperatorGroup{
		ObjectMeta: metav1.ObjectMeta{Name: "group", Namespace: namespace},
		Spec:       apiv1.OperatorGroupSpec{TargetNamespaces: targets},
	})
}

// subscribes to the package's default channel.
func (s *story) subscribes(namespace string, from *catalog, approval apiv1alpha1.Approval) *subscription {
	s.t.Helper()
	u := &subscription{story: s, namespace: namespace, object: &apiv1alpha1.Subscription{
		ObjectMeta: metav1.ObjectMeta{Name: olm.Package, Namespace: namespace},
		Spec: &apiv1alpha1.SubscriptionSpec{
			CatalogSource: from.source.Name, CatalogSourceNamespace: from.source.Namespace,
			Package: olm.Package, InstallPlanApproval: approval,
		},
	}}
	s.create(u.object)
	return u
}

func (u *subscription) csv(ctx context.Context, version string) (*apiv1alpha1.ClusterServiceVersion, error) {
	csv := &apiv1alpha1.ClusterServiceVersion{}
	err := env.client.Get(ctx, client.ObjectKey{Namespace: u.namespace, Name: olm.CSVName(version)}, csv)
	return csv, err
}

// IsInstalled waits until a version has succeeded, its Pods run its image, and no other version is left.
func (u *subscription) IsInstalled(version string) {
	u.story.t.Helper()
	u.story.awaits("version "+version+" is installed", func(ctx context.Context) error {
		csv, err := u.csv(ctx, version)
		if err != nil {
			return err
		}
		if csv.Status.Phase != apiv1alpha1.CSVPhaseSucceeded {
			return fmt.Errorf("the ClusterServiceVersion is %s, %s: %s", csv.Status.Phase, csv.Status.Reason, csv.Status.Message)
		}
		var all apiv1alpha1.ClusterServiceVersionList
		if err := env.client.List(ctx, &all, client.InNamespace(u.namespace)); err != nil {
			return err
		}
		if len(all.Items) != 1 {
			return fmt.Errorf("there are %d ClusterServiceVersions", len(all.Items))
		}
		deployment, err := u.deployment(ctx)
		if err != nil {
			return err
		}
		if image := deployment.Spec.Template.Spec.Containers[0].Image; image != olm.OperatorRef(version) {
			return fmt.Errorf("the operator's image is %s", image)
		}
		return nil
	})
	key := client.ObjectKey{Namespace: u.namespace, Name: install.OperatorKey.Name}
	must(u.story.t, install.WaitAvailable(u.story.t.Context(), env.client, key, patience))
}

func (u *subscription) deployment(ctx context.Context) (*appsv1.Deployment, error) {
	d := &appsv1.Deployment{}
	err := env.client.Get(ctx, client.ObjectKey{Namespace: u.namespace, Name: install.OperatorKey.Name}, d)
	return d, err
}

// WaitsForApproval of an upgrade, and has not begun it.
func (u *subscription) WaitsForApproval(version string) *apiv1alpha1.InstallPlan {
	u.story.t.Helper()
	plan := &apiv1alpha1.InstallPlan{}
	u.story.awaits("the upgrade to "+version+" waits for approval", func(ctx context.Context) error {
		var plans apiv1alpha1.InstallPlanList
		if err := env.client.List(ctx, &plans, client.InNamespace(u.namespace)); err != nil {
			return err
		}
		for i := range plans.Items {
			p := &plans.Items[i]
			if p.Spec.ClusterServiceVersionNames[0] == olm.CSVName(version) &&
				p.Status.Phase == apiv1alpha1.InstallPlanPhaseRequiresApproval {
				plan = p
				return nil
			}
		}
		return fmt.Errorf("none of %d InstallPlans is that", len(plans.Items))
	})
	if _, err := u.csv(u.story.t.Context(), version); client.IgnoreNotFound(err) != nil || err == nil {
		u.story.t.Fatalf("version %s is there before its approval: %v", version, err)
	}
	return plan
}

// Approve an upgrade.
func (u *subscription) Approve(plan *apiv1alpha1.InstallPlan) {
	u.story.t.Helper()
	before := plan.DeepCopy()
	plan.Spec.Approved = true
	must(u.story.t, env.client.Patch(u.story.t.Context(), plan, client.MergeFrom(before)))
}

// SetApproval of the upgrades to come.
func (u *subscription) SetApproval(approval apiv1alpha1.Approval) {
	u.story.t.Helper()
	u.story.get(u.object)
	before := u.object.DeepCopy()
	u.object.Spec.InstallPlanApproval = approval
	must(u.story.t, env.client.Patch(u.story.t.Context(), u.object, client.MergeFrom(before)))
}

// Uninstall as the documentation says: the Subscription, then the ClusterServiceVersions, of which there are several in
// the middle of an upgrade.
func (u *subscription) Uninstall() {
	u.story.t.Helper()
	ctx := u.story.t.Context()
	must(u.story.t, env.client.Delete(ctx, u.object))
	must(u.story.t, env.client.DeleteAllOf(ctx, &apiv1alpha1.ClusterServiceVersion{}, client.InNamespace(u.namespace),
		client.HasLabels{"operators.coreos.com/" + olm.Package + "." + u.namespace}))
	u.story.awaits("the operator is gone", func(ctx context.Context) error {
		var pods corev1.PodList
		err := env.client.List(ctx, &pods, client.InNamespace(u.namespace), operatorLabels)
		if err != nil || len(pods.Items) > 0 {
			return fmt.Errorf("%d Pods are left (%w)", len(pods.Items), err)
		}
		return nil
	})
}

// upgradeable reads the OperatorCondition of a version: empty when the operator has not written it yet.
func (u *subscription) upgradeable(ctx context.Context, version string) (string, error) {
	condition := &apiv2.OperatorCondition{}
	if err := env.client.Get(ctx, client.ObjectKey{Namespace: u.namespace, Name: olm.CSVName(version)}, condition); err != nil {
		return "", err
	}
	for _, c := range condition.Spec.Conditions {
		if c.Type == apiv2.Upgradeable {
			return string(c.Status) + " " + c.Reason, nil
		}
	}
	return "", nil
}

// SaysUpgradeable waits for what the operator tells OLM.
func (u *subscription) SaysUpgradeable(version, want string) {
	u.story.t.Helper()
	u.story.awaits("version "+version+" says that Upgradeable is "+want, func(ctx context.Context) error {
		got, err := u.upgradeable(ctx, version)
		if err != nil || got != want {
			return fmt.Errorf("it is %q (%w)", got, err)
		}
		return nil
	})
}
