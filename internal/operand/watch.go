package operand

import (
	"context"
	"fmt"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	apilabels "k8s.io/apimachinery/pkg/labels"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// firstRead bounds the wait for the watch's first answer: whoever may not watch waits in vain.
const firstRead = time.Minute

// watch sees the agents' objects and Pods, and nothing else. The operator's own cache may see other namespaces only, and of
// Pods it keeps what matters of workloads.
type watch struct {
	cache cache.Cache
	stop  context.CancelFunc
	// woken has an entry when something has changed.
	woken chan struct{}
}

func (k *Keeper) watch(ctx context.Context, namespace string) (*watch, error) {
	named := fields.OneTermEqualSelector(metav1.ObjectNameField, Name)
	here := map[string]cache.Config{namespace: {}}
	pods := apilabels.SelectorFromSet(labels())
	kinds := map[client.Object]cache.ByObject{
		&appsv1.DaemonSet{}:                             {Namespaces: here, Field: named},
		&corev1.Pod{}:                                   {Namespaces: here, Label: pods, Transform: stripAgent},
		&admissionv1.ValidatingAdmissionPolicy{}:        {Field: named},
		&admissionv1.ValidatingAdmissionPolicyBinding{}: {Field: named},
	}
	seen, err := cache.New(k.Config, cache.Options{
		Scheme: k.scheme, ByObject: kinds, DefaultTransform: cache.TransformStripManagedFields(), ReaderFailOnMissingInformer: true,
	})
	if err != nil {
		return nil, fmt.Errorf("make a cache of the agents: %w", err)
	}
	inner, stop := context.WithCancel(ctx)
	w := &watch{cache: seen, stop: stop, woken: make(chan struct{}, 1)}
	for kind := range kinds {
		informer, err := seen.GetInformer(inner, kind, cache.BlockUntilSynced(false))
		if err == nil {
			_, err = informer.AddEventHandler(w.handler())
		}
		if err != nil {
			stop()
			return nil, fmt.Errorf("watch %T: %w", kind, err)
		}
	}
	go func() {
		if err := seen.Start(inner); err != nil {
			k.Log.Error(err, "watching the agents failed")
		}
	}()
	first, cancel := context.WithTimeout(inner, firstRead)
	defer cancel()
	if !seen.WaitForCacheSync(first) {
		stop()
		return nil, &obstacle{text: "the operator cannot watch its agents; its log has the API server's answer"}
	}
	return w, nil
}

// handler wakes the Keeper, whatever has changed: it looks at everything each time.
func (w *watch) handler() toolscache.ResourceEventHandler {
	wake := func() {
		select {
		case w.woken <- struct{}{}:
		default:
		}
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { wake() }, UpdateFunc: func(any, any) { wake() }, DeleteFunc: func(any) { wake() },
	}
}

// next waits for a change, at most until something else is due, but never returns sooner than after the pause.
func (w *watch) next(ctx context.Context, due time.Time, pause time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause):
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Until(due)):
	case <-w.woken:
	}
	return nil
}

// stripAgent keeps of an agent's Pod what is read of it.
func stripAgent(o any) (any, error) {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return o, nil
	}
	kept := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID, ResourceVersion: pod.ResourceVersion, Labels: pod.Labels,
		CreationTimestamp: pod.CreationTimestamp, DeletionTimestamp: pod.DeletionTimestamp,
	}}
	kept.Spec.NodeName = pod.Spec.NodeName
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady || c.Type == v1.AgentKeepsGuarantee {
			kept.Status.Conditions = append(kept.Status.Conditions, corev1.PodCondition{
				Type: c.Type, Status: c.Status, Reason: c.Reason, Message: c.Message,
			})
		}
	}
	for _, s := range pod.Status.ContainerStatuses {
		kept.Status.ContainerStatuses = append(kept.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: s.Name, State: corev1.ContainerState{Waiting: s.State.Waiting},
		})
	}
	return kept, nil
}
