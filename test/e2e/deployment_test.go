package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/test/install"
)

// revisionAnnotation counts a Deployment's rollouts, the first one included.
const revisionAnnotation = "deployment.kubernetes.io/revision"

// deployment is a Deployment in the cluster.
type deployment struct {
	story *story
	// applied is what the API server made of what was applied.
	applied *appsv1.Deployment
	// written counts the story's own writes to it, each of which makes a new generation, and released those of them
	// that made a new revision, too.
	written, released int64
}

func (d *deployment) get(ctx context.Context) (*appsv1.Deployment, error) {
	now := &appsv1.Deployment{}
	err := env.client.Get(ctx, client.ObjectKeyFromObject(d.applied), now)
	return now, err
}

func (d *deployment) now() *appsv1.Deployment {
	d.story.t.Helper()
	now, err := d.get(d.story.t.Context())
	must(d.story.t, err)
	return now
}

// Runs waits until all Pods are there and available.
func (d *deployment) Runs() *deployment {
	d.story.t.Helper()
	d.story.awaits(d.applied.Name+" runs", func(ctx context.Context) error {
		now, err := d.get(ctx)
		if err != nil {
			return err
		}
		return rolledOut(now)
	})
	return d
}

// rolledOut says what is missing until every Pod is of the newest template and available, and no other is left.
func rolledOut(d *appsv1.Deployment) error {
	want, s := *d.Spec.Replicas, d.Status
	if s.ObservedGeneration < d.Generation || s.UpdatedReplicas != want || s.Replicas != want || s.AvailableReplicas != want {
		return fmt.Errorf("of %d replicas %d are updated and %d available, of %d that there are",
			want, s.UpdatedReplicas, s.AvailableReplicas, s.Replicas)
	}
	return nil
}

// IsGiven waits until the template has these sizes, one for each container. Its Pods may not be there yet.
func (d *deployment) IsGiven(want ...string) {
	d.story.t.Helper()
	what := fmt.Sprintf("the template of %s says %s", d.applied.Name, strings.Join(want, " "))
	d.story.awaits(what, func(ctx context.Context) error {
		now, err := d.get(ctx)
		if err != nil {
			return err
		}
		return compareSizes(want, now.Spec.Template.Spec.Containers)
	})
}

// BecomesSized waits until the template has these sizes, one for each container, its rollout is complete, and only
// Pods of these sizes are left, all of them Ready.
func (d *deployment) BecomesSized(want ...string) {
	d.story.t.Helper()
	d.IsGiven(want...)
	d.story.awaits(d.applied.Name+" has only Pods of that size, all Ready", func(ctx context.Context) error {
		now, err := d.get(ctx)
		if err != nil {
			return err
		}
		pods, err := d.pods(ctx)
		return errors.Join(err, compareSizes(want, now.Spec.Template.Spec.Containers), rolledOut(now), allReady(pods, want))
	})
}

func allReady(pods []corev1.Pod, want []string) error {
	for i := range pods {
		if err := compareSizes(want, pods[i].Spec.Containers); err != nil {
			return fmt.Errorf("Pod %s: %w", pods[i].Name, err)
		}
		if !isReady(&pods[i]) {
			return fmt.Errorf("Pod %s is not Ready", pods[i].Name)
		}
	}
	return nil
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// IsUntouched checks that nobody has changed the Deployment since it was applied.
func (d *deployment) IsUntouched() {
	d.story.t.Helper()
	now := d.now()
	if diff := cmp.Diff(d.applied.Spec, now.Spec); diff != "" || now.Generation != d.applied.Generation {
		d.story.t.Fatalf("%s was touched, and is at generation %d (-applied +now):\n%s", d.applied.Name, now.Generation, diff)
	}
	if revision := now.Annotations[revisionAnnotation]; revision != "1" {
		d.story.t.Fatalf("%s is at revision %s, want 1", d.applied.Name, revision)
	}
	if record, noted := now.Annotations[v1.RecordAnnotation]; noted {
		d.story.t.Fatalf("%s carries a record of changes: %s", d.applied.Name, record)
	}
}

// RolledOutOnce checks that there was one rollout besides the story's own, and that it took one write.
func (d *deployment) RolledOutOnce() {
	d.story.t.Helper()
	d.RolledOut(1)
}

// RolledOut checks that there were so many rollouts besides the story's own, each of a new template, and that each took
// one write.
func (d *deployment) RolledOut(times int64) {
	d.story.t.Helper()
	want := 1 + d.released + times
	if revision := d.now().Annotations[revisionAnnotation]; revision != strconv.FormatInt(want, 10) {
		d.story.t.Errorf("%s is at revision %s, want %d", d.applied.Name, revision, want)
	}
	d.WasWritten(times)
	var sets appsv1.ReplicaSetList
	must(d.story.t, env.client.List(d.story.t.Context(), &sets, client.InNamespace(d.story.namespace),
		client.MatchingLabels(d.applied.Spec.Selector.MatchLabels)))
	if int64(len(sets.Items)) != want {
		d.story.t.Errorf("%s has %d ReplicaSets, want %d: the first and one for each rollout", d.applied.Name, len(sets.Items), want)
	}
}

// WasWritten checks that it was written so many times by anyone but the story.
func (d *deployment) WasWritten(times int64) {
	d.story.t.Helper()
	if now, want := d.now().Generation, d.applied.Generation+d.written+times; now != want {
		d.story.t.Errorf("%s is at generation %d, want %d: %d by the story, %d by the operator",
			d.applied.Name, now, want, d.applied.Generation+d.written, times)
	}
}

// DiffersOnlyInMemory checks that all but the memory of the first container is as it was applied, bookkeeping aside: the
// Deployment's own, and the annotation with the operator's record.
func (d *deployment) DiffersOnlyInMemory() {
	d.story.t.Helper()
	now, want := d.now(), d.applied.DeepCopy()
	before, after := &want.Spec.Template.Spec.Containers[0].Resources, now.Spec.Template.Spec.Containers[0].Resources
	before.Requests[corev1.ResourceMemory] = after.Requests[corev1.ResourceMemory]
	before.Limits[corev1.ResourceMemory] = after.Limits[corev1.ResourceMemory]
	if now.Annotations[v1.RecordAnnotation] == "" {
		d.story.t.Errorf("%s carries no record of its change", d.applied.Name)
	}
	delete(now.Annotations, revisionAnnotation)
	delete(now.Annotations, v1.RecordAnnotation)
	bookkeeping := cmp.Options{
		cmpopts.IgnoreFields(appsv1.Deployment{}, "Status"),
		cmpopts.IgnoreFields(metav1.ObjectMeta{}, "ManagedFields", "ResourceVersion", "Generation"),
		cmpopts.EquateEmpty(),
	}
	if diff := cmp.Diff(want, now, bookkeeping); diff != "" {
		d.story.t.Errorf("%s differs in more than two memory values from what was applied (-applied +now):\n%s", d.applied.Name, diff)
	}
}

// Reaches waits until a Pod of the newest template says that it holds so many MiB.
func (d *deployment) Reaches(mib float64) {
	d.story.t.Helper()
	what := fmt.Sprintf("%s holds %v MiB", d.applied.Name, mib)
	d.story.awaits(what, func(ctx context.Context) error {
		pods, err := d.pods(ctx)
		if err != nil || len(pods) == 0 {
			return fmt.Errorf("%d Pods: %w", len(pods), err)
		}
		pod := newest(pods)
		held, err := heldBy(ctx, pod, d.applied.Spec.Template.Spec.Containers[0].Name)
		if err == nil && held < mib {
			return fmt.Errorf("Pod %s holds %v MiB", pod.Name, held)
		}
		return err
	})
}

// heldBy reads in memhog's log how many MiB it holds.
func heldBy(ctx context.Context, pod *corev1.Pod, container string) (float64, error) {
	last := int64(1)
	text, err := env.clients.CoreV1().Pods(pod.Namespace).
		GetLogs(pod.Name, &corev1.PodLogOptions{Container: container, TailLines: &last}).DoRaw(ctx)
	if err != nil {
		return 0, err
	}
	var line struct {
		HeldMiB float64 `json:"heldMiB"`
	}
	if err := json.Unmarshal(bytes.TrimSpace(text), &line); err != nil {
		return 0, fmt.Errorf("log of Pod %s, %q: %w", pod.Name, text, err)
	}
	return line.HeldMiB, nil
}

// pods lists those that are not being deleted.
func (d *deployment) pods(ctx context.Context) ([]corev1.Pod, error) {
	var list corev1.PodList
	err := env.client.List(ctx, &list, client.InNamespace(d.story.namespace),
		client.MatchingLabels(d.applied.Spec.Selector.MatchLabels))
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil }), err
}

// Annotate sets an annotation of the Deployment itself, or removes it when the value is empty.
func (d *deployment) Annotate(key, value string) {
	d.story.t.Helper()
	annotate(d.story.t, d.now(), key, value)
	d.written++
}

// NowHolds releases a new version of the workload, which holds so many MiB from the beginning. Its sizes stay as they
// are in the cluster.
func (d *deployment) NowHolds(mib int) {
	d.story.t.Helper()
	now := d.now()
	before := now.DeepCopy()
	holds(&now.Spec.Template.Spec.Containers[0], mib)
	must(d.story.t, env.client.Patch(d.story.t.Context(), now, client.StrategicMergeFrom(before), client.FieldOwner("kubectl")))
	d.written++
	d.released++
}

// IsOOMKilled waits until a container of the newest Pod has been killed for want of memory, and started again, so many
// times.
func (d *deployment) IsOOMKilled(times int32) {
	d.story.t.Helper()
	what := fmt.Sprintf("the newest Pod of %s is OOM-killed %d times", d.applied.Name, times)
	d.story.awaits(what, func(ctx context.Context) error {
		pods, err := d.pods(ctx)
		if err != nil || len(pods) == 0 {
			return fmt.Errorf("%d Pods: %w", len(pods), err)
		}
		pod := newest(pods)
		for _, c := range pod.Status.ContainerStatuses {
			if end := c.LastTerminationState.Terminated; end != nil && end.Reason == "OOMKilled" && c.RestartCount >= times {
				return nil
			}
		}
		return fmt.Errorf("Pod %s: %s", pod.Name, install.State(pod))
	})
}

func newest(pods []corev1.Pod) *corev1.Pod {
	pod := slices.MaxFunc(pods, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	return &pod
}

// onlyPod is the one that there is.
func (d *deployment) onlyPod() *corev1.Pod {
	d.story.t.Helper()
	pods, err := d.pods(d.story.t.Context())
	must(d.story.t, err)
	if len(pods) != 1 {
		d.story.t.Fatalf("%s has %d Pods, want 1", d.applied.Name, len(pods))
	}
	return &pods[0]
}
