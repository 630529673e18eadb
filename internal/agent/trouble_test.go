package agent

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// says fails the test unless the agent's last word has a reason.
func (w *world) says(reason string) {
	w.t.Helper()
	if n := len(w.told); n == 0 || w.told[n-1].Reason != reason {
		w.t.Fatalf("told %+v, want %s at last", w.told, reason)
	}
}

// grows lets use grow for a while, in steps of 10 ms.
func (w *world) grows(g *fakeGroup, perSecond int64, d time.Duration) {
	w.t.Helper()
	for range d / shortest {
		g.used += perSecond / 100
		w.later(shortest)
	}
}

func TestAResizeThatHangsRaisesNobodyElse(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	w.pod("hangs", 300)
	other, memory := w.pod("other", 100)
	w.later(time.Minute)
	w.grows(memory, 100*mebibyte, 200*time.Millisecond)
	w.wants(other, "256Mi/384Mi")
}

func TestAFailureIsForgottenWhenNobodyWaits(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	_, memory := w.pod("memhog", 300)
	w.refusal = errors.New("connection refused")
	w.later(time.Second)
	memory.used, w.refusal = 100*mebibyte, nil
	w.later(2*lowestSpan + trusted)
	w.says(ReasonKeepsGuarantee)
	if got := w.agent.latency.now(w.clock.Now()); got != usualLatency {
		t.Errorf("the next resize is taken to take %s, want %s", got, usualLatency)
	}
}

func TestWhatWasTakenBackIsNotWaitedFor(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	pod, memory := w.pod("memhog", 300)
	w.turn()
	w.wants(pod, "512Mi/768Mi")
	memory.used = 100 * mebibyte
	p := w.fresh(pod)
	p.Generation++
	p.Spec.Containers[0].Resources.Limits[corev1.ResourceMemory] = resource.MustParse("384Mi")
	must(t, w.client.Update(t.Context(), p))
	w.later(time.Second)
	if n := len(w.agent.latency.waiting); n > 0 {
		t.Errorf("%d resizes are waited for", n)
	}
}

func TestWhatANodeHasNoRoomForIsHalvedWhenItWasTakenBack(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	pod, _ := w.pod("memhog", 300)
	w.turn()
	w.defers(pod)
	w.later(time.Second)
	if c := w.watched(pod); len(c.raises) > 0 || c.target > 0 {
		t.Errorf("%d raises are counted of what came to nothing, and %d bytes awaited", len(c.raises), c.target)
	}
	w.resizes(pod, workload.FieldManager, "256Mi", "384Mi") // the operator withdraws it
	w.later(time.Second)
	w.wants(pod, "384Mi/576Mi")
}

func TestAPodThatOptsOutWhileItIsRaisedIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	pod, memory := w.pod("memhog", 200)
	w.turn()
	p := w.fresh(pod)
	p.Generation++ // as if something else of it had been changed, too
	p.Annotations = nil
	must(t, w.client.Update(t.Context(), p))
	memory.used = 300 * mebibyte
	w.clock.Step(time.Second)
	w.agent.lookAtDue(t.Context())
	for w.asking() {
		w.agent.answered(<-w.agent.answers)
	}
	w.later(time.Second)
	if w.asked > 1 || len(w.agent.queue) > 0 {
		t.Errorf("it was asked for %d resizes, and %d containers are to be looked at", w.asked, len(w.agent.queue))
	}
}

func TestNothingIsPromisedOfWhatCannotBeSeen(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	w.pod("memhog", 100)
	delete(w.kernel, "containerd://memhog")
	w.turn()
	w.says(ReasonKeepsGuarantee) // it may have ended a moment ago
	w.later(blindAfter + 2*time.Second)
	w.says(ReasonCannotRead)
	w.kernel["containerd://memhog"] = &fakeGroup{used: 100 * mebibyte, limit: 384 * mebibyte}
	w.later(trusted + 2*time.Second)
	w.says(ReasonKeepsGuarantee)
}

func TestNothingIsPromisedWhereNothingCanBeResized(t *testing.T) {
	w := newWorld(t)
	n := &corev1.Node{}
	n.Name = node
	must(t, w.client.Get(t.Context(), client.ObjectKeyFromObject(n), n))
	n.Status.NodeInfo.KubeletVersion = "v1.32.0"
	must(t, w.client.Status().Update(t.Context(), n))
	w.turn()
	w.says(ReasonCannotResize)
}

func TestNothingIsSaidBeforeAnythingIsKnown(t *testing.T) {
	w := newWorld(t)
	w.agent.server.Store(nil)
	w.agent.assess(w.clock.Now())
	w.turn()
	if len(w.told) > 0 {
		t.Errorf("told %+v", w.told)
	}
}

// forbidden is an answer of the API server that says no, for a reason.
func forbidden(message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: message,
	}}
}

// noPermission is what it says to an account that may not resize, or while it does not know yet who may.
var noPermission = forbidden(`pods "memhog" is forbidden: User "agent" cannot patch resource "pods/resize" in API group ""`)

func TestADenialConcernsOnePodAMissingPermissionAll(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	w.pod("memhog", 300)
	w.refusal = forbidden(`admission webhook "no.example.com" denied the request`)
	w.later(10 * time.Second)
	w.says(ReasonKeepsGuarantee)
	if w.asked > 5 {
		t.Errorf("it was asked %d times in 10 s, want pauses that grow", w.asked)
	}
	w.restart()
	w.told, w.refusal = nil, noPermission
	w.later(time.Second)
	w.says(ReasonCannotResize)
}

func TestAMissingPermissionIsForgottenWhenItIsThereOrNotNeeded(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	pod, memory := w.pod("memhog", 300)
	w.refusal = errors.New("connection refused")
	w.later(10 * time.Second)
	w.refusal = noPermission
	w.later(2 * time.Second)
	w.says(ReasonCannotResize)
	memory.used = 100 * mebibyte
	w.later(2*lowestSpan + trusted)
	w.says(ReasonKeepsGuarantee)
	memory.used = 300 * mebibyte
	w.later(time.Second)
	w.refusal = nil
	w.later(firstDenial + time.Second)
	w.wants(pod, "512Mi/768Mi")
}

func TestWhatIsSeenTooLateIsAskedForInPauses(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	w.pod("memhog", 300)
	w.refusal = &apierrors.StatusError{ErrStatus: metav1.Status{ // a test of the patch has failed
		Status: metav1.StatusFailure, Code: http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid,
	}}
	w.later(10 * time.Second)
	if w.asked > 30 {
		t.Errorf("it was asked %d times in 10 s", w.asked)
	}
	if len(w.agent.latency.took) > 0 {
		t.Errorf("%v were measured", w.agent.latency.took)
	}
}

func TestSmallLimitsAreNotPromisedAnything(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	_, memory := w.pod("small", 20, func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Limits[corev1.ResourceMemory] = resource.MustParse("100Mi")
		p.Spec.Containers[0].Resources.Requests[corev1.ResourceMemory] = resource.MustParse("50Mi")
		p.Status.ContainerStatuses[0].Resources = p.Spec.Containers[0].Resources.DeepCopy()
	})
	memory.limit = 100 * mebibyte
	w.later(time.Second)
	w.says(ReasonKeepsGuarantee)
}

func TestTheGrowthBudgetOutlivesTheAgent(t *testing.T) {
	w := newWorld(t)
	w.monitor(func(m *v1.AppMonitor) { m.Spec.GrowthBudget = &v1.GrowthBudget{Raises: ptr.To[int32](1)} })
	pod, memory := w.pod("memhog", 300)
	w.turn()
	w.actuate(pod)
	p := w.fresh(pod)
	p.ManagedFields = w.resizedBy(workload.AgentFieldManager)
	w.agent.containers = map[slot]*container{}
	w.restart()
	must(t, w.agent.readRules(t.Context()))
	w.agent.adopt(p, w.clock.Now())
	memory.used = 700 * mebibyte
	w.clock.Step(time.Second)
	w.agent.lookAtDue(t.Context())
	if w.asking() {
		t.Error("it is raised beyond its growth budget")
	}
}

func TestTwoThatCrossAtOnceShareWhatTheNodeHas(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	n := &corev1.Node{}
	n.Name = node
	must(t, w.client.Get(t.Context(), client.ObjectKeyFromObject(n), n))
	n.Status.Allocatable[corev1.ResourceMemory] = resource.MustParse("900Mi") // 388Mi more than both request
	must(t, w.client.Status().Update(t.Context(), n))
	one, _ := w.pod("one", 300)
	other, _ := w.pod("other", 300)
	w.turn()
	total := int64(0)
	for _, p := range []*corev1.Pod{w.fresh(one), w.fresh(other)} {
		request := p.Spec.Containers[0].Resources.Requests.Memory().Value()
		if request <= 256*mebibyte {
			t.Errorf("Pod %s was given nothing", p.Name)
		}
		total += request
	}
	if total > 900*mebibyte {
		t.Errorf("%dMi are requested of 900Mi", total/mebibyte)
	}
}

func TestWhatTheCacheDoesNotShowYetIsTaken(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	w.stranger("15616Mi") // 256Mi are left beside both
	one, _ := w.pod("one", 300)
	other, memory := w.pod("other", 100)
	w.shows[one.UID] = w.fresh(one)
	w.turn()
	w.wants(one, "512Mi/768Mi")
	memory.used = 300 * mebibyte
	w.later(time.Second)
	w.wants(other, "256Mi/384Mi")
}

func TestWhatWasInheritedAndCameToNothingIsNotSpent(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	pod, _ := w.pod("memhog", 300)
	w.lost = true
	w.turn()
	w.lost = false
	w.later(100 * time.Millisecond)
	c := w.watched(pod)
	if len(c.raises) != 1 {
		t.Fatalf("%d raises are counted, want one", len(c.raises))
	}
	w.defers(pod)
	w.later(time.Second)
	if len(c.raises) != 0 {
		t.Errorf("%d raises are counted, want none", len(c.raises))
	}
}

func TestWhatIsGoneIsForgotten(t *testing.T) {
	w := newWorld(t)
	w.monitor(func(m *v1.AppMonitor) { m.Spec.Mode = v1.ModeDryRun })
	pod, _ := w.pod("memhog", 100)
	w.turn()
	must(t, w.client.Delete(t.Context(), pod))
	w.turn()
	if a := w.agent; len(a.containers)+len(a.versions)+len(a.takes)+len(a.queue) > 0 {
		t.Errorf("%d containers, %d versions, %d requests and %d in the queue are left",
			len(a.containers), len(a.versions), len(a.takes), len(a.queue))
	}
}

func TestALeakBesideCachesIsHeldToItsBudget(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	pod, memory := w.pod("memhog", 287, func(p *corev1.Pod) {
		p.Annotations[v1.WorkloadAnnotation] = spentBudget
	})
	minutes := func(n int) {
		for range n {
			w.clock.Step(time.Minute)
			w.turn()
		}
	}
	minutes(2) // below the threshold it does not matter what it is used for
	memory.used, memory.cache = 380*mebibyte, 250*mebibyte
	minutes(4 * 60)
	memory.cache = 90 * mebibyte
	minutes(1)
	w.wants(pod, "256Mi/384Mi")
}

func TestANodeThatHasNoRoomIsAskedLessAndLess(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	pod, _ := w.pod("memhog", 300)
	var late int
	for second := range 30 * 60 {
		w.clock.Step(time.Second)
		w.turn()
		if w.fresh(pod).Spec.Containers[0].Resources.Limits.Memory().Value() > 384*mebibyte {
			w.withdraws(pod)
			w.turn()
		}
		if second == 15*60 {
			late = w.asked
		}
	}
	if late = w.asked - late; late > 12 {
		t.Errorf("it was asked %d times in a quarter of an hour, the second", late)
	}
}

func TestRoomThatBecomesFreeIsSeenWhereTheKubeletHadNone(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	other := w.stranger("15616Mi") // 512Mi are left, of which the kubelet keeps some for what the API server does not show
	pod, _ := w.pod("memhog", 300)
	for w.turn(); w.fresh(pod).Spec.Containers[0].Resources.Limits.Memory().Value() > 384*mebibyte; w.later(time.Second) {
		w.withdraws(pod)
	}
	w.later(time.Second)
	w.wants(pod, "256Mi/384Mi")
	must(t, w.client.Delete(t.Context(), other))
	w.later(time.Second)
	w.wants(pod, "512Mi/768Mi")
}

func TestALoweringIsFollowed(t *testing.T) {
	w := newWorld(t)
	w.monitor(func(m *v1.AppMonitor) { m.Spec.Cooldown = &metav1.Duration{} })
	pod, memory := w.pod("memhog", 300)
	w.turn()
	w.actuate(pod)
	w.later(time.Second)
	memory.used = 50 * mebibyte
	w.resizes(pod, workload.FieldManager, "128Mi", "192Mi") // the operator lowers what is idle
	w.later(time.Second)
	w.resizes(pod, "kubectl", "170Mi", "256Mi")
	w.later(time.Second)
	memory.used = 200 * mebibyte
	w.later(time.Second)
	w.wants(pod, "340Mi/512Mi") // nobody has put back what the agent gave
	c := w.watched(pod)
	if n := len(c.raises); n != 2 {
		t.Errorf("%d raises are counted, want both", n)
	}
}

func TestARaiseWhoseAnswerIsLostIsTheAgentsOwn(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	pod, _ := w.pod("memhog", 300)
	w.lost = true
	w.turn()
	w.wants(pod, "512Mi/768Mi")
	w.lost = false
	w.actuate(pod)
	w.later(time.Second)
	c := w.watched(pod)
	if n := len(c.raises); n != 1 {
		t.Errorf("%d raises are counted, want one", n)
	}
	w.resizes(pod, "argocd", "256Mi", "384Mi")
	w.later(time.Second)
	w.wants(pod, "256Mi/384Mi") // somebody has put it back, and is not fought
}

func TestARaiseThatTheCacheHasBeforeItsAnswerIsLostIsTheAgentsOwn(t *testing.T) {
	for _, answer := range []error{errors.New("connection reset by peer"), workload.ErrChanged} { // the latter to a second try
		w := newWorld(t)
		w.monitor()
		w.agent.RulesChanged()
		pod, _ := w.pod("memhog", 300)
		w.lost = true
		must(t, w.agent.sync(t.Context()))
		w.agent.lookAtDue(t.Context())
		lost := <-w.agent.answers
		must(t, w.agent.sync(t.Context()))
		lost.err = answer
		w.agent.answered(lost)
		must(t, w.agent.sync(t.Context()))
		if n := len(w.watched(pod).raises); n != 1 {
			t.Errorf("%v: %d raises are counted, want one", answer, n)
		}
	}
}

func TestADenialIsLoggedOnce(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	var logged int
	w.agent.Log = funcr.New(func(_, text string) {
		if strings.Contains(text, "denied") {
			logged++
		}
	}, funcr.Options{})
	pod, _ := w.pod("memhog", 300)
	w.refusal = forbidden(`admission webhook "no.example.com" denied the request`)
	w.later(30 * time.Second)
	if logged != 1 || w.asked < 3 {
		t.Errorf("logged %d times, asked %d times", logged, w.asked)
	}
	w.refusal = nil
	w.later(lastDenial)
	w.wants(pod, "512Mi/768Mi")
}

func TestAWebhookThatIsAwayConcernsOnePod(t *testing.T) {
	w := newWorld(t)
	w.monitor()
	pod, _ := w.pod("memhog", 300)
	w.refusal = apierrors.NewInternalError(errors.New(`failed calling webhook "sizes.example.com": connection refused`))
	w.later(10 * time.Second)
	w.says(ReasonKeepsGuarantee)
	if n := len(w.agent.latency.waiting); n > 0 {
		t.Errorf("%d resizes are waited for", n)
	}
	w.refusal = nil
	w.later(lastOutage)
	w.wants(pod, "512Mi/768Mi")
}
