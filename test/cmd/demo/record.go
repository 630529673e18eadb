package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// sample is an amount of memory at a time.
type sample struct {
	at  time.Time
	mib float64
}

// podRecord is what was seen of one Pod.
type podRecord struct {
	name  string
	asked course    // what its spec asks for
	held  course    // what it has: what its spec asked for at first, and then what the kubelet says is in force
	ready time.Time // when it was first seen Ready
	gone  time.Time // when it was seen to be deleted
	// own is memhog's resident memory as it logs it every second, which is the freshest there is.
	own []sample
	// kubelet is the working set as the kubelet measured it, which is what the operator acts on. The times are the
	// kubelet's.
	kubelet []sample
	// kernel is the working set as the kernel counts it, and limits are the limits that it has, in MiB, each from when it
	// was first seen. Both are empty where the kernel cannot be seen.
	kernel, limits []sample
	restarts       int32
}

// news is something that happened, worth a line.
type news struct {
	at   time.Time
	text string
}

// record is all that was seen of the story. One goroutine owns it.
type record struct {
	begin     time.Time // when the Deployment was applied
	end       time.Time // when there was nothing more to see
	inPlace   bool      // the Pod is to be resized, and the Deployment left as it is
	plan      []size    // the size before, and what it is to be raised to, one after the other
	threshold float64   // as a fraction of the limit
	reader    string    // who reads the kubelet's samples; nobody where an agent looks for itself

	template course // what the Deployment's template asks for
	news     []news
	pods     []*podRecord // in the order of appearance

	firstRevision, revision int
	oomKilled               map[string]bool // by container ID
}

func newRecord(begin time.Time, inPlace bool, threshold float64, plan ...size) *record {
	return &record{
		begin: begin, inPlace: inPlace, plan: plan, threshold: threshold, reader: "the operator",
		template: course{{begin, plan[0]}}, oomKilled: map[string]bool{},
	}
}

// goal is the size that the story ends with.
func (r *record) goal() size { return r.plan[len(r.plan)-1] }

func (r *record) tell(at time.Time, format string, args ...any) {
	r.news = append(r.news, news{at, fmt.Sprintf(format, args...)})
}

// sawDeployment takes note of a new size and of a new revision, which stands for a rollout.
func (r *record) sawDeployment(at time.Time, d *appsv1.Deployment) {
	last := r.template.at(at)
	if now := sizeIn(d.Spec.Template.Spec.Containers); r.template.add(at, now) {
		r.tell(at, "Deployment/%s now asks for %s, not %s", d.Name, now, last)
	}
	revision, err := strconv.Atoi(d.Annotations["deployment.kubernetes.io/revision"])
	if err != nil {
		return // the Deployment's controller has not seen it yet
	}
	if r.firstRevision == 0 {
		r.firstRevision = revision
	}
	r.revision = max(r.revision, revision)
}

// sawPod takes note of sizes, readiness, restarts and OOM kills.
func (r *record) sawPod(at time.Time, p *corev1.Pod) {
	asks := sizeIn(p.Spec.Containers)
	pod := r.pod(p.Name)
	if pod == nil {
		pod = &podRecord{name: p.Name, held: course{{at, asks}}}
		r.pods = append(r.pods, pod)
		r.tell(at, "Pod/%s created with %s", p.Name, asks)
	}
	pod.asked.add(at, asks)
	if has, known := sizeInForce(p); known && pod.held.add(at, has) {
		r.tell(at, "Pod/%s now has %s, in place", p.Name, has)
	}
	if pod.ready.IsZero() && isReady(p) {
		pod.ready = at
		r.tell(at, "Pod/%s is Ready", p.Name)
	}
	for _, status := range p.Status.ContainerStatuses {
		pod.restarts = max(pod.restarts, status.RestartCount)
		for _, state := range []corev1.ContainerState{status.State, status.LastTerminationState} {
			if end := state.Terminated; end != nil && end.Reason == "OOMKilled" && !r.oomKilled[end.ContainerID] {
				r.oomKilled[end.ContainerID] = true
				r.tell(at, "Pod/%s: container %s was OOM-killed", p.Name, status.Name)
			}
		}
	}
}

func (r *record) sawPodGone(at time.Time, name string) {
	if pod := r.pod(name); pod != nil && pod.gone.IsZero() {
		pod.gone = at
		r.tell(at, "Pod/%s is gone", name)
	}
}

// sawEvent passes on what is said of the Deployment and of the AppMonitor, and every warning.
func (r *record) sawEvent(at time.Time, e *corev1.Event) {
	about := e.InvolvedObject.Kind
	if e.Reason == "MissingClusterDNS" {
		return // the cluster that the demo starts has none, and nobody in the story needs it
	}
	if e.Type == corev1.EventTypeNormal && about != "AppMonitor" && about != "Deployment" {
		return
	}
	text := fmt.Sprintf("%s/%s %s: %s", about, e.InvolvedObject.Name, e.Reason, e.Message)
	if !slices.ContainsFunc(r.news, func(n news) bool { return n.text == text }) { // an Event is updated when it recurs
		r.tell(at, "%s", text)
	}
}

// sawOwn takes a line of memhog's own log.
func (r *record) sawOwn(name string, s sample) {
	if pod := r.pod(name); pod != nil {
		pod.own = insert(pod.own, s)
	}
}

// sawKubelet takes a sample of the kubelet's, which it serves again until it has a newer one.
func (r *record) sawKubelet(name string, s sample) {
	if pod := r.pod(name); pod != nil {
		pod.kubelet = insert(pod.kubelet, s)
	}
}

// sawKernel takes what the kernel says of a container.
func (r *record) sawKernel(name string, used, limit sample) {
	pod := r.pod(name)
	if pod == nil {
		return
	}
	pod.kernel = append(pod.kernel, used)
	if n := len(pod.limits); n == 0 || pod.limits[n-1].mib != limit.mib {
		pod.limits = append(pod.limits, limit)
	}
}

// finest are the samples that tell best how much memory the Pod had when.
func (p *podRecord) finest() []sample {
	if len(p.kernel) > 0 {
		return p.kernel
	}
	return p.own
}

// enforced is when the Pod first had a size, by the kernel's limit where that can be seen, and else by the kubelet's word.
func (p *podRecord) enforced(s size) time.Time {
	if len(p.limits) == 0 {
		return p.held.reached(s)
	}
	i := slices.IndexFunc(p.limits, func(l sample) bool { return l.mib == s.limitMiB() })
	if i < 0 {
		return time.Time{}
	}
	return p.limits[i].at
}

// insert keeps samples in the order of time, each once.
func insert(samples []sample, s sample) []sample {
	i, found := slices.BinarySearchFunc(samples, s, func(a, b sample) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	if found {
		return samples
	}
	return slices.Insert(samples, i, s)
}

func (r *record) pod(name string) *podRecord {
	i := slices.IndexFunc(r.pods, func(p *podRecord) bool { return p.name == name })
	if i < 0 {
		return nil
	}
	return r.pods[i]
}

// serving is the Pod that does the work at a time: the last one that became Ready by then, else the first.
func (r *record) serving(at time.Time) *podRecord {
	for _, s := range slices.Backward(r.served(at)) {
		if !s.from.After(at) {
			return s.pod
		}
	}
	return nil
}

// service is a time during which a Pod of a size was the one that served.
type service struct {
	pod      *podRecord
	size     size
	from, to time.Time
}

// served lists who served when and with which size, from the beginning to end.
func (r *record) served(end time.Time) []service {
	var list []service
	for i, pod := range r.pods {
		from := pod.ready
		if i == 0 {
			from = r.begin
		}
		if from.IsZero() {
			continue
		}
		if i > 0 {
			list[len(list)-1].to = from
		}
		list = append(list, service{pod, pod.held.at(from), from, end})
		for _, s := range pod.held[1:] {
			if s.at.After(from) && !s.at.After(end) {
				list[len(list)-1].to = s.at
				list = append(list, service{pod, s.size, s.at, end})
			}
		}
	}
	return list
}

// latest is the newest sample up to a time.
func latest(samples []sample, at time.Time) (sample, bool) {
	for _, s := range slices.Backward(samples) {
		if !s.at.After(at) {
			return s, true
		}
	}
	return sample{}, false
}

func isReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
