package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/config"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// bed is a namespace for one test.
type bed struct {
	client    client.Client
	namespace string
	image     string // of this Pod, which also holds memhog
}

// inBed runs a test in a namespace of its own, which goes with it.
func inBed(ctx context.Context, test func(*bed) error) error {
	b, err := newBed(ctx)
	if err != nil {
		return err
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "memhog-scorecard-", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	if err := b.client.Create(ctx, ns); err != nil {
		return fmt.Errorf("create a namespace: %w", err)
	}
	b.namespace = ns.Name
	err = test(b)
	// Also when the test has used up its time.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(err, b.client.Delete(ending, ns))
}

func newBed(ctx context.Context) (*bed, error) {
	cfg, err := config.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("find the cluster: %w", err)
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientscheme.AddToScheme(scheme), v1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	c, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	// A Pod's name is its host name.
	name, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	self := &corev1.Pod{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: os.Getenv("SCORECARD_NAMESPACE"), Name: name}, self); err != nil {
		return nil, fmt.Errorf("read which image this test runs in: %w", err)
	}
	return &bed{client: c, image: self.Spec.Containers[0].Image}, nil
}

func (b *bed) monitor(ctx context.Context, threshold, multiplier float64) (*v1.AppMonitor, error) {
	m := &v1.AppMonitor{
		ObjectMeta: metav1.ObjectMeta{Name: "johnny-cache", Namespace: b.namespace},
		Spec:       v1.AppMonitorSpec{MemThresholdPercent: threshold, MemMultiplier: multiplier},
	}
	if err := b.client.Create(ctx, m); err != nil {
		return nil, fmt.Errorf("create an AppMonitor: %w", err)
	}
	return m, nil
}

// ready waits until the operator watches an AppMonitor.
func (b *bed) ready(ctx context.Context, m *v1.AppMonitor) error {
	return until(ctx, "the AppMonitor is Ready", func(ctx context.Context) error {
		if err := b.client.Get(ctx, client.ObjectKeyFromObject(m), m); err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(m.Status.Conditions, v1.ConditionReady) {
			return fmt.Errorf("its conditions are %+v", m.Status.Conditions)
		}
		return nil
	})
}

// memhog starts a workload that grows by 2 MiB a second, from 240 MiB past the 288 MiB that are 75 % of its limit.
func (b *bed) memhog(ctx context.Context) error {
	labels := map[string]string{"app.kubernetes.io/name": "memhog"}
	size := func(quantity string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(quantity)}
	}
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "memhog", Namespace: b.namespace, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: map[string]string{v1.MonitorAnnotation: v1.MonitorAny}},
				Spec: corev1.PodSpec{
					SecurityContext: &corev1.PodSecurityContext{
						RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](65532),
						SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
					},
					Containers: []corev1.Container{{
						Name: "memhog", Image: b.image, Command: []string{"/memhog"},
						Env: []corev1.EnvVar{
							{Name: "MEMHOG_START_MIB", Value: "240"},
							{Name: "MEMHOG_RATE_MIB_PER_SECOND", Value: "2"},
							{Name: "MEMHOG_CEILING_MIB", Value: "448"},
						},
						Resources: corev1.ResourceRequirements{Requests: size("256Mi"), Limits: size("384Mi")},
						SecurityContext: &corev1.SecurityContext{
							AllowPrivilegeEscalation: ptr.To(false),
							Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
						},
					}},
				},
			},
		},
	}
	if err := b.client.Create(ctx, d); err != nil {
		return fmt.Errorf("create memhog: %w", err)
	}
	return nil
}

// rescued waits until memhog runs with twice its memory, in place or in a new Pod, and checks that nothing was killed on the
// way.
func (b *bed) rescued(ctx context.Context) error {
	return until(ctx, "memhog runs with a limit of 768Mi", func(ctx context.Context) error {
		var pods corev1.PodList
		if err := b.client.List(ctx, &pods, client.InNamespace(b.namespace)); err != nil {
			return fmt.Errorf("list memhog's Pods: %w", err)
		}
		if len(pods.Items) != 1 {
			return fmt.Errorf("it has %d Pods", len(pods.Items))
		}
		pod := &pods.Items[0]
		limit := pod.Spec.Containers[0].Resources.Limits.Memory().String()
		for _, c := range pod.Status.ContainerStatuses {
			if c.RestartCount > 0 {
				return fmt.Errorf("memhog was restarted %d times", c.RestartCount)
			}
			if c.Resources != nil { // kubelets that cannot resize do not say what is in force
				limit = c.Resources.Limits.Memory().String()
			}
		}
		if limit != "768Mi" || !podReady(pod) {
			return fmt.Errorf("its limit is %s, and it is ready: %v", limit, podReady(pod))
		}
		return nil
	})
}

// until asks again and again until the answer is nil, and tells the last answer when time is up.
func until(ctx context.Context, what string, ask func(context.Context) error) error {
	var answer error
	err := wait.PollUntilContextCancel(ctx, 250*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		answer = ask(ctx)
		return answer == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waited in vain until %s, at last: %w", what, answer)
	}
	return nil
}
