package olm_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiv1alpha1 "github.com/operator-framework/api/pkg/operators/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/test/olm"
)

const (
	freeToUpgrade = "True NoRolloutInProgress"
	rollingOut    = "False RolloutInProgress"
)

// TestFromCatalogToUninstall is the life of one installation.
func TestFromCatalogToUninstall(t *testing.T) {
	s := tell(t)
	first := env.bundle.Version
	catalog := s.catalog("catalog")
	home, team := s.enforcing("memhog-operator-system", "privileged"), s.namespace("team")
	before := s.objects(t.Context())

	s.group(home)
	installed := s.subscribes(home, catalog, apiv1alpha1.ApprovalAutomatic)
	installed.IsInstalled(first)
	s.unpackedFromItsImage()
	installed.SaysUpgradeable(first, freeToUpgrade)
	monitor := s.monitor(team)
	s.isReady(monitor)
	s.agentsRun(home, first)
	rolling := s.namespace("rolling")
	s.isReady(s.monitorBy(rolling, v1.StrategyRollout))

	// From 150 MiB at 3 MiB/s it reaches 75 % of 384Mi after 46 s, which is when the new version comes; the one that grows in
	// place goes on to 75 % of 768Mi, after 142 s.
	rolled, grown := s.hog(rolling, 150, 3), s.hogTo(team, 150, 3, 800)
	told := s.watchesUpgradeable(home)
	catalog.gains(s.next("9.0.1"))
	installed.IsInstalled("9.0.1")
	s.isGiven(rolled, "768Mi")
	s.rolledOutOnce(rolled, "768Mi")
	same := s.hasInPlace(grown, "768Mi")
	s.hasLearned(grown, `{"memhog":{"request":"512Mi","limit":"768Mi"}}`)
	installed.SaysUpgradeable("9.0.1", freeToUpgrade)
	told.saw(rollingOut)
	s.isUntouched(monitor)
	s.agentsRun(home, "9.0.1")

	installed.SetApproval(apiv1alpha1.ApprovalManual)
	catalog.gains(s.next("9.0.2"))
	plan := installed.WaitsForApproval("9.0.2")
	installed.IsInstalled("9.0.1")
	installed.Approve(plan)
	installed.IsInstalled("9.0.2")
	if now := s.hasInPlace(grown, "1536Mi"); now.UID != same.UID {
		t.Errorf("the Pod that grew in place is %s, want the one from before the upgrades, %s", now.Name, same.Name)
	}
	s.hasLearned(grown, `{"memhog":{"request":"1Gi","limit":"1536Mi"}}`)
	s.bornWith(grown, "1536Mi") // by the webhook, with OLM's certificate

	// A version that never becomes ready: the one before goes on working.
	catalog.gains(s.next("9.0.3", probesNothing))
	old := s.operatorPod(home)
	installed.Approve(installed.WaitsForApproval("9.0.3"))
	s.hasAPodThatIsNotReady(home)
	second := s.hog(s.namespace("late"), 280, 2)
	s.isReady(s.monitor(second.Namespace))
	s.hasInPlace(second, "768Mi")
	if now := s.operatorPod(home); now != old {
		t.Errorf("the operator's ready Pod is %s, want the one of the version before, %s", now, old)
	}

	s.isUntouched(monitor)
	s.rolledOutOnce(rolled, "768Mi")
	installed.Uninstall()
	s.rolledOutOnce(rolled, "768Mi")
	s.hasInPlace(second, "768Mi")
	s.isUntouched(monitor)
	s.leavesNothing(before)
	// Nothing is left that could keep a Pod from being created; nor is there anybody who gives it what was learned.
	s.bornWith(second, "384Mi")
	s.hasLearned(second, `{"memhog":{"request":"512Mi","limit":"768Mi"}}`)
}

// agentsRun waits until every node has an agent of a version, which is rolled with the operator.
func (s *story) agentsRun(namespace, version string) {
	s.t.Helper()
	s.awaits("agents of "+version+" run", func(ctx context.Context) error {
		set := &appsv1.DaemonSet{}
		if err := env.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "memhog-operator-agent"}, set); err != nil {
			return err
		}
		image, status := set.Spec.Template.Spec.Containers[0].Image, set.Status
		current := status.ObservedGeneration == set.Generation && status.UpdatedNumberScheduled == status.DesiredNumberScheduled
		if image != olm.OperatorRef(version) || !current || status.NumberReady == 0 || status.NumberReady != status.DesiredNumberScheduled {
			return fmt.Errorf("they run %s, and %d of %d are ready", image, status.NumberReady, status.DesiredNumberScheduled)
		}
		return nil
	})
}

// bornWith deletes the Deployment's Pod, and checks that the next one is created with a limit.
func (s *story) bornWith(d *appsv1.Deployment, limit string) {
	s.t.Helper()
	if born := s.isReborn(d); born.Spec.Containers[0].Resources.Limits.Memory().String() != limit {
		s.t.Errorf("Pod %s was created with %s, want %s", born.Name, born.Spec.Containers[0].Resources.Limits.Memory(), limit)
	}
	s.hasInPlace(d, limit)
}

// unpackedFromItsImage checks that OLM read the bundle from its image, by a Job, and not from the catalog.
func (s *story) unpackedFromItsImage() {
	s.t.Helper()
	var pods corev1.PodList
	must(s.t, env.client.List(s.t.Context(), &pods, client.InNamespace(olm.ManagerNamespace)))
	for i := range pods.Items {
		for _, c := range pods.Items[i].Spec.InitContainers {
			if c.Image == olm.BundleRef(env.bundle.Version) {
				return
			}
		}
	}
	s.t.Errorf("no Pod of %s has unpacked %s", olm.ManagerNamespace, olm.BundleRef(env.bundle.Version))
}

// isUntouched checks that an AppMonitor is the one that was created, with what was asked of it.
func (s *story) isUntouched(m *v1.AppMonitor) {
	s.t.Helper()
	now := m.DeepCopy()
	s.get(now)
	if diff := cmp.Diff(m.Spec, now.Spec); diff != "" || now.UID != m.UID || now.Generation != m.Generation {
		s.t.Errorf("AppMonitor %s was touched (-before +now):\n%s", m.Name, diff)
	}
}

// probesNothing makes a version whose readiness nobody answers for.
func probesNothing(csv string) (string, error) {
	const probe = "path: /readyz"
	if !strings.Contains(csv, probe) {
		return "", errors.New("the operator has no readiness probe")
	}
	return strings.Replace(csv, probe, "path: /nobody-answers-here", 1), nil
}

// operatorPod names the operator's ready Pod.
func (s *story) operatorPod(namespace string) string {
	s.t.Helper()
	var names []string
	s.eachOperatorPod(s.t.Context(), namespace, func(name string, ready bool) {
		if ready {
			names = append(names, name)
		}
	})
	if len(names) != 1 {
		s.t.Fatalf("the operator's ready Pods are %q, want one", names)
	}
	return names[0]
}

func (s *story) hasAPodThatIsNotReady(namespace string) {
	s.t.Helper()
	s.awaits("the new version runs beside the old one, and is not ready", func(ctx context.Context) error {
		unready := 0
		s.eachOperatorPod(ctx, namespace, func(_ string, ready bool) {
			if !ready {
				unready++
			}
		})
		if unready != 1 {
			return fmt.Errorf("%d Pods are not ready", unready)
		}
		return nil
	})
}

// eachOperatorPod shows the Pods of the operator that run.
func (s *story) eachOperatorPod(ctx context.Context, namespace string, show func(name string, ready bool)) {
	s.t.Helper()
	var pods corev1.PodList
	must(s.t, env.client.List(ctx, &pods, client.InNamespace(namespace), operatorLabels))
	for i := range pods.Items {
		p := &pods.Items[i]
		if p.Status.Phase != corev1.PodRunning || p.DeletionTimestamp != nil {
			continue
		}
		ready := false
		for _, c := range p.Status.Conditions {
			ready = ready || c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		}
		show(p.Name, ready)
	}
}

// TestInstallModes installs the operator in each mode, and has it watch what the mode says and nothing else.
func TestInstallModes(t *testing.T) {
	modes := []struct {
		mode             apiv1alpha1.InstallModeType
		targets          []string
		watches, ignores []string
	}{
		{apiv1alpha1.InstallModeTypeOwnNamespace, []string{"home"}, []string{"home"}, []string{"red", "blue"}},
		{apiv1alpha1.InstallModeTypeSingleNamespace, []string{"red"}, []string{"red"}, []string{"home", "blue"}},
		{apiv1alpha1.InstallModeTypeMultiNamespace, []string{"red", "blue"}, []string{"red", "blue"}, []string{"home"}},
		{apiv1alpha1.InstallModeTypeAllNamespaces, nil, []string{"home", "red", "blue"}, nil},
	}
	s := tell(t)
	catalog := s.catalog("modes")
	for _, mode := range modes {
		t.Run(string(mode.mode), func(t *testing.T) {
			s := tell(t)
			for _, namespace := range []string{"home", "red", "blue"} {
				s.namespace(namespace)
			}
			s.group("home", mode.targets...)
			installed := s.subscribes("home", catalog, apiv1alpha1.ApprovalAutomatic)
			installed.IsInstalled(env.bundle.Version)

			// The ignored ones first: an operator that watched them would have seen them by the time it is done with the
			// others.
			var ignored []*v1.AppMonitor
			for _, namespace := range mode.ignores {
				ignored = append(ignored, s.monitor(namespace))
			}
			for _, namespace := range mode.watches {
				s.isReady(s.monitor(namespace))
				s.hasInPlace(s.hog(namespace, 290, 0), "768Mi")
			}
			for _, m := range ignored {
				s.get(m)
				if len(m.Status.Conditions) > 0 {
					t.Errorf("the AppMonitor of %s is watched: %+v", m.Namespace, m.Status.Conditions)
				}
			}
			installed.Uninstall()
		})
	}
}

// objects lists what of the operator's kind there is: cluster-wide by name, and in its namespace.
func (s *story) objects(ctx context.Context) map[string]bool {
	s.t.Helper()
	found := map[string]bool{}
	for _, kind := range []string{
		"v1/Service", "v1/ServiceAccount", "v1/ConfigMap", "v1/Secret", "apps/v1/Deployment", "apps/v1/ReplicaSet",
		"apps/v1/DaemonSet", "v1/Pod",
		"rbac.authorization.k8s.io/v1/Role", "rbac.authorization.k8s.io/v1/RoleBinding",
		"rbac.authorization.k8s.io/v1/ClusterRole", "rbac.authorization.k8s.io/v1/ClusterRoleBinding",
		"networking.k8s.io/v1/NetworkPolicy", "coordination.k8s.io/v1/Lease",
		"admissionregistration.k8s.io/v1/MutatingWebhookConfiguration",
		"admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy",
		"admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding",
		"operators.coreos.com/v2/OperatorCondition", "operators.coreos.com/v1alpha1/InstallPlan",
		"operators.coreos.com/v1alpha1/ClusterServiceVersion", "operators.coreos.com/v1alpha1/Subscription",
	} {
		at := strings.LastIndex(kind, "/")
		list := &metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{APIVersion: kind[:at], Kind: kind[at+1:] + "List"}}
		must(s.t, env.client.List(ctx, list))
		for i := range list.Items {
			o := &list.Items[i]
			if o.Name == "kube-root-ca.crt" || o.Name == "default" {
				continue // which the cluster makes in every namespace, a moment after it
			}
			if o.Namespace == "memhog-operator-system" || o.Namespace == "" && strings.Contains(o.Name, "memhog") {
				found[kind[at+1:]+" "+o.Name] = true
			}
		}
	}
	return found
}

// leavesNothing checks that of the operator nothing is left that was not there before it came.
func (s *story) leavesNothing(before map[string]bool) {
	s.t.Helper()
	s.awaits("nothing is left of the operator", func(ctx context.Context) error {
		var left []string
		for o := range s.objects(ctx) {
			if !before[o] {
				left = append(left, o)
			}
		}
		if len(left) > 0 {
			return fmt.Errorf("left are %q", left)
		}
		return nil
	})
}
