package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// learned is the durable size of a small hog that was raised once.
const learned = `{"memhog":{"request":"128Mi","limit":"192Mi"}}`

func TestAllKindsOfOwnersGrowInPlace(t *testing.T) {
	s := tell(t)
	monitor := s.inPlace("for-all")
	for _, owned := range []struct {
		kind string
		// make returns the object to create, of which the Pods carry the hog's labels.
		make func(metav1.ObjectMeta, *appsv1.DeploymentSpec) client.Object
		// forgets is true for what has no other Pods to remember for.
		forgets bool
	}{
		{kind: "StatefulSet", make: func(m metav1.ObjectMeta, d *appsv1.DeploymentSpec) client.Object {
			return &appsv1.StatefulSet{ObjectMeta: m, Spec: appsv1.StatefulSetSpec{
				Selector: d.Selector, Template: d.Template, ServiceName: m.Name,
			}}
		}},
		{kind: "DaemonSet", make: func(m metav1.ObjectMeta, d *appsv1.DeploymentSpec) client.Object {
			return &appsv1.DaemonSet{ObjectMeta: m, Spec: appsv1.DaemonSetSpec{Selector: d.Selector, Template: d.Template}}
		}},
		{kind: "ReplicaSet", make: func(m metav1.ObjectMeta, d *appsv1.DeploymentSpec) client.Object {
			return &appsv1.ReplicaSet{ObjectMeta: m, Spec: appsv1.ReplicaSetSpec{Selector: d.Selector, Template: d.Template}}
		}},
		{kind: "Job", make: func(m metav1.ObjectMeta, d *appsv1.DeploymentSpec) client.Object {
			d.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
			return &batchv1.Job{ObjectMeta: m, Spec: batchv1.JobSpec{Template: d.Template}}
		}},
		{kind: "Pod", forgets: true, make: func(m metav1.ObjectMeta, d *appsv1.DeploymentSpec) client.Object {
			m.Labels, m.Annotations = d.Template.Labels, d.Template.Annotations
			return &corev1.Pod{ObjectMeta: m, Spec: d.Template.Spec}
		}},
	} {
		name := "a-" + owned.kind
		hog := memhog(s).Small().Named(strings.ToLower(name))
		object := owned.make(metav1.ObjectMeta{Name: hog.deployment.Name, Namespace: s.namespace}, hog.deployment.Spec.DeepCopy())
		must(t, env.client.Create(t.Context(), object))
		pod := s.stays(s.onePod(hog)).BecomesSized("128Mi/192Mi")
		s.awaits(owned.kind+" says so", func(ctx context.Context) error {
			if err := env.client.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
				return err
			}
			got := object.GetAnnotations()[v1.DurableSizeAnnotation]
			if object.GetAnnotations()[v1.RecordAnnotation] == "" || !owned.forgets && got != learned {
				return fmt.Errorf("its annotations are %v", object.GetAnnotations())
			}
			return nil
		})
		if !owned.forgets && object.GetGeneration() != 1 {
			t.Errorf("the %s is at generation %d", owned.kind, object.GetGeneration())
		}
		s.HasEvent(object, "Normal", "AboveThreshold", "in place from 64Mi/96Mi to 128Mi/192Mi")
		pod.WasNeverRestarted()
	}
	monitor.HasRaised(5)
	s.NobodyDied()
}

func TestAllClassesOfServiceStayWhatTheyAre(t *testing.T) {
	s := tell(t)
	s.inPlace("for-all")
	guaranteed := memhog(s).Named("guaranteed").Sized("96Mi/96Mi").Holds(76)
	guaranteed.first().Resources.Limits[corev1.ResourceCPU] = resource.MustParse("100m")
	burstable := memhog(s).Named("burstable").Small()
	bestEffort := memhog(s).Named("best-effort").Holds(76)
	bestEffort.first().Resources = corev1.ResourceRequirements{}

	stays := guaranteed.Deploy().Stays().BecomesSized("192Mi/192Mi")
	s.hasClass(stays, corev1.PodQOSGuaranteed)
	stays = burstable.Deploy().Stays().BecomesSized("128Mi/192Mi")
	s.hasClass(stays, corev1.PodQOSBurstable)
	refused := bestEffort.Deploy()
	s.HasEvent(refused.applied, "Warning", "NoLimit", "memory of container memhog is not raised", "no memory limit")
	s.hasClass(refused.Stays(), corev1.PodQOSBestEffort)
	refused.IsUntouched()
	s.NobodyDied()
}

func TestASidecarAmongTheInitContainersGrowsInPlaceToo(t *testing.T) {
	s := tell(t)
	s.inPlace("for-all")
	hog := memhog(s).Small().Beside("calm", "16Mi/64Mi", 1)
	sidecar, always := *hog.first().DeepCopy(), corev1.ContainerRestartPolicyAlways
	sidecar.Name, sidecar.RestartPolicy, sidecar.Resources = "sidecar", &always, memory("32Mi/64Mi")
	holds(&sidecar, 54)
	hog.deployment.Spec.Template.Spec.InitContainers = []corev1.Container{sidecar}
	d := hog.Deploy()
	pod := d.Stays().BecomesSized("64Mi/128Mi", "128Mi/192Mi", "16Mi/64Mi")
	pod.WasNeverRestarted()
	d.HasLearned(`{"memhog":{"request":"128Mi","limit":"192Mi"},"sidecar":{"request":"64Mi","limit":"128Mi"}}`)

	births := s.watchBirths()
	must(t, env.client.Delete(t.Context(), pod.pod))
	pod.IsGone()
	d.Runs()
	births.allAre(1, "128Mi/192Mi 16Mi/64Mi")
	d.Stays().BecomesSized("64Mi/128Mi", "128Mi/192Mi", "16Mi/64Mi")
	s.NobodyDied()
}

func TestContainersThatShareALimitGrowInPlaceTogether(t *testing.T) {
	s := tell(t)
	s.inPlace("for-all")
	shared := memhog(s).Named("shared").Holds(50).Beside("other", "16Mi/64Mi", 30)
	for i := range shared.deployment.Spec.Template.Spec.Containers {
		shared.deployment.Spec.Template.Spec.Containers[i].Resources = corev1.ResourceRequirements{}
	}
	whole := memory("64Mi/96Mi")
	shared.deployment.Spec.Template.Spec.Resources = &whole
	d := shared.Deploy()
	s.HasEvent(d.applied, "Normal", "", "raised memory of the whole Pod in place from 64Mi/96Mi to 128Mi/192Mi")
	d.HasLearned(`{"(pod)":{"request":"128Mi","limit":"192Mi"}}`)
	pod := d.Stays()
	now, err := pod.get(t.Context())
	must(t, err)
	if got := amount(now.Status.Resources.Limits); got != "192Mi" {
		t.Errorf("the kubelet says that the Pod has %s", got)
	}
	pod.WasNeverRestarted()

	// One with a limit of its own takes the Pod along.
	own := memhog(s).Named("own").Small()
	tight := memory("70Mi/100Mi")
	own.deployment.Spec.Template.Spec.Resources = &tight
	d = own.Deploy()
	pod = d.Stays().BecomesSized("128Mi/192Mi")
	if now, err = pod.get(t.Context()); err != nil || amount(now.Status.Resources.Limits) != "196Mi" {
		t.Errorf("the kubelet says that the Pod has %+v (%v)", now.Status.Resources, err)
	}
	s.NobodyDied()
}

func TestAContainerThatRestartsOnResizeIsNotResizedLightly(t *testing.T) {
	s := tell(t)
	restarting := func(name string) *hog {
		h := memhog(s).Named(name).Small()
		h.first().ResizePolicy = []corev1.ContainerResizePolicy{
			{ResourceName: corev1.ResourceMemory, RestartPolicy: corev1.RestartContainer},
		}
		return h
	}
	monitor := s.inPlace("careful", func(spec *v1.AppMonitorSpec) { spec.Strategy = v1.StrategyInPlace })
	rolling := restarting("rolling").Deploy().Runs()
	bare := restarting("bare")
	pod := &corev1.Pod{ObjectMeta: bare.deployment.Spec.Template.ObjectMeta, Spec: bare.deployment.Spec.Template.Spec}
	pod.Name, pod.Namespace = "bare", s.namespace
	must(t, env.client.Create(t.Context(), pod))
	s.stays(pod)

	// InPlace never restarts anything.
	monitor.Says("Constrained=True/InPlaceUnavailable", "container memhog of Deployment/rolling", "container memhog of Pod/bare")
	monitor.HasHeld(2)
	rolling.IsUntouched()

	// Auto rolls out what its owner can roll out, and restarts what nobody can.
	monitor.Change(func(spec *v1.AppMonitorSpec) { spec.Strategy = v1.StrategyAuto })
	rolling.BecomesSized("128Mi/192Mi")
	rolling.RolledOutOnce()
	s.awaits("the bare Pod's container is restarted with more", func(ctx context.Context) error {
		if err := env.client.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
			return err
		}
		status := pod.Status.ContainerStatuses[0]
		if status.RestartCount != 1 || status.Resources.Limits.Memory().String() != "192Mi" || !status.Ready {
			return fmt.Errorf("restarted %d times, with %s", status.RestartCount, amount(status.Resources.Limits))
		}
		return nil
	})
	s.HasEvent(pod, "Normal", "AboveThreshold", "in its Pod, by a restart, from 64Mi/96Mi to 128Mi/192Mi")
}

// onePod waits until the hog has a Pod that is not going.
func (s *story) onePod(h *hog) *corev1.Pod {
	s.t.Helper()
	d := &deployment{story: s, applied: h.deployment}
	var one *corev1.Pod
	s.awaits(h.deployment.Name+" has a Pod", func(ctx context.Context) error {
		pods, err := d.pods(ctx)
		if err == nil && len(pods) != 1 {
			err = fmt.Errorf("it has %d", len(pods))
		}
		if err == nil {
			one = &pods[0]
		}
		return err
	})
	return one
}

func (s *story) hasClass(r *running, want corev1.PodQOSClass) {
	s.t.Helper()
	now, err := r.get(s.t.Context())
	must(s.t, err)
	if now.Status.QOSClass != want {
		s.t.Errorf("Pod %s is %s, want %s", now.Name, now.Status.QOSClass, want)
	}
}
