package controllers

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// gitops applies a Deployment of these containers, each with a limit of 384Mi, as a GitOps controller does.
func (w *world) gitops(containers ...string) *appsv1.Deployment {
	w.t.Helper()
	labels := map[string]string{"app": "applied"}
	spec := corev1ac.PodSpec()
	for _, name := range containers {
		spec.WithContainers(corev1ac.Container().WithName(name).WithImage("memhog:dev").WithResources(
			corev1ac.ResourceRequirements().WithLimits(corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("384Mi")})))
	}
	d := appsv1ac.Deployment("applied", w.namespace).WithSpec(appsv1ac.DeploymentSpec().
		WithSelector(metav1ac.LabelSelector().WithMatchLabels(labels)).
		WithTemplate(corev1ac.PodTemplateSpec().WithLabels(labels).
			WithAnnotations(map[string]string{v1.MonitorAnnotation: v1.MonitorAny}).WithSpec(spec)))
	must(w.t, live.Apply(w.t.Context(), d, client.FieldOwner("gitops"), client.ForceOwnership))
	applied := &appsv1.Deployment{}
	must(w.t, live.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "applied"}, applied))
	settle(w.t, applied)
	return applied
}

func TestWhoeverAppliesADeploymentCanStillTakeARaisedContainerOut(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	d := w.gitops("memhog", "sidecar")
	pod := w.rollOut(d)
	w.uses(pod, "sidecar", 300)
	w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "none/384Mi", "sidecar": "none/768Mi"})

	d = w.gitops("memhog")
	w.wantSizes(d, map[string]string{"memhog": "none/384Mi"})
}

func TestARaiseThatIsTakenBackNoLongerCounts(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	d := w.gitops("memhog")
	w.uses(w.rollOut(d), "memhog", 300)
	w.reconcile("m")
	must(t, live.Get(t.Context(), client.ObjectKeyFromObject(d), d))
	settle(t, d)
	if m := w.reconcile("m"); m.Status.Raised != 1 {
		t.Errorf("%d containers are raised, want 1", m.Status.Raised)
	}

	w.gitops("memhog")
	if m := w.reconcile("m"); m.Status.Raised != 0 {
		t.Errorf("%d containers are raised, want none", m.Status.Raised)
	}
}

func TestASizeThatALimitRangeGaveKeepsItsRatio(t *testing.T) {
	w := newWorld(t)
	w.monitor("m", 75, 2)
	d, pod := w.deployment("bare", memory{"memhog", "", ""})
	// What a LimitRange with a default of 512Mi and a default request of 128Mi makes of the Pod.
	w.delete(pod)
	template := d.Spec.Template
	template.Spec.Containers = containersOf([]memory{{"memhog", "128Mi", "512Mi"}})
	limited := w.pod("limited", template, pod.OwnerReferences...)
	w.uses(limited, "memhog", 400)
	w.reconcile("m")
	w.wantSizes(d, map[string]string{"memhog": "256Mi/1Gi"})
}
