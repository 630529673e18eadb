package workload

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

func TestSizeOfReadsMemoryInBytes(t *testing.T) {
	tests := []struct {
		reason string
		of     corev1.Container
		want   Size
	}{
		{reason: "request and limit", of: sized("memhog", "256Mi", "384Mi"), want: Size{Request: 256 * mebibyte, Limit: 384 * mebibyte}},
		{reason: "no request", of: sized("memhog", "", "384Mi"), want: Size{Limit: 384 * mebibyte}},
		{reason: "no limit", of: sized("memhog", "256Mi", ""), want: Size{Request: 256 * mebibyte}},
		{reason: "neither", of: sized("memhog", "", ""), want: Size{}},
		{reason: "other units", of: sized("memhog", "1e8", "0.2G"), want: Size{Request: 100e6, Limit: 200e6}},
		{reason: "a part of a byte is a byte", of: sized("memhog", "1m", "1500m"), want: Size{Request: 1, Limit: 2}},
		{reason: "more than there can be is the most there can be", of: sized("memhog", "", "16Ei"), want: Size{Limit: 1<<63 - 1}},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, SizeOf(tt.of.Resources)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
			}
		})
	}
}

func TestARolloutThatChangesTheSizeIsToldFromOthers(t *testing.T) {
	same, larger, smaller := sized("memhog", "", "384Mi"), sized("memhog", "", "768Mi"), sized("memhog", "", "256Mi")
	tests := []struct {
		reason   string
		template *appsv1.Deployment
		progress corev1.ConditionStatus
		why      string
		want     Rollout
	}{
		{"the same size", deployment(same), corev1.ConditionTrue, progressDone, RolloutSettled},
		{"the same size, in a rollout of something else", deployment(same), corev1.ConditionTrue, "ReplicaSetUpdated", RolloutSettled},
		{"a larger template", deployment(larger), corev1.ConditionTrue, "ReplicaSetUpdated", RolloutInProgress},
		{"a larger template, and an old Pod that lingers", deployment(larger), corev1.ConditionTrue, progressDone, RolloutInProgress},
		{"a larger template that is given up", deployment(larger), corev1.ConditionFalse, "ProgressDeadlineExceeded", RolloutStuck},
		{"a smaller template in a rollout", deployment(smaller), corev1.ConditionTrue, "ReplicaSetUpdated", RolloutInProgress},
		{"a smaller template that nobody rolls out", deployment(smaller), corev1.ConditionTrue, progressDone, RolloutSettled},
		{"a smaller template that is given up", deployment(smaller), corev1.ConditionFalse, "ProgressDeadlineExceeded", RolloutSettled},
		{
			"a larger template for another container", deployment(sized("sidecar", "", "768Mi"), same), corev1.ConditionTrue,
			"ReplicaSetUpdated", RolloutSettled,
		},
		{"a container that the template does not have", deployment(), corev1.ConditionTrue, "ReplicaSetUpdated", RolloutSettled},
		{"a template without a limit", deployment(sized("memhog", "", "")), corev1.ConditionTrue, "ReplicaSetUpdated", RolloutSettled},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			tt.template.Status.Conditions = []appsv1.DeploymentCondition{
				{Type: appsv1.DeploymentProgressing, Status: tt.progress, Reason: tt.why},
			}
			if got := of(tt.template).RolloutOf(same, Size{}, ""); got != tt.want {
				t.Errorf("%s: want %v, got %v", tt.reason, tt.want, got)
			}
		})
	}
}

func TestAPodThatSomebodyElseMadeSmallerIsNotWaitedFor(t *testing.T) {
	for _, tt := range []struct {
		reason, revision, why string
		want                  Rollout
	}{
		{"a Pod of the newest revision, after the rollout", "2", progressDone, RolloutBypassed},
		{"during the rollout", "2", "ReplicaSetUpdated", RolloutInProgress},
		{"an old Pod that lingers", "1", progressDone, RolloutInProgress},
		{"a Pod whose revision is not known", "", progressDone, RolloutInProgress},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			d := deployment(sized("memhog", "", "768Mi"))
			d.Annotations = map[string]string{RevisionAnnotation: "2"}
			d.Status.Conditions = []appsv1.DeploymentCondition{
				{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: tt.why},
			}
			if got := of(d).RolloutOf(sized("memhog", "", "384Mi"), Size{}, tt.revision); got != tt.want {
				t.Errorf("%s: want %v, got %v", tt.reason, tt.want, got)
			}
		})
	}
}

func TestARolloutIsGivenUpWhenItsDeadlineHasPassed(t *testing.T) {
	progressing := func(status corev1.ConditionStatus, reason string) []appsv1.DeploymentCondition {
		return []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionFalse, Reason: "MinimumReplicasUnavailable"},
			{Type: appsv1.DeploymentProgressing, Status: status, Reason: reason},
		}
	}
	tests := []struct {
		reason     string
		observed   int64
		conditions []appsv1.DeploymentCondition
		want       bool
	}{
		{reason: "nothing was observed yet", observed: 0},
		{reason: "it progresses", observed: 2, conditions: progressing(corev1.ConditionTrue, "ReplicaSetUpdated")},
		{reason: "it is complete, and unavailable", observed: 2, conditions: progressing(corev1.ConditionTrue, "NewReplicaSetAvailable")},
		{reason: "it is paused", observed: 2, conditions: progressing(corev1.ConditionUnknown, "DeploymentPaused")},
		{
			reason: "its deadline has passed", observed: 2,
			conditions: progressing(corev1.ConditionFalse, "ProgressDeadlineExceeded"), want: true,
		},
		{
			reason: "its predecessor's deadline had passed", observed: 1,
			conditions: progressing(corev1.ConditionFalse, "ProgressDeadlineExceeded"),
		},
		{reason: "it has no deadline, and so no condition", observed: 2},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			d := deployment()
			d.Generation = 2
			d.Status = appsv1.DeploymentStatus{ObservedGeneration: tt.observed, Conditions: tt.conditions}
			if got := of(d).GivenUp; got != tt.want {
				t.Errorf("%s: want %v, got %v", tt.reason, tt.want, got)
			}
		})
	}
}

// fields is what a manager owns of a Deployment, for its managed fields.
func fields(manager, subresource string, operation metav1.ManagedFieldsOperationType, owned string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{
		Manager: manager, Subresource: subresource, Operation: operation, APIVersion: "apps/v1", FieldsType: "FieldsV1",
		FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:template":{"f:spec":{"f:containers":{` + owned + `}}}}}`),
	}
}

func TestRaisedAreTheContainersWhoseLimitTheOperatorOwns(t *testing.T) {
	const (
		limitOfMemhog  = `"k:{\"name\":\"memhog\"}":{"f:resources":{"f:limits":{"f:memory":{}},"f:requests":{"f:memory":{}}}}`
		limitOfSidecar = `"k:{\"name\":\"sidecar\"}":{"f:resources":{"f:limits":{"f:memory":{}}}}`
		requestOnly    = `"k:{\"name\":\"memhog\"}":{".":{},"f:name":{},"f:resources":{"f:requests":{"f:memory":{}}}}`
		limitOfOther   = `"k:{\"name\":\"memhog\"}":{"f:resources":{"f:limits":{"f:cpu":{}}}}`
	)
	tests := []struct {
		reason string
		fields []metav1.ManagedFieldsEntry
		want   []string
	}{
		{reason: "nobody owns anything"},
		{
			reason: "the operator owns one limit",
			fields: []metav1.ManagedFieldsEntry{fields(FieldManager, "", metav1.ManagedFieldsOperationUpdate, limitOfMemhog)},
			want:   []string{"memhog"},
		},
		{
			reason: "what it owns is put together, and told in the template's order",
			fields: []metav1.ManagedFieldsEntry{
				fields(FieldManager, "", metav1.ManagedFieldsOperationUpdate, limitOfSidecar),
				fields(FieldManager, "", metav1.ManagedFieldsOperationApply, limitOfMemhog),
			},
			want: []string{"memhog", "sidecar"},
		},
		{
			reason: "somebody took the limit back, and left the request",
			fields: []metav1.ManagedFieldsEntry{
				fields(FieldManager, "", metav1.ManagedFieldsOperationUpdate, requestOnly),
				fields("kubectl", "", metav1.ManagedFieldsOperationUpdate, limitOfMemhog),
			},
		},
		{
			reason: "another limit is not of memory",
			fields: []metav1.ManagedFieldsEntry{fields(FieldManager, "", metav1.ManagedFieldsOperationUpdate, limitOfOther)},
		},
		{
			reason: "a subresource is not the template",
			fields: []metav1.ManagedFieldsEntry{fields(FieldManager, "status", metav1.ManagedFieldsOperationUpdate, limitOfMemhog)},
		},
		{
			reason: "an entry without fields says nothing",
			fields: []metav1.ManagedFieldsEntry{{Manager: FieldManager}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			d := deployment(sized("memhog", "256Mi", "384Mi"), sized("sidecar", "", "64Mi"))
			d.ManagedFields = tt.fields
			got, err := of(d).RaisedByRollout()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
			}
		})
	}
}

func TestRaisedSaysWhichDeploymentCannotBeRead(t *testing.T) {
	d := deployment(sized("memhog", "256Mi", "384Mi"))
	d.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: FieldManager, FieldsV1: metav1.NewFieldsV1("[")}}
	if _, err := of(d).RaisedByRollout(); err == nil || !strings.Contains(err.Error(), "Deployment/memhog") {
		t.Errorf("want an error that names the Deployment, got %v", err)
	}
}

func TestWriteGivesLargerSizesUnlessSmallerOnesAreMeant(t *testing.T) {
	twice := Size{Request: 512 * mebibyte, Limit: 768 * mebibyte}
	tests := []struct {
		reason  string
		sizes   map[string]Size
		smaller bool
		changed []string
		want    []corev1.Container
	}{
		{
			reason: "one container of two", sizes: map[string]Size{"memhog": twice}, changed: []string{"memhog"},
			want: []corev1.Container{sized("sidecar", "", "64Mi"), sized("memhog", "512Mi", "768Mi")},
		},
		{
			reason: "both, told in the template's order", changed: []string{"sidecar", "memhog"},
			sizes: map[string]Size{"memhog": twice, "sidecar": {Limit: 128 * mebibyte}},
			want:  []corev1.Container{sized("sidecar", "", "128Mi"), sized("memhog", "512Mi", "768Mi")},
		},
		{
			reason: "a size that it has already", sizes: map[string]Size{"memhog": {Request: 1, Limit: 384 * mebibyte}},
			want: []corev1.Container{sized("sidecar", "", "64Mi"), sized("memhog", "256Mi", "384Mi")},
		},
		{
			reason: "a smaller size", sizes: map[string]Size{"memhog": {Limit: 383 * mebibyte}},
			want: []corev1.Container{sized("sidecar", "", "64Mi"), sized("memhog", "256Mi", "384Mi")},
		},
		{
			reason: "a smaller size that is meant", sizes: map[string]Size{"memhog": {Request: 200 * mebibyte, Limit: 300 * mebibyte}},
			smaller: true, changed: []string{"memhog"},
			want: []corev1.Container{sized("sidecar", "", "64Mi"), sized("memhog", "200Mi", "300Mi")},
		},
		{
			reason: "a size that it has already, even if a smaller one is meant", sizes: map[string]Size{"memhog": {Limit: 384 * mebibyte}},
			smaller: true, want: []corev1.Container{sized("sidecar", "", "64Mi"), sized("memhog", "256Mi", "384Mi")},
		},
		{
			reason: "a container that the template does not have", sizes: map[string]Size{"gone": twice},
			want: []corev1.Container{sized("sidecar", "", "64Mi"), sized("memhog", "256Mi", "384Mi")},
		},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			c, d, writes := stored(t, deployment(sized("sidecar", "", "64Mi"), sized("memhog", "256Mi", "384Mi")))
			var changes []Change
			for name, size := range tt.sizes {
				changes = append(changes, Change{Container: name, Size: size, Smaller: tt.smaller, Record: Record{Given: size}})
			}
			changed, err := Write(t.Context(), c, of(d), nil, changes)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.changed, changed); diff != "" {
				t.Errorf("%s: changed (-want +got):\n%s", tt.reason, diff)
			}
			if want := min(len(tt.changed), 1); *writes != want {
				t.Errorf("%s: it took %d writes instead of %d", tt.reason, *writes, want)
			}
			got := &appsv1.Deployment{}
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(d), got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.Spec.Template.Spec.Containers, cmp.Comparer(resource.Quantity.Equal)); diff != "" {
				t.Errorf("%s: containers (-want +got):\n%s", tt.reason, diff)
			}
			records, err := Records(got)
			if err != nil || len(records) != len(tt.changed) {
				t.Errorf("%s: recorded %v (%v), want %q", tt.reason, records, err, tt.changed)
			}
			for _, name := range tt.changed {
				if records[name].Given != tt.sizes[name] {
					t.Errorf("%s: recorded %+v of %s, want %+v", tt.reason, records[name], name, tt.sizes[name])
				}
			}
		})
	}
}

func TestWriteLeavesADeploymentThatHasChangedMeanwhile(t *testing.T) {
	c, d, _ := stored(t, deployment(sized("memhog", "256Mi", "384Mi")))
	newer := d.DeepCopy()
	newer.Annotations = map[string]string{"by": "someone else"}
	if err := c.Update(t.Context(), newer); err != nil {
		t.Fatal(err)
	}
	changed, err := Write(t.Context(), c, of(d), nil, []Change{{Container: "memhog", Size: Size{Limit: 768 * mebibyte}}})
	if len(changed) > 0 || !apierrors.IsConflict(err) {
		t.Errorf("want a conflict and no change, got %v and %v", changed, err)
	}
}

func TestWriteSaysWhatItCouldNotWrite(t *testing.T) {
	refused := errors.New("no more than 512Mi in this namespace")
	c := interceptor.NewClient(fake.NewClientBuilder().Build(), interceptor.Funcs{Patch: func(
		context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption,
	) error {
		return refused
	}})
	d := deployment(sized("memhog", "256Mi", "384Mi"))
	changed, err := Write(t.Context(), c, of(d), nil, []Change{{Container: "memhog", Size: Size{Limit: 768 * mebibyte}}})
	if len(changed) > 0 || !errors.Is(err, refused) {
		t.Fatalf("want the refusal and no change, got %v and %v", changed, err)
	}
	for _, word := range []string{`"memhog"`, "Deployment/memhog"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not name %s: %v", word, err)
		}
	}
}

// stored returns a client of a cluster that holds the Deployment, the Deployment as it is read there, and the count of
// writes.
func stored(t *testing.T, d *appsv1.Deployment) (client.Client, *appsv1.Deployment, *int) {
	t.Helper()
	writes := new(int)
	c := fake.NewClientBuilder().WithObjects(d).WithInterceptorFuncs(interceptor.Funcs{Patch: func(
		ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, opts ...client.PatchOption,
	) error {
		*writes++
		return c.Patch(ctx, o, patch, opts...)
	}}).Build()
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(d), d); err != nil {
		t.Fatal(err)
	}
	return c, d, writes
}
