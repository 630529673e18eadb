package workload

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// RevisionAnnotation holds the revision of a Deployment, and of each of its ReplicaSets.
const RevisionAnnotation = "deployment.kubernetes.io/revision"

// revisionLabel tells, on a Pod of a StatefulSet or a DaemonSet, of which revision of the template it is.
const revisionLabel = appsv1.ControllerRevisionHashLabelKey

// Workload is what users know a Pod by, and where is noted what was changed of it: its Deployment, StatefulSet, DaemonSet,
// ReplicaSet, Job or CronJob; the Pod itself, when it has no owner or one of an unknown kind.
type Workload struct {
	client.Object
	// Kind of the object, such as Deployment.
	Kind string
	// Template of its Pods, of which only the containers are looked at; nil where it is not known.
	Template *corev1.PodSpec
	// Rolls is true when a change of the template replaces the Pods, by a rolling update of the workload's own.
	Rolls bool
	// Stopped is true while the user keeps the workload from rolling anything out.
	Stopped bool
	// RollingOut is true while the workload replaces its Pods, for whatever reason, until it is done or has given up. One
	// that is stopped replaces none, for as long as its user likes.
	RollingOut bool
	// GivenUp is true when the workload has made no progress within its deadline, and no longer expects any.
	GivenUp bool
	// Revision is that of the template, by which the Pods made of it are known; empty where the workload has none.
	Revision string

	// replicas is how many Pods it wants, at least one, and surge how many there may be beyond while a rollout lasts.
	replicas, surge int64
	// goesFirst is true when a rollout takes an old Pod away before the new one runs.
	goesFirst bool
	// bound is true when each Pod belongs on the node that it is on.
	bound bool
	// seen are the containers of its Pods, of which its template does not know those that a webhook adds.
	seen map[string]bool
	// created is how many Pods it has.
	created int64
	// updated is how many of its Pods are of the present template.
	updated int32
}

// Saw notes that a Pod of the workload has a container.
func (w *Workload) Saw(container string) {
	if w.seen == nil {
		w.seen = map[string]bool{}
	}
	w.seen[container] = true
}

// Replicas is how many Pods it wants, at least one.
func (w *Workload) Replicas() int { return int(w.replicas) }

// Progress is another text whenever a rollout gets on.
func (w *Workload) Progress() string {
	return fmt.Sprintf("%d %s %d", w.GetGeneration(), w.Revision, w.updated)
}

// Of describes a workload. Of an object of another kind nothing is known but its metadata.
func Of(o client.Object, kind string) *Workload {
	w := &Workload{Object: o, Kind: kind, replicas: 1}
	switch o := o.(type) {
	case *appsv1.Deployment:
		w.ofDeployment(o)
	case *appsv1.StatefulSet:
		w.ofStatefulSet(o)
	case *appsv1.DaemonSet:
		w.ofDaemonSet(o)
	}
	return w
}

// Name is the workload as users write it: Deployment/memhog.
func (w *Workload) Name() string { return w.Kind + "/" + w.GetName() }

func (w *Workload) ofDeployment(d *appsv1.Deployment) {
	w.Template, w.Rolls, w.Stopped = &d.Spec.Template.Spec, true, d.Spec.Paused
	w.Revision = Revision(d)
	w.replicas, w.created = atLeastOne(d.Spec.Replicas), int64(d.Status.Replicas)
	if d.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
		r := d.Spec.Strategy.RollingUpdate
		if r == nil {
			r = &appsv1.RollingUpdateDeployment{}
		}
		w.surge = min(scaled(r.MaxSurge, intstr.FromString("25%"), w.replicas, true), w.replicas)
		w.goesFirst = scaled(r.MaxUnavailable, intstr.FromString("25%"), w.replicas, false) > 0
	}
	w.goesFirst = w.goesFirst || w.surge == 0
	w.RollingOut = !d.Spec.Paused && deploymentRollsOut(d)
	w.GivenUp = d.Status.ObservedGeneration == d.Generation &&
		slices.ContainsFunc(d.Status.Conditions, func(c appsv1.DeploymentCondition) bool {
			return c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse
		})
}

// progressDone is the reason of a Deployment's Progressing condition once its latest rollout is complete. It stays so
// when Pods become unavailable later, which is what tells a crash loop from a rollout.
const progressDone = "NewReplicaSetAvailable"

func deploymentRollsOut(d *appsv1.Deployment) bool {
	if d.Generation != d.Status.ObservedGeneration {
		return true
	}
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentProgressing {
			return c.Status != corev1.ConditionFalse && c.Reason != progressDone
		}
	}
	// No such condition when the Deployment has no progress deadline.
	want := int32(1)
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	return d.Status.UpdatedReplicas < want || d.Status.Replicas > d.Status.UpdatedReplicas
}

// ofStatefulSet takes one of which only some Pods follow the template for one that rolls nothing out: a size in the template
// would not reach the others.
func (w *Workload) ofStatefulSet(s *appsv1.StatefulSet) {
	w.Template, w.Revision = &s.Spec.Template.Spec, s.Status.UpdateRevision
	w.replicas, w.created = atLeastOne(s.Spec.Replicas), int64(s.Status.Replicas)
	w.goesFirst, w.updated = true, s.Status.UpdatedReplicas
	r := s.Spec.UpdateStrategy.RollingUpdate
	w.Rolls = s.Spec.UpdateStrategy.Type != appsv1.OnDeleteStatefulSetStrategyType &&
		(r == nil || r.Partition == nil || *r.Partition == 0)
	w.RollingOut = w.Rolls &&
		(s.Generation != s.Status.ObservedGeneration || s.Status.CurrentRevision != s.Status.UpdateRevision)
}

func (w *Workload) ofDaemonSet(d *appsv1.DaemonSet) {
	w.Template, w.bound = &d.Spec.Template.Spec, true
	w.replicas, w.created = max(1, int64(d.Status.DesiredNumberScheduled)), int64(d.Status.CurrentNumberScheduled)
	w.updated = d.Status.UpdatedNumberScheduled
	if r := d.Spec.UpdateStrategy.RollingUpdate; r != nil {
		w.surge = min(scaled(r.MaxSurge, intstr.FromInt32(0), w.replicas, true), w.replicas)
	}
	w.goesFirst = w.surge == 0
	w.Rolls = d.Spec.UpdateStrategy.Type != appsv1.OnDeleteDaemonSetStrategyType
	w.RollingOut = w.Rolls && (d.Generation != d.Status.ObservedGeneration ||
		d.Status.UpdatedNumberScheduled < d.Status.DesiredNumberScheduled)
}

// IsNewest is true for a Pod of the present template.
func (w *Workload) IsNewest(revision string) bool {
	if w.Revision == "" {
		return w.bound && !w.RollingOut // a DaemonSet does not say which revision is the present one
	}
	return revision == w.Revision
}

// Revision is the number that the Deployment controller gives to a Deployment's present template, and to the ReplicaSet
// that was made of it.
func Revision(o client.Object) string { return o.GetAnnotations()[RevisionAnnotation] }

// SetOf names what a Pod has in common with the others of the same template, and not with those of another one: its
// ReplicaSet, or the revision of its StatefulSet or DaemonSet. A workload goes back to a set that it had before only when
// all of its template is as it was.
func SetOf(pod *corev1.Pod) string {
	if revision := pod.Labels[revisionLabel]; revision != "" {
		return revision
	}
	if ref := metav1.GetControllerOf(pod); ref != nil {
		return ref.Name
	}
	return ""
}

// Containers returns those of a Pod that run for as long as it does: its main containers, and the sidecars among its init
// containers. Those that have no limit but that of the Pod are looked at together, as WholePod.
func Containers(pod *corev1.PodSpec) []corev1.Container {
	all := longRunning(pod)
	whole, shared := wholePod(pod)
	if !shared {
		return all
	}
	return append(slices.DeleteFunc(slices.Clone(all), func(c corev1.Container) bool { return !hasLimit(c) }), whole)
}

func longRunning(pod *corev1.PodSpec) []corev1.Container {
	all := slices.Clip(pod.Containers)
	for _, c := range pod.InitContainers {
		if isSidecar(c) {
			all = append(all, c)
		}
	}
	return all
}

func isSidecar(c corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// inTemplate returns the container as the template has it, an empty one when it is gone, or the template not known.
func (w *Workload) inTemplate(name string) corev1.Container {
	if w.Template == nil {
		return corev1.Container{}
	}
	for _, c := range Containers(w.Template) {
		if c.Name == name {
			return c
		}
	}
	return corev1.Container{}
}

// Declared is the size of the container in the template; zero where it has none, or is not known.
func (w *Workload) Declared(container string) Size {
	return SizeOf(w.inTemplate(container).Resources)
}

func atLeastOne(replicas *int32) int64 {
	if replicas == nil {
		return 1
	}
	return max(1, int64(*replicas))
}

// scaled is a number of Pods, or a percentage of all.
func scaled(value *intstr.IntOrString, preset intstr.IntOrString, of int64, up bool) int64 {
	if value != nil {
		preset = *value
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(&preset, int(of), up)
	if err != nil {
		return 1 // the API server lets none pass that cannot be read
	}
	return int64(n)
}
