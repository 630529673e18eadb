package workload

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	// Previous is the size before the latest change, zero when that was a rollback; Given is the size that it gave, and
	// GivenAt its time.
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

// RecordsOf reads what was changed of a Deployment, by container. It looks at the ReplicaSets, too: each keeps the record
// that the Deployment had when it was the newest one, and `kubectl rollout undo` replaces the Deployment's annotations by
// those of the one that it goes back to. The latest record counts, unless the Deployment's own is {}: whoever writes that,
// or breaks it, has the operator start afresh.
func RecordsOf(d *appsv1.Deployment, sets []metav1.PartialObjectMetadata) (map[string]Record, error) {
	newest, err := Records(d)
	if err != nil || newest != nil && len(newest) == 0 {
		return nil, err
	}
	for i := range sets {
		if sets[i].Annotations[v1.RecordAnnotation] == d.Annotations[v1.RecordAnnotation] {
			continue
		}
		older, err := Records(&sets[i])
		if err == nil && latest(older).After(latest(newest)) {
			newest = older
		}
	}
	return newest, nil
}

// latest is the time of the latest of some changes.
func latest(records map[string]Record) time.Time {
	var at time.Time
	for _, r := range records {
		if r.GivenAt.After(at) {
			at = r.GivenAt
		}
	}
	return at
}

// Records reads the record that an object carries. One that cannot be read is an error.
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

// with adds the records of changes to those of other containers, as far as these still count. A rollout replaces all of a
// Pod's containers: which ReplicaSets were replaced is the same for all.
func with(d *appsv1.Deployment, records map[string]Record, changes []Change) map[string]Record {
	all := map[string]Record{}
	var replaced []string
	for _, c := range changes {
		all[c.Container] = c.Record
		replaced = append(replaced, c.Record.Replaced...)
	}
	for name, r := range records {
		_, changed := all[name]
		if changed || !slices.ContainsFunc(replaced, func(set string) bool { return r.Standing(d, name, set) != Afresh }) {
			continue
		}
		all[name] = r
		replaced = append(replaced, r.Replaced...)
	}
	for name, r := range all {
		for _, set := range replaced {
			if !slices.Contains(r.Replaced, set) {
				r.Replaced = append(slices.Clone(r.Replaced), set)
			}
		}
		all[name] = r
	}
	return all
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
	r = r.change(from, to, replicaSet, now)
	r.Raises = nil // use that has come down has levelled off
	return r
}

// RolledBack records that the given size did not get through, and was taken back to the one before.
func (r Record) RolledBack(now time.Time) Record {
	at := now.UTC().Truncate(time.Second)
	r.Stuck = Stuck{Size: r.Given, At: at}
	r.Given, r.GivenAt, r.Previous = r.Previous, at, Size{}
	r.Raises = r.Raises[:max(0, len(r.Raises)-1)] // it gave nothing
	return r
}
