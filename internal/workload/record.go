package workload

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

const (
	// mostRaises and mostReplaced bound how much of the past a record keeps, and so the size of the annotation.
	mostRaises   = 100
	mostReplaced = 10

	// mostQuoted is how many characters of an annotation that cannot be read an error shows.
	mostQuoted = 80
)

// Record is what the operator changed of one container of a workload. It is kept in an annotation of the workload
// itself, so that it outlives the operator and goes when the workload goes.
type Record struct {
	// Declared is the size that the workload's Pods had before the first change.
	Declared Size `json:"declared"`
	// Previous is the size before the latest change, Given the size that it gave, and GivenAt its time.
	Previous Size      `json:"previous"`
	Given    Size      `json:"given"`
	GivenAt  time.Time `json:"givenAt"`
	// Raises are the times of the raises that still count for the growth budget, oldest first.
	Raises []time.Time `json:"raises,omitempty"`
	// OOMKilledAt is the latest OOM kill that a raise was the answer to.
	OOMKilledAt time.Time `json:"oomKilledAt,omitzero"`
	// Replaced are the names of the ReplicaSets whose Pods the changes replaced, oldest first. A Deployment goes back to
	// one of them when its template does.
	Replaced []string `json:"replaced,omitempty"`
	// Stuck is the size whose rollout the Deployment gave up, and which was rolled back.
	Stuck Stuck `json:"stuck,omitzero"`
}

// Stuck is a size that did not get through, and when it was rolled back.
type Stuck struct {
	Size Size      `json:"size"`
	At   time.Time `json:"at"`
}

// sizeJSON is a size as people write it.
type sizeJSON struct {
	Request *resource.Quantity `json:"request,omitempty"`
	Limit   resource.Quantity  `json:"limit"`
}

// MarshalJSON writes quantities: {"request":"256Mi","limit":"384Mi"}.
func (s Size) MarshalJSON() ([]byte, error) {
	text := sizeJSON{Limit: *resource.NewQuantity(s.Limit, resource.BinarySI)}
	if s.Request > 0 {
		text.Request = resource.NewQuantity(s.Request, resource.BinarySI)
	}
	return json.Marshal(text)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Size) UnmarshalJSON(data []byte) error {
	var text sizeJSON
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	*s = Size{Limit: text.Limit.Value()}
	if text.Request != nil {
		s.Request = text.Request.Value()
	}
	return nil
}

// Records reads what was changed of a workload, by container. An annotation that cannot be read is an error; whoever
// broke it, or took it away, has the operator start afresh.
func Records(o client.Object) (map[string]Record, error) {
	text := o.GetAnnotations()[v1.RecordAnnotation]
	if text == "" {
		return nil, nil
	}
	var records map[string]Record
	if err := json.Unmarshal([]byte(text), &records); err != nil {
		return nil, fmt.Errorf("annotation %s of %q, %.*q: %w", v1.RecordAnnotation, o.GetName(), mostQuoted, text, err)
	}
	return records, nil
}

// write renders the records of the containers that the Deployment still has.
func write(d *appsv1.Deployment, records map[string]Record) (string, error) {
	present := map[string]Record{}
	for _, c := range d.Spec.Template.Spec.Containers {
		if r, ok := records[c.Name]; ok {
			r.Raises = r.Raises[max(0, len(r.Raises)-mostRaises):]
			r.Replaced = r.Replaced[max(0, len(r.Replaced)-mostReplaced):]
			present[c.Name] = r
		}
	}
	text, err := json.Marshal(present)
	if err != nil {
		return "", fmt.Errorf("record what was changed of Deployment %q: %w", d.Name, err)
	}
	return string(text), nil
}

// Standing is what became of a change.
type Standing int

// What can become of a change.
const (
	// Afresh: the workload's user has released something else since, or given a size of his own. The record no longer
	// counts.
	Afresh Standing = iota
	// Kept: the workload has the size that it was given.
	Kept
	// TakenBack: somebody put back the size from before, and changed nothing else: a GitOps controller, say.
	TakenBack
)

// Standing compares the record with the Deployment's template. The name is that of the Pod's ReplicaSet: a Deployment
// goes back to a ReplicaSet that it had before only when all of the template is as it was.
func (r Record) Standing(d *appsv1.Deployment, container, replicaSet string) Standing {
	limit := SizeOf(templateOf(d, container).Resources).Limit
	switch {
	case limit == r.Given.Limit:
		return Kept
	case limit < r.Given.Limit && slices.Contains(r.Replaced, replicaSet):
		return TakenBack
	default:
		return Afresh
	}
}

// change records another size for the Pods of the ReplicaSet.
func (r Record) change(from, to Size, replicaSet string, now time.Time) Record {
	if r.Declared == (Size{}) {
		r.Declared = from
	}
	r.Previous, r.Given, r.GivenAt = from, to, now.UTC().Truncate(time.Second)
	if !slices.Contains(r.Replaced, replicaSet) {
		r.Replaced = append(slices.Clone(r.Replaced), replicaSet)
	}
	return r
}

// Raised records a raise of a Pod of the ReplicaSet.
func (r Record) Raised(from, to Size, replicaSet string, now time.Time) Record {
	r = r.change(from, to, replicaSet, now)
	r.Raises = append(slices.Clone(r.Raises), r.GivenAt)
	return r
}

// Lowered records that a size was lowered again.
func (r Record) Lowered(from, to Size, replicaSet string, now time.Time) Record {
	return r.change(from, to, replicaSet, now)
}

// RolledBack records that the given size did not get through, and was taken back to the one before.
func (r Record) RolledBack(now time.Time) Record {
	at := now.UTC().Truncate(time.Second)
	r.Stuck = Stuck{Size: r.Given, At: at}
	r.Given, r.GivenAt = r.Previous, at
	return r
}
