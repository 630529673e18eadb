package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var (
	begin  = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	before = size{256 * mib, 384 * mib}
	goal   = size{512 * mib, 768 * mib}
	twice  = size{1024 * mib, 1536 * mib}
)

func after(seconds float64) time.Time {
	return begin.Add(time.Duration(seconds * float64(time.Second)))
}

// pod makes a Pod as the API server shows it.
func pod(name string, s size, ready bool) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}}
	p.Spec.Containers = containersOf(s)
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: containerName}}
	if ready {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	}
	return p
}

func deployment(s size, revision string) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{
		Name: "memhog", Annotations: map[string]string{"deployment.kubernetes.io/revision": revision},
	}}
	d.Spec.Template.Spec.Containers = containersOf(s)
	return d
}

func containersOf(s size) []corev1.Container {
	list := func(bytes int64) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceMemory: *resource.NewQuantity(bytes, resource.BinarySI)}
	}
	return []corev1.Container{{
		Name: containerName, Resources: corev1.ResourceRequirements{Requests: list(s.request), Limits: list(s.limit)},
	}}
}

// rescued is the record of a rescue: 2 MiB/s from 203 MiB, decided at 52 s, the new Pod Ready at 54.5 s.
func rescued() *record {
	r := newRecord(begin, false, 0.75, before, goal)
	r.sawDeployment(after(0), deployment(before, "1"))
	r.sawPod(after(0.5), pod("memhog-old", before, false))
	r.sawPod(after(2), pod("memhog-old", before, true))
	for second := 2.0; second < 55; second++ {
		r.sawOwn("memhog-old", sample{after(second), 199 + 2*second})
	}
	for _, second := range []float64{6, 18, 33, 49} {
		r.sawKubelet("memhog-old", sample{after(second), 199.5 + 2*second})
		r.sawKubelet("memhog-old", sample{after(second), 199.5 + 2*second}) // served twice
	}
	r.sawDeployment(after(52), deployment(goal, "1"))
	for _, second := range []float64{52.1, 53} { // the second time it is an update
		r.sawEvent(after(second), &corev1.Event{
			Type: corev1.EventTypeNormal, Reason: "AboveThreshold",
			InvolvedObject: corev1.ObjectReference{Kind: "Deployment", Name: "memhog"},
			Message:        "raised memory of container memhog from 256Mi/384Mi to 512Mi/768Mi",
		})
	}
	r.sawEvent(after(52.2), &corev1.Event{
		Type: corev1.EventTypeNormal, Reason: "Scheduled", InvolvedObject: corev1.ObjectReference{Kind: "Pod"},
	})
	r.sawDeployment(after(52.3), deployment(goal, "2"))
	r.sawPod(after(52.4), pod("memhog-new", goal, false))
	r.sawPod(after(54.5), pod("memhog-new", goal, true))
	r.sawPodGone(after(55), "memhog-old")
	for second := 54.0; second < 60; second++ {
		r.sawOwn("memhog-new", sample{after(second), 203 + 2*(second-54)})
	}
	return r
}

// holding makes a Pod that asks for one size, and of which the kubelet says that it has another.
func holding(asks, has size) *corev1.Pod {
	p := pod("memhog-1", asks, true)
	resources := containersOf(has)[0].Resources
	p.Status.ContainerStatuses[0] = corev1.ContainerStatus{
		Name: containerName, Resources: &resources, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	}
	return p
}

// resized is the record of a rescue in place: 10 MiB/s from 200 MiB, raised at 10 s after the threshold, and at 30 s
// before it.
func resized() *record {
	r := newRecord(begin, true, 0.75, before, goal, twice)
	r.sawDeployment(after(0), deployment(before, "1"))
	r.sawPod(after(0.5), pod("memhog-1", before, false))
	r.sawPod(after(1), holding(before, before))
	for second := 1.0; second < 60; second++ {
		r.sawOwn("memhog-1", sample{after(second), 200 + 10*second})
	}
	r.sawKubelet("memhog-1", sample{after(9), 290})
	r.sawPod(after(10), holding(goal, before))
	r.sawPod(after(10.04), holding(goal, goal))
	r.sawPod(after(30), holding(twice, goal))
	r.sawPod(after(30.06), holding(twice, twice))
	r.end = after(60)
	return r
}

func TestOutcomeOfARescueInPlace(t *testing.T) {
	r := resized()
	o := r.outcome()
	want := "memhog rescued: 256Mi/384Mi → 512Mi/768Mi (crossing → decision 1.2 s; decision → in force 40 ms)" +
		" → 1Gi/1536Mi (foreseen before the threshold was reached; decision → in force 60 ms)" +
		"; OOM kills 0; restarts 0; rollouts 0"
	if got := o.String(); got != want {
		t.Errorf("outcome\n%s\nwant\n%s", got, want)
	}
	if err := o.verdict(); err != nil || !r.finished() {
		t.Errorf("verdict: %v; finished: %v", err, r.finished())
	}
	var limits []float64
	for _, s := range r.served(r.end) {
		limits = append(limits, s.size.limitMiB(), s.from.Sub(begin).Seconds(), s.to.Sub(begin).Seconds())
	}
	if diff := cmp.Diff([]float64{384, 0, 10.04, 768, 10.04, 30.06, 1536, 30.06, 60}, limits); diff != "" {
		t.Errorf("limits, from, to (-want +got):\n%s", diff)
	}
}

func TestOutcomeOfARescue(t *testing.T) {
	r := rescued()
	if !r.finished() {
		t.Error("the rescue is not finished")
	}
	o := r.outcome()
	// 287 MiB at 44 s and 289 MiB at 45 s.
	if want := after(44.5); !o.raises[0].crossed.Equal(want) {
		t.Errorf("crossed at %v, want %v", o.raises[0].crossed, want)
	}
	want := "memhog rescued: 256Mi/384Mi → 512Mi/768Mi (crossing → decision 7.5 s; decision → new Pod Ready 2.5 s); " +
		"OOM kills 0; restarts 0; rollouts 1"
	if got := o.String(); got != want {
		t.Errorf("outcome\n%s\nwant\n%s", got, want)
	}
	if err := o.verdict(); err != nil {
		t.Errorf("verdict: %v", err)
	}
}

func TestVerdictNamesWhatIsMissing(t *testing.T) {
	tests := []struct {
		reason string
		record func() *record
		want   string
	}{
		{
			reason: "nothing happened",
			record: func() *record { return newRecord(begin, false, 0.75, before, goal) },
			want:   "memhog's memory never reached the threshold",
		},
		{
			reason: "the threshold was reached, and the operator slept",
			record: func() *record {
				r := newRecord(begin, false, 0.75, before, goal)
				r.sawPod(after(1), pod("a", before, true))
				r.sawOwn("a", sample{after(2), 300})
				return r
			},
			want: "the Deployment was not raised: it still stands at 256Mi/384Mi",
		},
		{
			reason: "raised to something else",
			record: func() *record {
				r := rescued()
				r.sawDeployment(after(58), deployment(size{1024 * mib, 1536 * mib}, "3"))
				return r
			},
			want: "the Deployment was raised 256Mi/384Mi → 512Mi/768Mi → 1Gi/1536Mi, not 256Mi/384Mi → 512Mi/768Mi\n" +
				"there were 2 rollouts, not one",
		},
		{
			reason: "the new Pod never became Ready",
			record: func() *record {
				r := rescued()
				r.pod("memhog-new").ready = time.Time{}
				return r
			},
			want: "the Deployment was raised to 512Mi/768Mi, but no new Pod became Ready",
		},
		{
			reason: "the second raise in place did not come",
			record: func() *record {
				r := resized()
				r.pods[0].asked, r.pods[0].held = r.pods[0].asked[:2], r.pods[0].held[:2]
				return r
			},
			want: "the Pod was raised 256Mi/384Mi → 512Mi/768Mi, and not to 1Gi/1536Mi",
		},
		{
			reason: "the kubelet did not follow",
			record: func() *record {
				r := resized()
				r.pods[0].held = r.pods[0].held[:2]
				return r
			},
			want: "the Pod was raised to 1Gi/1536Mi, but the kubelet did not put it in force",
		},
		{
			reason: "the Pod was replaced, although it need not have been",
			record: func() *record {
				r := resized()
				r.sawDeployment(after(31), deployment(before, "2"))
				r.sawPod(after(31), pod("memhog-2", before, true))
				return r
			},
			want: "the Deployment was rolled out once",
		},
		{
			reason: "the Pod died",
			record: func() *record {
				r := resized()
				r.sawPod(after(31), pod("memhog-2", before, true))
				return r
			},
			want: "there were 2 Pods, not one",
		},
		{
			reason: "the kernel was faster",
			record: func() *record {
				r := rescued()
				killed := pod("memhog-old", before, true)
				killed.Status.ContainerStatuses[0] = corev1.ContainerStatus{
					Name: containerName, RestartCount: 1,
					LastTerminationState: corev1.ContainerState{
						Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled", ContainerID: "c1"},
					},
				}
				r.sawPod(after(50), killed)
				r.sawPod(after(51), killed)
				return r
			},
			want: "the kernel killed memhog once\nmemhog was restarted once",
		},
	}
	for _, test := range tests {
		t.Run(test.reason, func(t *testing.T) {
			err := test.record().outcome().verdict()
			if err == nil || err.Error() != test.want {
				t.Errorf("verdict\n%v\nwant\n%s", err, test.want)
			}
		})
	}
}

func TestServingPodChangesWhenTheNewOneIsReady(t *testing.T) {
	r := rescued()
	for second, want := range map[float64]string{0: "memhog-old", 54: "memhog-old", 54.5: "memhog-new", 70: "memhog-new"} {
		if got := r.serving(after(second)).name; got != want {
			t.Errorf("at %v s %s serves, want %s", second, got, want)
		}
	}
}

func TestSamplesAreKeptOnceAndInOrder(t *testing.T) {
	r := rescued()
	if got := len(r.pod("memhog-old").kubelet); got != 4 {
		t.Errorf("%d samples of the kubelet, want 4", got)
	}
	r.sawOwn("memhog-old", sample{after(10.5), 220})
	own := r.pod("memhog-old").own
	for i := range own[1:] {
		if !own[i].at.Before(own[i+1].at) {
			t.Fatalf("samples %d and %d are out of order", i, i+1)
		}
	}
}

func TestNewsLeaveOutWhatIsOrdinary(t *testing.T) {
	var told []string
	for _, n := range rescued().news {
		told = append(told, n.text)
	}
	want := strings.Join([]string{
		"Pod/memhog-old created with 256Mi/384Mi",
		"Pod/memhog-old is Ready",
		"Deployment/memhog now asks for 512Mi/768Mi, not 256Mi/384Mi",
		"Deployment/memhog AboveThreshold: raised memory of container memhog from 256Mi/384Mi to 512Mi/768Mi",
		"Pod/memhog-new created with 512Mi/768Mi",
		"Pod/memhog-new is Ready",
		"Pod/memhog-old is gone",
	}, "\n")
	if got := strings.Join(told, "\n"); got != want {
		t.Errorf("news\n%s\nwant\n%s", got, want)
	}
}

func TestSizeTimesRoundsUpToMi(t *testing.T) {
	for multiplier, want := range map[float64]string{2: "512Mi/768Mi", 1.5: "384Mi/576Mi", 1.001: "257Mi/385Mi"} {
		if got := before.times(multiplier).String(); got != want {
			t.Errorf("256Mi/384Mi × %v = %s, want %s", multiplier, got, want)
		}
	}
}

func TestARescueMayComeBeforeTheThreshold(t *testing.T) {
	foreseen := raise{from: before, to: goal, decided: after(40), done: after(42.5)}
	want := "memhog rescued: 256Mi/384Mi → 512Mi/768Mi (foreseen before the threshold was reached; " +
		"decision → new Pod Ready 2.5 s); OOM kills 0; restarts 0; rollouts 1"
	for _, crossed := range []time.Time{{}, after(41)} {
		foreseen.crossed = crossed
		o := outcome{raises: []raise{foreseen}, asked: []size{before, goal}, pods: 2, rollouts: 1}
		if err := o.verdict(); err != nil {
			t.Errorf("verdict: %v", err)
		}
		if got := o.String(); got != want {
			t.Errorf("outcome\n%s\nwant\n%s", got, want)
		}
	}
}
