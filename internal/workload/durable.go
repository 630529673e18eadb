package workload

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// Grown is a container of one of a workload's Pods that was given memory in place.
type Grown struct {
	// From is the size that it had before the first time; zero where that is not known.
	From Size
	// Size that it has, and At when it was given that.
	Size Size
	At   time.Time
	// OOMKilledAt is the OOM kill that this was the answer to; zero when there was none.
	OOMKilledAt time.Time
}

// Durable reads the sizes that all Pods of a workload, present and future, are to have, by container.
func Durable(o client.Object) (map[string]Size, error) {
	text := o.GetAnnotations()[v1.DurableSizeAnnotation]
	if text == "" {
		return nil, nil
	}
	var sizes map[string]Size
	if err := json.Unmarshal([]byte(text), &sizes); err != nil {
		return nil, fmt.Errorf("annotation %s of %q, %.*q: %w", v1.DurableSizeAnnotation, o.GetName(), mostQuoted, text, err)
	}
	return sizes, nil
}

// Follow brings the record of a container in line with what its user says about the durable size. The annotation says what
// it is; one that is gone was taken away, and what was learned before is forgotten, unless all annotations were exchanged by
// an undo. A template that says as much or more takes its place.
func (r Record) Follow(w *Workload, container string, annotated Size, undone bool, now time.Time) Record {
	if r.InPlace && r.Standing(w, container, "") == Afresh {
		return Record{ForgottenAt: r.ForgottenAt}
	}
	switch {
	case undone || annotated == r.Durable:
		return r
	case annotated.Limit == 0:
		return Record{ForgottenAt: now.UTC().Truncate(time.Second)}
	case annotated.Limit < r.Durable.Limit:
		// What Pods were given beyond it before does not make it larger again.
		r.Durable, r.ForgottenAt = annotated, now.UTC().Truncate(time.Second)
		return r
	default:
		r.Durable = annotated
		return r
	}
}

// Learn records what Pods were given in place, by whichever of the operator's processes. Only what goes beyond all that was
// given before counts as a raise. Levelled is true when what was given before led to a level, and counts no longer.
func (r Record) Learn(w *Workload, container string, grown []Grown, levelled bool) Record {
	// Each level counts, also when several were reached while nobody looked.
	slices.SortFunc(grown, func(a, b Grown) int { return cmp.Compare(a.Size.Limit, b.Size.Limit) })
	for _, g := range grown {
		if !g.At.After(r.ForgottenAt) {
			continue
		}
		if g.OOMKilledAt.After(r.OOMKilledAt) {
			r.OOMKilledAt = g.OOMKilledAt
		}
		if g.Size.Limit <= max(r.Given.Limit, w.Declared(container).Limit) || r.rolledOut(g) {
			continue
		}
		if levelled {
			r.Raises = nil
		}
		if r.Declared == (Size{}) {
			r.Declared = w.Declared(container)
		}
		if r.Declared == (Size{}) {
			r.Declared = g.From
		}
		r.Given, r.GivenAt, r.InPlace = g.Size, g.At.UTC().Truncate(time.Second), true
		r.Raises = append(slices.Clone(r.Raises), r.GivenAt)
	}
	return r
}

// rolledOut is true for a size that says nothing new beside the latest rollout: from before it, or what all are meant to have.
func (r Record) rolledOut(g Grown) bool {
	return !r.InPlace && r.Given.Limit > 0 && (!g.At.After(r.GivenAt) || g.Size.Limit <= r.Durable.Limit)
}

// IsZero is true for a record that says nothing.
func (r Record) IsZero() bool { return reflect.ValueOf(r).IsZero() }

// Promote records the size that all Pods are to have; zero or no more than the template's is none.
func (r Record) Promote(w *Workload, container string, durable Size, now time.Time) Record {
	if durable.Limit <= w.Declared(container).Limit {
		durable = Size{}
	}
	if durable != r.Durable {
		r.Durable, r.LearnedAt = durable, now.UTC().Truncate(time.Second)
	}
	return r
}

// Shrunk records that Pods were lowered in place, and that none has more than a size now.
func (r Record) Shrunk(largest Size) Record {
	if largest.Limit < r.Given.Limit {
		r.Given = largest
		r.Raises = nil // use that has come down has levelled off
	}
	return r
}

// WriteRecords records what was changed of a workload, unless that is there already. It touches the workload's annotations
// and nothing else: no Pod is replaced for it. The write holds only for the version of the workload that was passed in.
func WriteRecords(ctx context.Context, c client.Client, w *Workload, records map[string]Record) (bool, error) {
	known, errRecords := Records(w)
	durable, errDurable := Durable(w)
	records = w.present(records)
	if len(records) == 0 && len(known) == 0 {
		return false, nil // nor is anything mended that somebody broke
	}
	if errRecords == nil && errDurable == nil && equal(known, records) && equal(durable, durableOf(records)) {
		return false, nil
	}
	annotations, err := w.annotations(records)
	if err != nil {
		return false, err
	}
	if err := w.annotate(ctx, c, w.patch(annotations)); err != nil {
		return false, fmt.Errorf("record the memory of %s: %w", w.Name(), err)
	}
	return true, nil
}

// annotate patches annotations. They go by the status, as those of the Deployment controller do: a Deployment's annotations
// would otherwise make a new generation of it, which looks like a rollout until that was observed. It also takes no right to
// change the specs of what is never rolled out.
func (w *Workload) annotate(ctx context.Context, c client.Client, patch map[string]any) error {
	text, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	return c.Status().Patch(ctx, w.empty(), client.RawPatch(types.MergePatchType, text), client.FieldOwner(FieldManager))
}

func equal[V any](a, b map[string]V) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b)
}

// annotations are those that hold the records; null for one that is to go.
func (w *Workload) annotations(records map[string]Record) (map[string]any, error) {
	records = w.present(records)
	record, err := json.Marshal(records)
	if err != nil {
		return nil, fmt.Errorf("record what was changed of %s: %w", w.Name(), err)
	}
	all := map[string]any{v1.RecordAnnotation: string(record)}
	durable := durableOf(records)
	if len(durable) == 0 {
		if _, there := w.GetAnnotations()[v1.DurableSizeAnnotation]; there {
			all[v1.DurableSizeAnnotation] = nil
		}
		return all, nil
	}
	sizes, err := json.Marshal(durable)
	if err != nil {
		return nil, fmt.Errorf("record the durable size of %s: %w", w.Name(), err)
	}
	all[v1.DurableSizeAnnotation] = string(sizes)
	return all, nil
}

// present are the records of the containers that the workload or one of its Pods still has, cut to what an annotation may hold.
func (w *Workload) present(records map[string]Record) map[string]Record {
	present := maps.Clone(records)
	maps.DeleteFunc(present, func(name string, _ Record) bool {
		return w.Template != nil && w.inTemplate(name).Name == "" && !w.seen[name]
	})
	for name, r := range present {
		r.Raises = r.Raises[max(0, len(r.Raises)-mostRaises):]
		r.Replaced = r.Replaced[max(0, len(r.Replaced)-mostReplaced):]
		present[name] = r
	}
	return present
}

func durableOf(records map[string]Record) map[string]Size {
	sizes := map[string]Size{}
	for name, r := range records {
		if r.Durable.Limit > 0 {
			sizes[name] = r.Durable
		}
	}
	return sizes
}
