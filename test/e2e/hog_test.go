package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// hog is a Deployment of memhog in the making. It begins as the sample that config/samples shows to users: annotated,
// 256Mi/384Mi, and one replica.
type hog struct {
	story      *story
	deployment *appsv1.Deployment
}

func memhog(s *story) *hog {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(env.root, "config", "samples", "memhog_deployment.yaml"))
	must(s.t, err)
	h := &hog{story: s, deployment: &appsv1.Deployment{}}
	must(s.t, yaml.UnmarshalStrict(text, h.deployment))
	h.deployment.Namespace = s.namespace
	h.first().Image = memhogImage()
	return h
}

// first is the container that the story is about.
func (h *hog) first() *corev1.Container { return &h.deployment.Spec.Template.Spec.Containers[0] }

// Named gives the Deployment another name than memhog, and its Pods a label to match.
func (h *hog) Named(name string) *hog {
	const label = "app.kubernetes.io/name"
	h.deployment.Name = name
	for _, labels := range []map[string]string{
		h.deployment.Labels, h.deployment.Spec.Selector.MatchLabels, h.deployment.Spec.Template.Labels,
	} {
		labels[label] = name
	}
	return h
}

// Grows by so many MiB a second.
func (h *hog) Grows(mib float64) *hog {
	return h.env("MEMHOG_RATE_MIB_PER_SECOND", strconv.FormatFloat(mib, 'g', -1, 64))
}

// From so many MiB on.
func (h *hog) From(mib int) *hog { return h.env("MEMHOG_START_MIB", strconv.Itoa(mib)) }

// To so many MiB, and no further.
func (h *hog) To(mib int) *hog { return h.env("MEMHOG_CEILING_MIB", strconv.Itoa(mib)) }

// Waits so long before it grows, so that whoever is to see it has seen it.
func (h *hog) Waits(d time.Duration) *hog {
	return h.env("MEMHOG_PAUSE_SECONDS", strconv.FormatFloat(d.Seconds(), 'g', -1, 64))
}

// Ends when it has held what it grew to for so long.
func (h *hog) Ends(after time.Duration) *hog {
	return h.env("MEMHOG_HOLD_SECONDS", strconv.FormatFloat(after.Seconds(), 'g', -1, 64))
}

// Holds so many MiB from the beginning.
func (h *hog) Holds(mib int) *hog {
	holds(h.first(), mib)
	return h
}

func holds(c *corev1.Container, mib int) {
	setEnv(c, "MEMHOG_RATE_MIB_PER_SECOND", "0")
	setEnv(c, "MEMHOG_START_MIB", strconv.Itoa(mib))
	setEnv(c, "MEMHOG_CEILING_MIB", strconv.Itoa(mib))
}

// HoldsWhenSignalled so many MiB, from when it is told to on, see story.heats.
func (h *hog) HoldsWhenSignalled(mib int) *hog { return h.env("MEMHOG_SIGNAL_MIB", strconv.Itoa(mib)) }

// Small is a quarter of the sample, 64Mi/96Mi, and holds more than 75 % of it: for stories in which the size does not
// matter, as a node has only so much.
func (h *hog) Small() *hog { return h.Sized("64Mi/96Mi").Holds(76) }

func (h *hog) env(name, value string) *hog {
	setEnv(h.first(), name, value)
	return h
}

func setEnv(c *corev1.Container, name, value string) {
	for i := range c.Env {
		if c.Env[i].Name == name {
			c.Env[i].Value = value
			return
		}
	}
	c.Env = append(c.Env, corev1.EnvVar{Name: name, Value: value})
}

// Sized gives the container a request and a limit: "256Mi/384Mi".
func (h *hog) Sized(size string) *hog {
	h.first().Resources = memory(size)
	return h
}

// Unlimited takes the container's limit away.
func (h *hog) Unlimited() *hog {
	h.first().Resources.Limits = nil
	return h
}

// Beside adds a second container that holds so many MiB.
func (h *hog) Beside(name, size string, mib int) *hog {
	second := h.first().DeepCopy()
	second.Name, second.Resources = name, memory(size)
	holds(second, mib)
	containers := &h.deployment.Spec.Template.Spec.Containers
	*containers = append(*containers, *second)
	return h
}

// memory reads a size: 256Mi/384Mi.
func memory(size string) corev1.ResourceRequirements {
	request, limit, _ := strings.Cut(size, "/")
	return corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(request)},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(limit)},
	}
}

// Annotated gives the monitor annotation another value than "true".
func (h *hog) Annotated(value string) *hog {
	h.deployment.Spec.Template.Annotations[v1.MonitorAnnotation] = value
	return h
}

// Labelled gives the Pods one more label.
func (h *hog) Labelled(key, value string) *hog {
	h.deployment.Spec.Template.Labels[key] = value
	return h
}

// Unannotated does not opt in.
func (h *hog) Unannotated() *hog {
	delete(h.deployment.Spec.Template.Annotations, v1.MonitorAnnotation)
	return h
}

// Paused carries the annotation by which a workload stops all action on it.
func (h *hog) Paused() *hog {
	h.deployment.Annotations = map[string]string{v1.PausedAnnotation: "true"}
	return h
}

// Replicas is how many Pods there are; one when it is not called.
func (h *hog) Replicas(n int32) *hog {
	h.deployment.Spec.Replicas = &n
	return h
}

// AvailableAfter makes rollouts slow: a new Pod counts only when it has been ready for so long.
func (h *hog) AvailableAfter(d time.Duration) *hog {
	h.deployment.Spec.MinReadySeconds = int32(d.Seconds())
	return h
}

// GivesUpAfter is how long a rollout may make no progress before the Deployment says that it failed.
func (h *hog) GivesUpAfter(d time.Duration) *hog {
	seconds := int32(d.Seconds())
	h.deployment.Spec.ProgressDeadlineSeconds = &seconds
	return h
}

// NeverBesideItself refuses to run in the same cluster as another Pod of the Deployment, and to go before that one comes:
// no rollout of it can ever be completed. All nodes have the same operating system.
func (h *hog) NeverBesideItself() *hog {
	none, one := intstr.FromInt32(0), intstr.FromInt32(1)
	h.deployment.Spec.Strategy = appsv1.DeploymentStrategy{
		Type:          appsv1.RollingUpdateDeploymentStrategyType,
		RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: &none, MaxSurge: &one},
	}
	h.deployment.Spec.Template.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
			LabelSelector: h.deployment.Spec.Selector, TopologyKey: corev1.LabelOSStable,
		}},
	}}
	return h
}

// Deploy creates the Deployment and does not wait for its Pods.
func (h *hog) Deploy() *deployment {
	h.story.t.Helper()
	must(h.story.t, env.client.Create(h.story.t.Context(), h.deployment, client.FieldOwner("kubectl")))
	return &deployment{story: h.story, applied: h.deployment}
}
