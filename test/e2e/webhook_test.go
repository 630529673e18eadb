package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/test/install"
)

const (
	webhookName   = "memhog-operator-births"
	webhookSecret = "memhog-operator-webhook-certificate"
)

func TestWithoutTheWebhookNewPodsCatchUp(t *testing.T) {
	s := prepare(t)
	s.inPlace("patient")
	hog := memhog(s).Small().Deploy()
	first := hog.Stays().BecomesSized("128Mi/192Mi")
	hog.HasLearned(learned)
	s.alone()

	// Its configuration is gone: nobody asks.
	configuration := s.webhook(t.Context())
	putBack := s.undo("put the webhook back", func(ctx context.Context) error {
		fresh := configuration.DeepCopy()
		fresh.ResourceVersion, fresh.UID = "", ""
		return client.IgnoreAlreadyExists(env.client.Create(ctx, fresh))
	})
	must(t, env.client.Delete(t.Context(), configuration))
	s.awaits("nobody is asked any more", func(ctx context.Context) error { return hog.wouldBeBorn(ctx, first, "64Mi/96Mi") })
	births := s.watchBirths()
	must(t, env.client.Delete(t.Context(), first.pod))
	first.IsGone()
	births.allAre(1, "64Mi/96Mi")
	second := hog.Stays().BecomesSized("128Mi/192Mi")
	s.HasEvent(hog.applied, "Normal", "CatchUp", "in place from 64Mi/96Mi to 128Mi/192Mi")
	second.WasNeverRestarted()
	putBack()

	// Its server is down: nobody answers, and Pods start all the same.
	s.undo("scale the operator back", func(ctx context.Context) error {
		return errors.Join(scaleOperator(ctx, 1), install.WaitAvailable(ctx, env.client, install.OperatorKey, patience))
	})
	must(t, scaleOperator(t.Context(), 0))
	s.awaits("the operator is gone", func(ctx context.Context) error {
		var pods corev1.PodList
		err := env.client.List(ctx, &pods, client.InNamespace(install.OperatorKey.Namespace))
		if err == nil && len(pods.Items) > 0 {
			return fmt.Errorf("%d Pods are left", len(pods.Items))
		}
		return err
	})
	must(t, env.client.Delete(t.Context(), second.pod))
	second.IsGone()
	third := hog.Stays()
	births.allAre(2, "64Mi/96Mi")

	must(t, scaleOperator(t.Context(), 1))
	third.BecomesSized("128Mi/192Mi")
	third.WasNeverRestarted()
	s.NobodyDied()
}

func TestTheWebhooksCertificateIsMadeAndMadeAgain(t *testing.T) {
	s := prepare(t)
	s.inPlace("certain")
	hog := memhog(s).Small().Deploy()
	first := hog.Stays().BecomesSized("128Mi/192Mi")
	hog.HasLearned(learned)
	s.alone()
	before := s.webhook(t.Context()).Webhooks[0].ClientConfig.CABundle

	// What the operator keeps it in is emptied, as a certificate that has expired would be.
	secret := &corev1.Secret{}
	must(t, env.client.Get(t.Context(), client.ObjectKey{Namespace: install.OperatorKey.Namespace, Name: webhookSecret}, secret))
	secret.Data = nil
	must(t, env.client.Update(t.Context(), secret))
	s.awaits("API servers are told of another authority", func(ctx context.Context) error {
		if now := s.webhook(ctx).Webhooks[0].ClientConfig.CABundle; len(now) == 0 || bytes.Equal(now, before) {
			return errors.New("it is still the old one")
		}
		return nil
	})
	// The kubelet takes a moment to bring the new certificate to the operator. Until then new Pods catch up.
	s.awaits("a Pod is born with what was learned", func(ctx context.Context) error { return hog.wouldBeBorn(ctx, first, "128Mi/192Mi") })
	s.onlyAnnotatedPodsReachIt()
	s.NobodyDied()
}

// wouldBeBorn is nil when another Pod of the Deployment would be created with a size.
func (d *deployment) wouldBeBorn(ctx context.Context, sibling *running, size string) error {
	template := d.applied.Spec.Template.DeepCopy()
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.Name, pod.Namespace, pod.OwnerReferences = "unborn", d.story.namespace, sibling.pod.OwnerReferences
	if err := env.client.Create(ctx, pod, client.DryRunAll); err != nil {
		return err
	}
	return compareSizes([]string{size}, pod.Spec.Containers)
}

// onlyAnnotatedPodsReachIt checks that no other Pod's creation waits for the operator.
func (s *story) onlyAnnotatedPodsReachIt() {
	s.t.Helper()
	hook := s.webhook(s.t.Context()).Webhooks[0]
	if *hook.FailurePolicy != admissionregistrationv1.Ignore || *hook.TimeoutSeconds > 2 {
		s.t.Errorf("the webhook's failure policy is %s, its timeout %d s", *hook.FailurePolicy, *hook.TimeoutSeconds)
	}
	calls := func() float64 {
		leader, err := leadingPod(s.t.Context())
		must(s.t, err)
		all, err := families(s.t.Context(), leader)
		must(s.t, err)
		return sum(all["controller_runtime_webhook_requests_total"], map[string]string{"code": "200"})
	}
	before := calls()
	for _, value := range []string{"", "false", "true"} {
		template := memhog(s).Small().deployment.Spec.Template
		pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
		pod.Name, pod.Namespace, pod.Annotations = "unborn", s.namespace, map[string]string{v1.MonitorAnnotation: value}
		if value == "" {
			pod.Annotations = nil
		}
		must(s.t, env.client.Create(s.t.Context(), pod, client.DryRunAll))
	}
	if n := calls() - before; n != 1 {
		s.t.Errorf("of three Pods, one of them annotated, %v reached the webhook", n)
	}
}

func (s *story) webhook(ctx context.Context) *admissionregistrationv1.MutatingWebhookConfiguration {
	s.t.Helper()
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	must(s.t, env.client.Get(ctx, client.ObjectKey{Name: webhookName}, configuration))
	return configuration
}
