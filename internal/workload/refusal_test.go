package workload

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func TestTheAPIServersAnswerHasAReason(t *testing.T) {
	pods := corev1.Resource("pods")
	forbidden := func(why string) error { return apierrors.NewForbidden(pods, "memhog", errors.New(why)) }
	invalid := func(why string) error {
		return apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "memhog", field.ErrorList{field.Forbidden(field.NewPath("spec"), why)})
	}
	capacity := apierrors.NewForbidden(pods, "memhog", errors.New("words of a later version"))
	capacity.ErrStatus.Details.Causes = append(capacity.ErrStatus.Details.Causes, metav1.StatusCause{Type: nodeCapacity})
	for _, tt := range []struct {
		reason string
		err    error
		want   Refusal
	}{
		{"there is none", nil, NotRefused},
		{"a quota", forbidden("exceeded quota: q, requested: limits.memory=384Mi, used: limits.memory=1Gi, limited: limits.memory=1Gi"),
			RefusedByQuota},
		{"a LimitRange for containers", forbidden("maximum memory usage per Container is 512Mi, but limit is 768Mi"), RefusedByLimitRange},
		{"a LimitRange for Pods", forbidden("maximum memory usage per Pod is 512Mi, but limit is 805306368"), RefusedByLimitRange},
		{"a LimitRange of cpu is none of ours", forbidden("maximum cpu usage per Container is 1, but limit is 2"), NotRefused},
		{"the node", capacity, RefusedByNode},
		{"the node, in the words of 1.36", forbidden("node didn't have enough allocatable resources: memory, requested: 2, allocatable: 1"),
			RefusedByNode},
		{"the class of service", invalid("Pod QOS Class may not change as a result of resizing"), RefusedForGood},
		{"a static Pod", invalid("static pods cannot be resized"), RefusedForGood},
		{"a node of an old version", invalid("Pod running on node without support for resize"), RefusedForGood},
		{"a feature that the node lacks", forbidden(`pod update requires features X which are not available on node "n"`), RefusedForGood},
		{"what the Pod as a whole may have", invalid("must be less than or equal to pod limits of 512Mi"), RefusedForGood},
		{"a missing permission is for whoever can give it", forbidden(`User "x" cannot patch resource "pods/resize" in API group ""`),
			NotRefused},
		{"a webhook's refusal is shown as it is", forbidden("admission webhook denied the request"), NotRefused},
		{"the Pod is gone", apierrors.NewNotFound(pods, "memhog"), NotRefused},
		{"the subresource is not there", apierrors.NewGenericServerResponse(http.StatusNotFound, "patch", schema.GroupResource{}, "",
			"404 page not found", 0, true), RefusedAltogether},
		{"or not for patches", apierrors.NewMethodNotSupported(pods, "patch"), RefusedAltogether},
		{"a conflict", apierrors.NewConflict(pods, "memhog", errors.New("changed")), NotRefused},
		{"an API server that is away", errors.New("connection refused"), NotRefused},
		{"wrapped", fmt.Errorf("resize: %w", forbidden("exceeded quota: q")), RefusedByQuota},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			if got := RefusalOf(tt.err); got != tt.want {
				t.Errorf("%s: %v, want %v", tt.reason, got, tt.want)
			}
		})
	}
}
