package operand

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// reporting is a Pod of an agent on the node n that is Ready, or not, and says of itself what it does.
func reporting(name string, ready, keeps corev1.ConditionStatus) corev1.Pod {
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{NodeName: "n"}}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}
	if keeps != "" {
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{
			Type: v1.AgentKeepsGuarantee, Status: keeps, Reason: "Said", Message: "by " + name,
		})
	}
	return pod
}

func going(pod corev1.Pod) corev1.Pod {
	pod.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	return pod
}

func waiting(pod corev1.Pod, reason, message string) corev1.Pod {
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}},
	}}
	return pod
}

func TestWhatIsKnownOfAnAgent(t *testing.T) {
	kept := Agent{Ready: true, Keeps: corev1.ConditionTrue, Reason: "Said", Message: "by a"}
	tests := []struct {
		reason string
		pods   []corev1.Pod
		want   Agent
		keeps  bool
	}{
		{"it keeps the guarantee", []corev1.Pod{reporting("a", "True", "True")}, kept, true},
		{
			"it does not", []corev1.Pod{reporting("a", "True", "False")},
			Agent{Ready: true, Keeps: corev1.ConditionFalse, Reason: "Said", Message: "by a"}, false,
		},
		{"it has not said anything yet", []corev1.Pod{reporting("a", "True", "")}, Agent{Ready: true}, false},
		{
			"what it said before it stopped does not count", []corev1.Pod{reporting("a", "False", "True")},
			Agent{Keeps: corev1.ConditionTrue}, false,
		},
		{
			"it cannot start", []corev1.Pod{waiting(reporting("a", "False", ""), "ImagePullBackOff", "no such image")},
			Agent{Reason: "ImagePullBackOff", Message: "no such image"}, false,
		},
		{"one that goes does not count", []corev1.Pod{going(reporting("a", "True", "True"))}, Agent{Keeps: corev1.ConditionTrue}, false},
		{
			"its successor does, whichever comes first",
			[]corev1.Pod{reporting("a", "True", "True"), going(reporting("b", "True", "False"))}, kept, true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			got, found := Status{agents: agentsOf(tt.pods)}.Agent("n")
			if diff := cmp.Diff(tt.want, got); diff != "" || !found {
				t.Errorf("%s, found %t (-want +got):\n%s", tt.reason, found, diff)
			}
			if got.KeepsGuarantee() != tt.keeps {
				t.Errorf("%s, but KeepsGuarantee is %t", tt.reason, !tt.keeps)
			}
		})
	}
	if _, found := (Status{agents: agentsOf([]corev1.Pod{{}})}).Agent(""); found {
		t.Error("a Pod that has no node is the agent of one")
	}
}

func TestWhetherAnAgentMayAct(t *testing.T) {
	impossible := Status{Known: true, Wanted: true, Obstacle: "the namespace"}
	unseen := impossible
	unseen.Unseen = true
	tests := []struct {
		reason string
		status Status
		want   bool
	}{
		{"nobody has looked yet", Status{Wanted: true}, true},
		{"nothing is in the way", Status{Known: true, Wanted: true}, true},
		{"there can be none, and there is none", impossible, false},
		{"there can be none, but one is left", impossible.With("n", Agent{}), true},
		{"there can be none, and which are left cannot be read", unseen, true},
		{"they are off", Status{Known: true}, false},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			if got := tt.status.MayAct(); got != tt.want {
				t.Errorf("%s: got %t", tt.reason, got)
			}
		})
	}
}

func TestWhyAPodIsRefusedIsToldWithoutItsName(t *testing.T) {
	const text = `Error creating: pods "memhog-operator-agent-x7k2p" is forbidden: violates PodSecurity "baseline:latest": hostPath volumes`
	if got, want := unnamed(text), `Pods are forbidden: violates PodSecurity "baseline:latest": hostPath volumes`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := unnamed("no room"); got != "no room" {
		t.Errorf("got %q", got)
	}
}
