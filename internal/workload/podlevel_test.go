package workload

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// whole is a Pod whose containers have a limit together.
func whole(request, limit string, containers ...corev1.Container) *corev1.PodSpec {
	r := sized("", request, limit).Resources
	return &corev1.PodSpec{Resources: &r, Containers: containers}
}

func TestContainersWithoutALimitOfTheirOwnAreLookedAtTogether(t *testing.T) {
	own, none := sized("own", "64Mi", "128Mi"), sized("none", "64Mi", "")
	for _, tt := range []struct {
		reason string
		pod    *corev1.PodSpec
		want   []string
	}{
		{"each has its own", whole("256Mi", "384Mi", own), []string{"own"}},
		{"one has none", whole("256Mi", "384Mi", own, none), []string{"own", WholePod}},
		{"nobody has", whole("256Mi", "384Mi", none), []string{WholePod}},
		{"there is no limit at all", &corev1.PodSpec{Containers: []corev1.Container{none}}, []string{"none"}},
		{"only a request is for all", whole("256Mi", "", none), []string{"none"}},
		{"a sidecar has none", &corev1.PodSpec{
			Resources: whole("1Mi", "2Mi").Resources, Containers: []corev1.Container{own},
			InitContainers: []corev1.Container{sidecar("s", "", ""), sized("first", "", "")},
		}, []string{"own", WholePod}},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			got := Containers(tt.pod)
			if len(got) != len(tt.want) {
				t.Fatalf("%s: %d containers", tt.reason, len(got))
			}
			for i, name := range tt.want {
				if got[i].Name != name {
					t.Errorf("%s: container %d is %s, want %s", tt.reason, i, got[i].Name, name)
				}
			}
		})
	}
}

func TestAWholePodGrowsWithItsContainers(t *testing.T) {
	own, none := sized("own", "128Mi", "192Mi"), sized("none", "64Mi", "")
	mi := func(request, limit int64) Size { return Size{Request: request * mebibyte, Limit: limit * mebibyte} }
	for _, tt := range []struct {
		reason string
		pod    *corev1.PodSpec
		sizes  map[string]Size
		want   Size // zero for no change
	}{
		{"by as much as one of them", whole("512Mi", "768Mi", own), map[string]Size{"own": mi(256, 384)}, mi(640, 960)},
		{"to what it is to have itself", whole("512Mi", "768Mi", none), map[string]Size{WholePod: mi(1024, 1536)}, mi(1024, 1536)},
		{"to the larger of both", whole("512Mi", "768Mi", own, none), map[string]Size{"own": mi(256, 384), WholePod: mi(520, 800)},
			mi(640, 960)},
		{"to the larger of both, the other way round", whole("512Mi", "768Mi", own, none),
			map[string]Size{"own": mi(256, 384), WholePod: mi(1024, 1536)}, mi(1024, 1536)},
		{"down again", whole("512Mi", "768Mi", none), map[string]Size{WholePod: mi(256, 384)}, mi(256, 384)},
		{"Guaranteed stays so", whole("768Mi", "768Mi", own), map[string]Size{"own": mi(256, 384)}, mi(960, 960)},
		{"Burstable, too", whole("767Mi", "768Mi", own), map[string]Size{"own": mi(1128, 1192)}, mi(1767, 1768)},
		{"no request stays none", whole("", "768Mi", own), map[string]Size{"own": mi(256, 384)}, mi(0, 960)},
		{"by nothing for one without a limit", whole("512Mi", "768Mi", none), map[string]Size{"none": mi(256, 384)}, Size{}},
		{"by nothing for nothing", whole("512Mi", "768Mi", own), nil, Size{}},
		{
			"where nothing limits the whole", &corev1.PodSpec{Containers: []corev1.Container{own}},
			map[string]Size{"own": mi(256, 384)}, Size{},
		},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			got, grows := WholeAfter(tt.pod, tt.sizes)
			if grows != (tt.want != Size{}) || grows && got != tt.want {
				t.Errorf("%s: %+v (%t), want %+v", tt.reason, got, grows, tt.want)
			}
		})
	}
}

func TestARolloutOfAWholePod(t *testing.T) {
	d := deployment(sized("none", "64Mi", ""))
	d.Spec.Template.Spec.Resources = whole("256Mi", "384Mi").Resources
	c, d, _ := stored(t, d)
	changed, err := Write(t.Context(), c, of(d), nil, []Change{{Container: WholePod, Size: two, Record: Record{Given: two}}})
	if err != nil || len(changed) != 1 || changed[0] != WholePod {
		t.Fatalf("changed %v (%v)", changed, err)
	}
	if err := c.Get(t.Context(), clientKey(d), d); err != nil {
		t.Fatal(err)
	}
	if got := of(d).Declared(WholePod); got != two {
		t.Errorf("the template says %+v", got)
	}
	if records, err := Records(d); err != nil || records[WholePod].Given != two {
		t.Errorf("recorded %+v (%v)", records, err)
	}
}
