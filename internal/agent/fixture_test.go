package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"testing"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/version"
	fakediscovery "k8s.io/client-go/discovery/fake"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/json"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/cgroup"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

const (
	mebibyte = 1 << 20
	node     = "node-1"
	rate     = 256 * mebibyte
)

// spentBudget is a note of as many raises as the default growth budget allows.
const spentBudget = `{"containers":{"memhog":{"raises":["2026-06-01T11:00:00Z","2026-06-01T11:10:00Z","2026-06-01T11:20:00Z"],` +
	`"peak":{"request":"256Mi","limit":"384Mi"}}}}`

// kernel has the control groups of containers, by the runtime's ID.
type kernel map[string]*fakeGroup

func (k kernel) Open(_, id string) (group, error) {
	g := k[id]
	if g == nil {
		return nil, fmt.Errorf("group %q: %w", id, fs.ErrNotExist)
	}
	return g, nil
}

// fakeGroup is a control group whose memory a test sets, in bytes. One that has ended is gone.
type fakeGroup struct {
	used, cache, limit int64
	ended              bool
}

func (g *fakeGroup) Usage() (int64, error) { return g.used, g.gone() }

func (g *fakeGroup) Limit() (int64, error) { return g.limit, g.gone() }

func (g *fakeGroup) Memory() (cgroup.Memory, error) {
	return cgroup.Memory{Usage: g.used, InactiveFile: g.cache}, g.gone()
}

func (g *fakeGroup) Close() error { return nil }

func (g *fakeGroup) gone() error {
	if g.ended {
		return fs.ErrNotExist
	}
	return nil
}

// world is a node with an agent, an API server and a kubelet that tests play.
type world struct {
	t      *testing.T
	client client.Client
	clock  *clocktesting.FakeClock
	kernel kernel
	agent  *Agent
	told   []Guarantee
	// resizers are what Pods tell of who resized them: the API server that is played keeps no account of that.
	resizers map[types.UID][]metav1.ManagedFieldsEntry
	// rules is true when what holds for all Pods has changed.
	rules bool
	// shows are Pods that the cache has an older state of.
	shows map[types.UID]*corev1.Pod
	// refusal is what the API server answers to the next resizes; nil when it makes them.
	refusal error
	// lost is true while its answers are, and not the resizes.
	lost bool
	// asked is how many resizes it was asked for.
	asked int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	must(t, clientgoscheme.AddToScheme(scheme))
	must(t, v1.AddToScheme(scheme))
	w := &world{t: t, kernel: kernel{}, resizers: map[types.UID][]metav1.ManagedFieldsEntry{},
		shows: map[types.UID]*corev1.Pod{}, clock: clocktesting.NewFakeClock(time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC))}
	w.client = fake.NewClientBuilder().WithScheme(scheme).WithReturnManagedFields().
		WithInterceptorFuncs(interceptor.Funcs{
			SubResourcePatch: w.resize, List: w.list,
			Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
				w.changes(o)
				return c.Create(ctx, o, options...)
			},
			Update: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.UpdateOption) error {
				w.changes(o)
				return c.Update(ctx, o, options...)
			},
			SubResourceUpdate: func(ctx context.Context, c client.Client, sub string, o client.Object,
				options ...client.SubResourceUpdateOption,
			) error {
				w.changes(o)
				return c.SubResource(sub).Update(ctx, o, options...)
			},
		}).Build()
	must(t, w.client.Create(t.Context(), &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: node},
		Status: corev1.NodeStatus{
			Allocatable: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("16Gi")},
			NodeInfo:    corev1.NodeSystemInfo{KubeletVersion: "v1.37.2"},
		},
	}))
	w.restart()
	return w
}

// restart lets another agent take the place of the one that there is.
func (w *world) restart() {
	server := &fakediscovery.FakeDiscovery{Fake: &clienttesting.Fake{}, FakedServerVersion: &version.Info{GitVersion: "v1.37.2"}}
	server.Resources = []*metav1.APIResourceList{{GroupVersion: "v1", APIResources: []metav1.APIResource{{Name: "pods/resize"}}}}
	w.agent = New(Options{
		Client: w.client, Node: node, Rate: rate, Groups: w.kernel, Clock: w.clock, Log: logr.Discard(),
		Server: &workload.Discoverer{Discovery: server, Clock: w.clock},
		Report: func(g Guarantee) { w.told = append(w.told, g) },
	})
	w.agent.discover(w.t.Context())
	w.rules = true
}

// changes notes that something is written.
func (w *world) changes(o client.Object) {
	if _, isPod := o.(*corev1.Pod); !isPod {
		w.rules = true
	}
}

// list plays the cache.
func (w *world) list(ctx context.Context, from client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
	err := from.List(ctx, list, options...)
	if pods, ok := list.(*corev1.PodList); ok {
		for i := range pods.Items {
			pod := &pods.Items[i]
			if old := w.shows[pod.UID]; old != nil {
				*pod = *old.DeepCopy()
			}
			pod.ManagedFields = w.resizers[pod.UID]
		}
	}
	return err
}

// resize plays the API server.
func (w *world) resize(ctx context.Context, _ client.Client, sub string, o client.Object, p client.Patch,
	_ ...client.SubResourcePatchOption,
) error {
	w.asked++
	if w.refusal != nil {
		return w.refusal
	}
	pod := &corev1.Pod{}
	if err := w.client.Get(ctx, client.ObjectKeyFromObject(o), pod); err != nil {
		return err
	}
	text, err := p.Data(o)
	if err != nil {
		return err
	}
	patch, err := jsonpatch.DecodePatch(text)
	if err != nil {
		return err
	}
	before, err := json.Marshal(pod)
	if err != nil {
		return err
	}
	after, err := patch.Apply(before)
	if err != nil {
		return fmt.Errorf("%s: %w", sub, err)
	}
	if err := json.Unmarshal(after, pod); err != nil {
		return err
	}
	pod.Generation++
	pod.ManagedFields = []metav1.ManagedFieldsEntry{}
	w.resizers[pod.UID] = w.resizedBy(workload.AgentFieldManager)
	if err := w.client.Update(ctx, pod); err != nil {
		return err
	}
	if w.lost {
		return errors.New("connection reset by peer")
	}
	*o.(*corev1.Pod) = *pod //nolint:forcetypeassert // only Pods are resized
	return nil
}

// monitor creates an AppMonitor of 75 % and a factor of 2.
func (w *world) monitor(change ...func(*v1.AppMonitor)) *v1.AppMonitor {
	w.t.Helper()
	m := &v1.AppMonitor{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "m", UID: "m", Generation: 1}}
	m.Spec.MemThresholdPercent, m.Spec.MemMultiplier = 75, 2
	for _, c := range change {
		c(m)
	}
	must(w.t, w.client.Create(w.t.Context(), m))
	return m
}

// pod creates an annotated Pod that runs, with one container of 256Mi/384Mi that uses some memory.
func (w *world) pod(name string, used int64, change ...func(*corev1.Pod)) (*corev1.Pod, *fakeGroup) {
	w.t.Helper()
	size := corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("384Mi")},
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "team", Name: name, UID: types.UID(name), Generation: 1,
			Annotations: map[string]string{v1.MonitorAnnotation: v1.MonitorAny},
		},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "memhog", Resources: size}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{
			Name: "memhog", ContainerID: "containerd://" + name, Resources: size.DeepCopy(),
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(w.clock.Now())}},
		}}},
	}
	for _, c := range change {
		c(pod)
	}
	must(w.t, w.client.Create(w.t.Context(), pod))
	g := &fakeGroup{used: used * mebibyte, limit: 384 * mebibyte}
	w.kernel["containerd://"+name] = g
	return pod, g
}

// stranger creates a Pod of the node that nobody watches, and that requests so much.
func (w *world) stranger(request string) *corev1.Pod {
	w.t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "stranger", UID: "stranger"},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "x", Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(request)},
		}}}},
	}
	must(w.t, w.client.Create(w.t.Context(), pod))
	return pod
}

// crowd has so many calm containers that the others are looked at for their deadlines alone.
func (w *world) crowd() {
	for i := range 100 {
		w.pod(fmt.Sprint("calm-", i), 1, func(p *corev1.Pod) {
			for _, r := range []corev1.ResourceList{
				p.Spec.Containers[0].Resources.Requests, p.Status.ContainerStatuses[0].Resources.Requests,
			} {
				r[corev1.ResourceMemory] = resource.MustParse("1Mi")
			}
		})
	}
}

// turn is one round of the agent's loop, as Start has it: with the cache as it is, all answers, and all looks that are due.
func (w *world) turn() {
	w.t.Helper()
	ctx := w.t.Context()
	if w.rules {
		w.agent.RulesChanged()
		w.rules = false
	}
	must(w.t, w.agent.sync(ctx))
	w.agent.lookAtDue(ctx)
	for w.asking() {
		w.agent.answered(<-w.agent.answers)
		w.agent.lookAtDue(ctx)
	}
	w.agent.assess(w.clock.Now())
}

func (w *world) asking() bool {
	for c := range maps.Values(w.agent.containers) {
		if c.asking {
			return true
		}
	}
	return false
}

// later lets time pass in small steps, and the agent look when it wants to.
func (w *world) later(d time.Duration) {
	w.t.Helper()
	for end := w.clock.Now().Add(d); w.clock.Now().Before(end); {
		w.clock.Step(shortest)
		w.turn()
	}
}

// resizedBy is what a Pod tells of who resized its container, at this moment.
func (w *world) resizedBy(manager string) []metav1.ManagedFieldsEntry {
	return []metav1.ManagedFieldsEntry{{
		Manager: manager, Subresource: "resize", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1",
		Time: &metav1.Time{Time: w.clock.Now()}, FieldsType: "FieldsV1",
		FieldsV1: metav1.NewFieldsV1(
			`{"f:spec":{"f:containers":{"k:{\"name\":\"memhog\"}":{"f:resources":{"f:limits":{"f:memory":{}}}}}}}`),
	}}
}

// resizes lets somebody else give the container a size, and the kubelet do it.
func (w *world) resizes(pod *corev1.Pod, manager, request, limit string) {
	w.t.Helper()
	p := w.fresh(pod)
	p.Generation++
	p.Spec.Containers[0].Resources.Requests[corev1.ResourceMemory] = resource.MustParse(request)
	p.Spec.Containers[0].Resources.Limits[corev1.ResourceMemory] = resource.MustParse(limit)
	w.resizers[p.UID] = w.resizedBy(manager)
	must(w.t, w.client.Update(w.t.Context(), p))
	p.Status.Conditions = nil
	must(w.t, w.client.Status().Update(w.t.Context(), p))
	w.actuate(p)
}

// defers lets the kubelet say that it has no room for what the Pod asks for.
func (w *world) defers(pod *corev1.Pod) {
	w.t.Helper()
	p := w.fresh(pod)
	p.Status.Conditions = []corev1.PodCondition{{
		Type: corev1.PodResizePending, Status: corev1.ConditionTrue, Reason: corev1.PodReasonDeferred, ObservedGeneration: p.Generation,
	}}
	must(w.t, w.client.Status().Update(w.t.Context(), p))
}

// withdraws lets the operator take back a raise that the kubelet has no room for.
func (w *world) withdraws(pod *corev1.Pod) {
	w.t.Helper()
	w.defers(pod)
	w.turn()
	w.resizes(pod, workload.FieldManager, "256Mi", "384Mi")
}

// watched is what the agent knows of the Pod's container.
func (w *world) watched(pod *corev1.Pod) *container {
	return w.agent.containers[slot{pod: pod.UID, container: "memhog"}]
}

// actuate plays the kubelet.
func (w *world) actuate(pod *corev1.Pod) {
	w.t.Helper()
	p := w.fresh(pod)
	p.Status.ContainerStatuses[0].Resources = p.Spec.Containers[0].Resources.DeepCopy()
	w.kernel[p.Status.ContainerStatuses[0].ContainerID].limit = p.Spec.Containers[0].Resources.Limits.Memory().Value()
	must(w.t, w.client.Status().Update(w.t.Context(), p))
}

func (w *world) fresh(pod *corev1.Pod) *corev1.Pod {
	w.t.Helper()
	p := &corev1.Pod{}
	must(w.t, w.client.Get(w.t.Context(), client.ObjectKeyFromObject(pod), p))
	return p
}

// wants fails the test unless the Pod's container has a size.
func (w *world) wants(pod *corev1.Pod, size string) {
	w.t.Helper()
	r := w.fresh(pod).Spec.Containers[0].Resources
	if got := r.Requests.Memory().String() + "/" + r.Limits.Memory().String(); got != size {
		w.t.Errorf("Pod %s has %s, want %s", pod.Name, got, size)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
