package workload

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

func grown(size Size, at time.Time) Grown { return Grown{From: one, Size: size, At: at} }

func TestWhatPodsWereGivenInPlaceIsLearned(t *testing.T) {
	later := noon.Add(time.Hour)
	w := of(deployment(sized("memhog", "256Mi", "384Mi")))
	learned := Record{Declared: one, Given: two, GivenAt: noon, InPlace: true, Raises: []time.Time{noon}}
	twice := Record{Declared: one, Given: four, GivenAt: later, InPlace: true, Raises: []time.Time{noon, later}}
	for _, tt := range []struct {
		reason   string
		before   Record
		grown    []Grown
		levelled bool
		want     Record
	}{
		{"nobody grew", Record{}, nil, false, Record{}},
		{"one did", Record{}, []Grown{grown(two, noon)}, false, learned},
		{"it is known already", learned, []Grown{grown(two, noon)}, false, learned},
		{"another grew as much, later: that is no more", learned, []Grown{grown(two, later)}, false, learned},
		{"one grew further", learned, []Grown{grown(two, noon), grown(four, later)}, false, twice},
		{"two grew, one further than the other, while nobody looked", Record{},
			[]Grown{grown(two, noon), grown(four, later)}, false, twice},
		{"less than the template says is no growth", Record{}, []Grown{grown(Size{Limit: 1}, noon)}, false, Record{}},
		{"use levelled off in between", learned, []Grown{grown(four, later)}, true,
			Record{Declared: one, Given: four, GivenAt: later, InPlace: true, Raises: []time.Time{later}}},
		{"what was given before all was forgotten does not count", Record{ForgottenAt: noon}, []Grown{grown(two, noon)}, false,
			Record{ForgottenAt: noon}},
		{"what was given since does", Record{ForgottenAt: noon}, []Grown{grown(two, later)}, false,
			Record{Declared: one, Given: two, GivenAt: later, InPlace: true, Raises: []time.Time{later}, ForgottenAt: noon}},
		{"the OOM kill that it was the answer to", Record{},
			[]Grown{{Size: two, At: noon, OOMKilledAt: noon.Add(-time.Second)}}, false, Record{
				Declared: one, Given: two, GivenAt: noon, InPlace: true, Raises: []time.Time{noon}, OOMKilledAt: noon.Add(-time.Second),
			}},
		{"after a rollout", Record{}.Raised(one, Size{Limit: 384 * mebibyte}, "memhog-1", noon), []Grown{grown(two, later)}, false, Record{
			Declared: one, Previous: one, Given: two, GivenAt: later, InPlace: true, Raises: []time.Time{noon, later},
			Replaced: []string{"memhog-1"},
		}},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.before.Learn(w, "memhog", tt.grown, tt.levelled)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
			}
		})
	}
	unknown := Of(pod(), "Pod")
	if got := (Record{}).Learn(unknown, "memhog", []Grown{grown(two, noon)}, false); got.Declared != one {
		t.Errorf("where no template tells, the size before is what was declared: %+v", got)
	}
}

func TestTheUserIsFollowed(t *testing.T) {
	later := noon.Add(time.Hour)
	learned := Record{Declared: one, Given: two, GivenAt: noon, InPlace: true, Durable: two}
	alone := learned
	alone.Durable = Size{}
	edited := learned
	edited.Durable = four
	less := Size{Request: 400 << 20, Limit: 600 << 20}
	lessened := learned
	lessened.Durable, lessened.ForgottenAt = less, later
	for _, tt := range []struct {
		reason    string
		record    Record
		template  string
		annotated Size
		undone    bool
		want      Record
	}{
		{"nothing was said", Record{}, "384Mi", Size{}, false, Record{}},
		{"what was learned stands", learned, "384Mi", two, false, learned},
		{"it was taken away", learned, "384Mi", Size{}, false, Record{ForgottenAt: later}},
		{"it was never there", alone, "384Mi", Size{}, false, alone},
		{"it was made larger", learned, "384Mi", four, false, edited},
		{"it was made smaller", learned, "384Mi", less, false, lessened},
		{"an undo took it away, and nobody meant that", learned, "384Mi", Size{}, true, learned},
		{"the template says as much", learned, "768Mi", two, false, Record{}},
		{"the template says more", learned, "1Gi", two, false, Record{}},
		{"the template says something else that is less", learned, "512Mi", two, false, learned},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			w := of(deployment(sized("memhog", "256Mi", tt.template)))
			if diff := cmp.Diff(tt.want, tt.record.Follow(w, "memhog", tt.annotated, tt.undone, later)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
			}
		})
	}
}

func TestADurableSizeIsMoreThanTheTemplateSays(t *testing.T) {
	w := of(deployment(sized("memhog", "256Mi", "384Mi")))
	if got := (Record{}).Promote(w, "memhog", two, noon); got.Durable != two {
		t.Errorf("768Mi: %+v", got)
	}
	if got := (Record{Durable: two}).Promote(w, "memhog", one, noon); got.Durable != (Size{}) {
		t.Errorf("384Mi: %+v", got)
	}
	if got := (Record{Given: four, Raises: []time.Time{noon}}).Shrunk(two); got.Given != two || got.Raises != nil {
		t.Errorf("lowered: %+v", got)
	}
	if got := (Record{Given: two}).Shrunk(four); got.Given != two {
		t.Errorf("lowered less than others: %+v", got)
	}
}

func TestRecordsAreWrittenWhenTheySayAnythingNew(t *testing.T) {
	stored := &appsv1.StatefulSet{ObjectMeta: named("memhog")}
	stored.Spec.Template.Spec.Containers = deployment(sized("memhog", "256Mi", "384Mi")).Spec.Template.Spec.Containers
	writes := 0
	c := fake.NewClientBuilder().WithObjects(stored).WithInterceptorFuncs(interceptor.Funcs{SubResourcePatch: func(
		ctx context.Context, c client.Client, _ string, o client.Object, patch client.Patch, _ ...client.SubResourcePatchOption,
	) error {
		writes++
		// The fake drops what a patch of the status says of metadata; an API server does not.
		return c.Patch(ctx, o, patch)
	}}).Build()
	read := func() *Workload {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(stored), stored); err != nil {
			t.Fatal(err)
		}
		return Of(stored, "StatefulSet")
	}
	write := func(reason string, records map[string]Record, want bool) *Workload {
		t.Helper()
		before := writes
		written, err := WriteRecords(t.Context(), c, read(), records)
		if err != nil || written != want || (writes > before) != want {
			t.Errorf("%s: written %t (%v), in %d writes", reason, written, err, writes-before)
		}
		return read()
	}
	record := Record{Declared: one, Given: two, GivenAt: noon, InPlace: true, Raises: []time.Time{noon}, Durable: two}
	write("nothing is nothing new", nil, false)
	w := write("something", map[string]Record{"memhog": record, "gone": record}, true)
	const want = `{"memhog":{"request":"512Mi","limit":"768Mi"}}`
	if got := w.GetAnnotations()[v1.DurableSizeAnnotation]; got != want {
		t.Errorf("the durable size is written as %s, want %s", got, want)
	}
	if durable, err := Durable(w); err != nil || durable["memhog"] != two {
		t.Errorf("and read as %v (%v)", durable, err)
	}
	write("the same", map[string]Record{"memhog": record}, false)
	record.Durable = Size{}
	w = write("no durable size any more", map[string]Record{"memhog": record}, true)
	if text, there := w.GetAnnotations()[v1.DurableSizeAnnotation]; there {
		t.Errorf("the durable size is still there: %s", text)
	}
	stored.Annotations[v1.DurableSizeAnnotation] = "lots"
	if err := c.Update(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	if _, err := Durable(read()); err == nil || !strings.Contains(err.Error(), `"lots"`) {
		t.Errorf("want an error that shows what the annotation says, got %v", err)
	}
	write("what cannot be read is written anew", map[string]Record{"memhog": record}, true)
}

func TestARolloutKeepsWhatOtherContainersLearnedInPlace(t *testing.T) {
	w := of(deployment(sized("memhog", "256Mi", "384Mi"), sized("other", "", "384Mi")))
	learned := Record{Declared: one, Given: two, GivenAt: noon, InPlace: true, Durable: two}
	raised := Change{Container: "memhog", Record: Record{}.Raised(one, two, "memhog-1", noon)}
	all := with(w, map[string]Record{"other": learned}, []Change{raised})
	if len(all) != 2 || all["other"].Durable != two {
		t.Errorf("recorded %+v", all)
	}
}

func TestOldPodsTellNothingNewDuringARollout(t *testing.T) {
	w := of(deployment(sized("memhog", "512Mi", "768Mi")))
	rolled := Record{Declared: one, Given: two, GivenAt: noon, Durable: four}
	for _, tt := range []struct {
		reason string
		g      Grown
		learns bool
	}{
		{"what it had before", Grown{Size: Size{Request: 2 << 30, Limit: 3 << 30}, At: noon}, false},
		{"what all are meant to have", Grown{Size: four, At: noon.Add(time.Hour)}, false},
		{"more than that, since", Grown{Size: Size{Request: 2 << 30, Limit: 3 << 30}, At: noon.Add(time.Hour)}, true},
	} {
		if got := rolled.Learn(w, "memhog", []Grown{tt.g}, false); got.InPlace != tt.learns {
			t.Errorf("%s: %+v", tt.reason, got)
		}
	}
}
