package workload

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

var (
	noon    = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	one     = Size{Request: 256 * mebibyte, Limit: 384 * mebibyte}
	two     = Size{Request: 512 * mebibyte, Limit: 768 * mebibyte}
	four    = Size{Request: 1024 * mebibyte, Limit: 1536 * mebibyte}
	limited = Size{Limit: 384 * mebibyte}
)

// annotated is the record as it is written.
func annotated(t *testing.T, d *appsv1.Deployment, records map[string]Record) string {
	t.Helper()
	all, err := of(d).annotations(records)
	if err != nil {
		t.Fatal(err)
	}
	return all[v1.RecordAnnotation].(string)
}

func TestARecordCanBeReadByPeopleAndBack(t *testing.T) {
	record := Record{}.Raised(one, two, "memhog-1", noon).Raised(two, four, "memhog-2", noon.Add(time.Hour))
	record.OOMKilledAt = noon
	d := deployment(sized("memhog", "256Mi", "384Mi"), sized("sidecar", "", "64Mi"))
	text := annotated(t, d, map[string]Record{"memhog": record, "gone": record})
	const want = `{"memhog":{"declared":{"request":"256Mi","limit":"384Mi"},"previous":{"request":"512Mi","limit":"768Mi"},` +
		`"given":{"request":"1Gi","limit":"1536Mi"},"givenAt":"2026-06-01T13:00:00Z",` +
		`"raises":["2026-06-01T12:00:00Z","2026-06-01T13:00:00Z"],"oomKilledAt":"2026-06-01T12:00:00Z",` +
		`"replaced":["memhog-1","memhog-2"]}}`
	if text != want {
		t.Errorf("written: %s\nwant:    %s", text, want)
	}
	d.Annotations = map[string]string{v1.RecordAnnotation: text}
	records, err := Records(d)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]Record{"memhog": record}, records); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
}

func TestWhatARecordSays(t *testing.T) {
	raised := Record{}.Raised(one, two, "memhog-1", noon)
	raisedTwice := raised.Raised(two, four, "memhog-2", noon.Add(time.Hour))
	later := noon.Add(2 * time.Hour)
	for _, tt := range []struct {
		reason string
		got    Record
		want   Record
	}{
		{
			reason: "a raise", got: raised, want: Record{
				Declared: one, Previous: one, Given: two, GivenAt: noon, Raises: []time.Time{noon}, Replaced: []string{"memhog-1"},
			},
		},
		{
			reason: "another one keeps what was declared", got: raisedTwice, want: Record{
				Declared: one, Previous: two, Given: four, GivenAt: noon.Add(time.Hour),
				Raises: []time.Time{noon, noon.Add(time.Hour)}, Replaced: []string{"memhog-1", "memhog-2"},
			},
		},
		{
			reason: "a lowering is no raise", got: raised.Lowered(two, one, "memhog-2", later), want: Record{
				Declared: one, Previous: two, Given: one, GivenAt: later, Replaced: []string{"memhog-1", "memhog-2"},
			},
		},
		{
			reason: "a rollback goes to the size before", got: raisedTwice.RolledBack(later), want: Record{
				Declared: one, Given: two, GivenAt: later, Raises: []time.Time{noon},
				Replaced: []string{"memhog-1", "memhog-2"}, Stuck: Stuck{Size: four, At: later},
			},
		},
		{
			reason: "times have whole seconds", got: Record{}.Raised(one, two, "memhog-1", noon.Add(999*time.Millisecond)), want: raised,
		},
		{
			reason: "a ReplicaSet is named once", got: raised.Lowered(two, one, "memhog-1", noon), want: Record{
				Declared: one, Previous: two, Given: one, GivenAt: noon, Replaced: []string{"memhog-1"},
			},
		},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
			}
		})
	}
}

func TestARolloutReplacesAllContainers(t *testing.T) {
	// Raised one after the other: by two rollouts, from memhog-1 to memhog-2 to memhog-3.
	d := deployment(sized("first", "", "768Mi"), sized("second", "", "384Mi"), sized("third", "", "384Mi"))
	records := map[string]Record{
		"first": Record{}.Raised(one, two, "memhog-1", noon),
		"third": Record{}.Raised(one, four, "memhog-0", noon), // and released with another size since
	}
	all := with(of(d), records, []Change{{Container: "second", Record: Record{}.Raised(one, two, "memhog-2", noon)}})
	if len(all) != 2 {
		t.Fatalf("recorded %v, want the first and the second", all)
	}
	back := deployment(sized("first", "", "384Mi"), sized("second", "", "384Mi"))
	for name, r := range all {
		if got := r.Standing(of(back), name, "memhog-1"); got != TakenBack {
			t.Errorf("%s, back at memhog-1: %v, want %v", name, got, TakenBack)
		}
	}
}

func TestTheLatestRecordOfDeploymentAndReplicaSetsCounts(t *testing.T) {
	text := func(r Record) map[string]string {
		return map[string]string{
			v1.RecordAnnotation: annotated(t, deployment(sized("memhog", "", "")), map[string]Record{"memhog": r}),
		}
	}
	set := func(annotations map[string]string) metav1.PartialObjectMetadata {
		return metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Annotations: annotations}}
	}
	first := Record{}.Raised(one, two, "memhog-1", noon)
	second := first.Raised(two, four, "memhog-2", noon.Add(time.Hour))
	broken := map[string]string{v1.RecordAnnotation: "nonsense"}
	for _, tt := range []struct {
		reason     string
		deployment map[string]string
		sets       []metav1.PartialObjectMetadata
		want       Size
		err        bool
	}{
		{"there is none", nil, []metav1.PartialObjectMetadata{set(nil)}, Size{}, false},
		{"the Deployment's own", text(second), []metav1.PartialObjectMetadata{set(text(first)), set(text(second))}, four, false},
		{"gone by an undo to the beginning", nil,
			[]metav1.PartialObjectMetadata{set(nil), set(text(first)), set(text(second))}, four, false},
		{"an older one by an undo to the middle", text(first), []metav1.PartialObjectMetadata{set(text(second))}, four, false},
		{"the user wants to start afresh", map[string]string{v1.RecordAnnotation: "{}"},
			[]metav1.PartialObjectMetadata{set(text(second))}, Size{}, false},
		{"the user broke it", broken, []metav1.PartialObjectMetadata{set(text(second))}, Size{}, true},
		{"one of a ReplicaSet is broken", nil, []metav1.PartialObjectMetadata{set(broken), set(text(first))}, two, false},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			d := deployment()
			d.Annotations = tt.deployment
			got, _, err := RecordsOf(of(d), tt.sets)
			if got["memhog"].Given != tt.want || (err != nil) != tt.err {
				t.Errorf("%s: %+v (%v), want %+v", tt.reason, got, err, tt.want)
			}
		})
	}
}

func TestARecordDoesNotGrowWithoutBound(t *testing.T) {
	var r Record
	for i := range 1000 {
		r = r.Raised(limited, limited, fmt.Sprintf("memhog-%d", i), noon.Add(time.Duration(i)*time.Second))
	}
	d := deployment(sized("memhog", "", "384Mi"))
	text := annotated(t, d, map[string]Record{"memhog": r})
	if len(text) > 4<<10 || !strings.Contains(text, "memhog-999") || strings.Contains(text, "memhog-989") {
		t.Errorf("%d bytes: %s", len(text), text)
	}
}

func TestARecordThatIsNoneIsSaid(t *testing.T) {
	d := deployment()
	if records, err := Records(d); records != nil || err != nil {
		t.Errorf("read %v and %v of nothing", records, err)
	}
	for _, text := range []string{"yes", `{"memhog":{"declared":{"limit":"lots"}}}`, `{"memhog":7}`} {
		d.Annotations = map[string]string{v1.RecordAnnotation: text}
		_, err := Records(d)
		if err == nil || !strings.Contains(err.Error(), v1.RecordAnnotation) || !strings.Contains(err.Error(), "memhog") {
			t.Errorf("%s: want an error that names annotation and Deployment, got %v", text, err)
		}
	}
	d.Annotations = map[string]string{v1.RecordAnnotation: "yes, " + strings.Repeat("and so on, ", 1000)}
	if _, err := Records(d); err == nil || !strings.Contains(err.Error(), `"yes, and so on, `) || len(err.Error()) > 300 {
		t.Errorf("want an error that shows the start of the annotation, got %v", err)
	}
}

func TestAChangeIsKeptTakenBackOrForgotten(t *testing.T) {
	record := Record{}.Raised(one, two, "memhog-1", noon)
	for _, tt := range []struct {
		reason     string
		template   string // limit
		replicaSet string
		want       Standing
	}{
		{"the template is as it was written, and its Pod new", "768Mi", "memhog-2", Kept},
		{"the template is as it was written, and its Pod still the old one", "768Mi", "memhog-1", Kept},
		{"the user has released another image with our size", "768Mi", "memhog-3", Kept},
		{"the old value is back, and so is the old ReplicaSet", "384Mi", "memhog-1", TakenBack},
		{"a release of another image with the old value", "384Mi", "memhog-3", Afresh},
		{"the old value is back, but the Pod is still the raised one", "384Mi", "memhog-2", Afresh},
		{"a larger size of the user's own", "2Gi", "memhog-3", Afresh},
		{"the limit was taken away altogether", "", "memhog-3", Afresh},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			if got := record.Standing(of(deployment(sized("memhog", "", tt.template))), "memhog", tt.replicaSet); got != tt.want {
				t.Errorf("%s: want %v, got %v", tt.reason, tt.want, got)
			}
		})
	}
	back := record.RolledBack(noon)
	if got := back.Standing(of(deployment(sized("memhog", "", "384Mi"))), "memhog", "memhog-1"); got != Kept {
		t.Errorf("a rollback of the operator's own is taken for somebody else's: %v", got)
	}
}

func TestARolledBackRolloutLeavesWhatWasLearnedBefore(t *testing.T) {
	learned := Record{Declared: one, Given: two, GivenAt: noon, InPlace: true, Durable: two}
	raised := learned.Raised(one, four, "set", noon.Add(time.Hour))
	if raised.Durable != (Size{}) || raised.Previous != one || raised.InPlace {
		t.Errorf("rolled out: %+v", raised)
	}
	if back := raised.RolledBack(noon.Add(2 * time.Hour)); back.Durable != two || back.Given != one {
		t.Errorf("rolled back: %+v", back)
	}
	if kept := learned.Raised(one, one, "set", noon); kept.Durable != two {
		t.Errorf("a rollout of less takes it away: %+v", kept)
	}
	w := of(deployment(sized("memhog", "1Gi", "1536Mi")))
	w.RollingOut = false
	if through := raised.Through(w, "memhog"); through.Previous != (Size{}) || through.PreviousDurable != (Size{}) {
		t.Errorf("once it is through: %+v", through)
	}
	w.RollingOut = true
	if under := raised.Through(w, "memhog"); under.Previous != one {
		t.Errorf("while it is under way: %+v", under)
	}
}
