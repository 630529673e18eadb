package workload

import (
	"errors"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Refusal is why an API server refuses to resize a Pod.
type Refusal int

// What the answer to a resize can be.
const (
	// NotRefused: the answer is no refusal that is known, but an error like any other.
	NotRefused Refusal = iota
	// RefusedByQuota: a ResourceQuota leaves no room.
	RefusedByQuota
	// RefusedByLimitRange: a LimitRange allows no such size.
	RefusedByLimitRange
	// RefusedByNode: the node is not large enough.
	RefusedByNode
	// RefusedForGood: this Pod cannot be resized so, however small the step.
	RefusedForGood
	// RefusedAltogether: nothing can be resized here: the subresource is not there.
	RefusedAltogether
)

// nodeCapacity is the cause that the API server's admission of resizes names when a Pod would be larger than its node.
const nodeCapacity metav1.CauseType = "NodeCapacity"

// refusals are told apart by what the API server says, as far as it has no code for them: by its own words, which are those
// of Kubernetes 1.33 to 1.37. What it says otherwise is an error like any other, and is shown as it is.
var refusals = []struct {
	says string
	is   Refusal
}{
	{"exceeded quota", RefusedByQuota},
	{"failed quota", RefusedByQuota},
	{" memory usage per Container is ", RefusedByLimitRange},
	{" memory usage per Pod is ", RefusedByLimitRange},
	{"memory max limit to request ratio per ", RefusedByLimitRange},
	{"node didn't have enough allocatable resources", RefusedByNode},
	{"QOS Class may not change", RefusedForGood},
	{"static pods cannot be resized", RefusedForGood},
	{"windows pods cannot be resized", RefusedForGood},
	{"pod resize is only supported on linux nodes", RefusedForGood},
	{"Pod running on node without support for resize", RefusedForGood},
	{"resize of pods with pod-level resources is", RefusedForGood},
	{"pod update requires features ", RefusedForGood}, // that the node does not declare
	{"must be less than or equal to pod limits", RefusedForGood},
	{"must be greater than or equal to aggregate container", RefusedForGood},
	{"memory limits cannot be decreased", RefusedForGood},
}

// RefusalOf says why a resize was refused. A missing permission is no refusal: whoever gives it can help.
func RefusalOf(err error) Refusal {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return NotRefused
	}
	s := status.Status()
	if s.Details != nil {
		for _, cause := range s.Details.Causes {
			if cause.Type == nodeCapacity {
				return RefusedByNode
			}
		}
	}
	switch {
	case s.Code == http.StatusMethodNotAllowed,
		s.Code == http.StatusNotFound && (s.Details == nil || s.Details.Name == "" || s.Details.Kind != "pods"):
		// A Pod that is gone is named.
		return RefusedAltogether
	case s.Code != http.StatusForbidden && s.Code != http.StatusUnprocessableEntity:
		return NotRefused
	}
	for _, r := range refusals {
		if strings.Contains(s.Message, r.says) {
			return r.is
		}
	}
	return NotRefused
}
