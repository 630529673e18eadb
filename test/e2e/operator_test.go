package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubedemo/memhog-operator/test/install"
)

// operatorAccount is the name by which the API server knows the operator.
const operatorAccount = "system:serviceaccount:memhog-operator-system:memhog-operator-controller-manager"

// leaseKey names the Lease that the operator's replicas compete for.
var leaseKey = client.ObjectKey{Namespace: install.OperatorKey.Namespace, Name: "memhog-operator.kubedemo.com"}

// operatorPods lists those that are not being deleted.
func operatorPods(ctx context.Context) ([]corev1.Pod, error) {
	var list corev1.PodList
	err := env.client.List(ctx, &list, client.InNamespace(install.OperatorKey.Namespace),
		client.MatchingLabels{"control-plane": "controller-manager"})
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil }), err
}

// leadingPod returns the Pod that holds the Lease.
func leadingPod(ctx context.Context) (*corev1.Pod, error) {
	var lease coordinationv1.Lease
	if err := env.client.Get(ctx, leaseKey, &lease); err != nil {
		return nil, err
	}
	if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
		return nil, errors.New("nobody leads")
	}
	// The holder's identity is the Pod's name and something random.
	name, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_")
	pods, err := operatorPods(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(pods, func(p corev1.Pod) bool { return p.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("the leader, %q, is not there", *lease.Spec.HolderIdentity)
	}
	return &pods[i], nil
}

// theOperatorLeads waits until the operator is as it should be: all replicas available, none of an older template
// left, and one of them leads. It returns that one.
func (s *story) theOperatorLeads() *corev1.Pod {
	s.t.Helper()
	var leader *corev1.Pod
	s.awaits("the operator is available and leads", func(ctx context.Context) error {
		var d appsv1.Deployment
		err := env.client.Get(ctx, install.OperatorKey, &d)
		if err == nil {
			err = rolledOut(&d)
		}
		if err == nil {
			leader, err = leadingPod(ctx)
		}
		return err
	})
	return leader
}

// anotherLeads waits until another Pod than this one leads.
func (s *story) anotherLeads(than *corev1.Pod) *corev1.Pod {
	s.t.Helper()
	var leader *corev1.Pod
	s.awaits("another Pod leads than "+than.Name, func(ctx context.Context) error {
		var err error
		leader, err = leadingPod(ctx)
		if err == nil && leader.UID == than.UID {
			return errors.New("it still leads")
		}
		return err
	})
	return leader
}

// kill ends a Pod of the operator as a power cut would. Deleting a Pod, even without grace, leaves it two seconds to
// say goodbye; so where its process can be reached, it is killed first.
func (s *story) kill(pod *corev1.Pod) {
	s.t.Helper()
	if !env.cluster.Own() {
		must(s.t, signalProcesses(env.cluster.Cgroup(), pod, syscall.SIGKILL))
	}
	must(s.t, env.client.Delete(s.t.Context(), pod, client.GracePeriodSeconds(0)))
}

// signalProcesses sends a signal to every process in the cgroup of the Pod.
func signalProcesses(cgroup string, pod *corev1.Pod, signal syscall.Signal) error {
	pids := map[int]bool{}
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fs.SkipDir // a group that is gone by now
		}
		if entry.Name() != "cgroup.procs" || !strings.Contains(path, cgroup+"/") || !strings.Contains(path, string(pod.UID)) {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, field := range strings.Fields(string(text)) {
			if pid, _ := strconv.Atoi(field); pid > 0 {
				pids[pid] = true
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	if len(pids) == 0 {
		return fmt.Errorf("no process of Pod %s is in a cgroup below %s", pod.Name, cgroup)
	}
	for pid := range pids {
		err = errors.Join(err, syscall.Kill(pid, signal))
	}
	return err
}
