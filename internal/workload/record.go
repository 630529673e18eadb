package workload

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

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
	// Declared is the size that the workload's Pods had before the first change; zero when that is not known.
	Declared Size `json:"declared,omitzero"`
	// Previous is the size before the latest rollout, zero when that was a rollback. Given is the size that the template was
	// given or, with InPlace, the largest that any Pod was; GivenAt is when that was.
	Previous Size      `json:"previous,omitzero"`
	Given    Size      `json:"given,omitzero"`
	GivenAt  time.Time `json:"givenAt,omitzero"`
	// InPlace is true when Pods were given the size in place, and the template is as its user left it.
	InPlace bool `json:"inPlace,omitempty"`
	// Durable is the size that all Pods, present and future, are to have: what the annotation DurableAnnotation said when it
	// was last written. Zero when that is what the template says.
	Durable Size `json:"durable,omitzero"`
	// PreviousDurable is what the durable size was before the latest rollout made it the template's.
	PreviousDurable Size `json:"previousDurable,omitzero"`
	// LearnedAt is when the durable size was last changed by the operator.
	LearnedAt time.Time `json:"learnedAt,omitzero"`
	// ForgottenAt is when the user took the durable size away, or made it smaller. What Pods were given before does not count
	// any more.
	ForgottenAt time.Time `json:"forgottenAt,omitzero"`
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

// RecordsOf reads what was changed of a workload, by container. It looks at the sets of a Deployment, too: each of its
// ReplicaSets keeps the record that the Deployment had when it was the newest one, and `kubectl rollout undo` replaces the
// Deployment's annotations by those of the one that it goes back to. The latest record counts, unless the workload's own is
// {}: whoever writes that, or breaks it, has the operator start afresh. Undone is true when the latest was not its own.
func RecordsOf(w *Workload, sets []metav1.PartialObjectMetadata) (records map[string]Record, undone bool, err error) {
	newest, err := Records(w)
	if err != nil || newest != nil && len(newest) == 0 {
		return nil, false, err
	}
	own := w.GetAnnotations()[v1.RecordAnnotation]
	for i := range sets {
		if sets[i].Annotations[v1.RecordAnnotation] == own {
			continue
		}
		older, err := Records(&sets[i])
		if err == nil && latest(older).After(latest(newest)) {
			newest, undone = older, true
		}
	}
	return newest, undone, nil
}

// latest is the time of the latest of some changes.
func latest(records map[string]Record) time.Time {
	var at time.Time
	for _, r := range records {
		for _, other := range []time.Time{r.GivenAt, r.ForgottenAt, r.LearnedAt} {
			if other.After(at) {
				at = other
			}
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
// Pod's containers: which sets of Pods were replaced is the same for all.
func with(w *Workload, records map[string]Record, changes []Change) map[string]Record {
	all := map[string]Record{}
	var replaced []string
	for _, c := range changes {
		all[c.Container] = c.Record
		replaced = append(replaced, c.Record.Replaced...)
	}
	for name, r := range records {
		counts := r.InPlace && r.Standing(w, name, "") == Kept || r.Durable.Limit > w.Declared(name).Limit ||
			slices.ContainsFunc(replaced, func(set string) bool { return r.Standing(w, name, set) != Afresh })
		if _, changed := all[name]; changed || !counts {
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

// Standing compares the record with the workload's template. The set is that of the Pod, see SetOf: a workload goes back to
// one that it had before only when all of the template is as it was. What was given in place counts until the template says
// as much.
func (r Record) Standing(w *Workload, container, set string) Standing {
	limit := w.Declared(container).Limit
	switch {
	case r.InPlace && limit < r.Given.Limit, !r.InPlace && limit == r.Given.Limit:
		return Kept
	case !r.InPlace && limit < r.Given.Limit && slices.Contains(r.Replaced, set):
		return TakenBack
	default:
		return Afresh
	}
}

// change records another size for the template that the Pods of the set were made of.
func (r Record) change(from, to Size, set string, now time.Time) Record {
	if r.Declared == (Size{}) {
		r.Declared = from
	}
	r.Previous, r.Given, r.GivenAt = from, to, now.UTC().Truncate(time.Second)
	r.InPlace = false
	if r.Durable.Limit <= to.Limit {
		r.Durable, r.PreviousDurable = Size{}, r.Durable // the template says it
	}
	if !slices.Contains(r.Replaced, set) {
		r.Replaced = append(slices.Clone(r.Replaced), set)
	}
	return r
}

// Raised records a raise by a rollout, which replaces the Pods of the set; from is the size that the template had.
func (r Record) Raised(from, to Size, set string, now time.Time) Record {
	r = r.change(from, to, set, now)
	r.Raises = append(slices.Clone(r.Raises), r.GivenAt)
	return r
}

// Lowered records that a size was lowered again.
func (r Record) Lowered(from, to Size, set string, now time.Time) Record {
	r = r.change(from, to, set, now)
	r.Durable, r.PreviousDurable = Size{}, Size{}
	r.Raises = nil // use that has come down has levelled off
	return r
}

// Through forgets the size to go back to once the latest rollout is over: a later one that gets stuck is not the size's fault.
func (r Record) Through(w *Workload, container string) Record {
	if !r.InPlace && !w.RollingOut && !w.GivenUp && r.Standing(w, container, "") == Kept {
		r.Previous, r.PreviousDurable = Size{}, Size{}
	}
	return r
}

// RolledBack records that the given size did not get through, and was taken back to the one before.
func (r Record) RolledBack(now time.Time) Record {
	at := now.UTC().Truncate(time.Second)
	r.Stuck = Stuck{Size: r.Given, At: at}
	r.Given, r.GivenAt, r.Previous = r.Previous, at, Size{}
	if r.Durable == (Size{}) {
		r.Durable = r.PreviousDurable
	}
	r.PreviousDurable = Size{}
	r.Raises = r.Raises[:max(0, len(r.Raises)-1)] // it gave nothing
	return r
}
