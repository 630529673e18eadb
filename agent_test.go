package main

import (
	"flag"
	"io"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

func parseAgent(env map[string]string, args ...string) (nodeAgentOptions, error) {
	flags := flag.NewFlagSet("agent", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return parseNodeAgentOptions(flags, args, func(name string) string { return env[name] })
}

func TestAnAgentKnowsItselfByItsEnvironment(t *testing.T) {
	pod := map[string]string{"NODE_NAME": "node-1", "POD_NAME": "agent-x", "POD_NAMESPACE": "operators"}
	o, err := parseAgent(pod, "--namespace=a,b", "--guaranteed-fill-rate=1Gi", "--cgroup-root=/host")
	if err != nil {
		t.Fatal(err)
	}
	if o.node != "node-1" || o.pod.String() != "operators/agent-x" || len(o.namespaces) != 2 || o.fillRate.Value() != 1<<30 ||
		o.cgroupRoot != "/host" {
		t.Errorf("%+v", o)
	}
	for name := range pod {
		env := map[string]string{}
		for other, value := range pod {
			if other != name {
				env[other] = value
			}
		}
		if _, err := parseAgent(env); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	for _, args := range [][]string{
		{"--guaranteed-fill-rate=1Ki"}, {"--guaranteed-fill-rate=65Gi"}, {"--guaranteed-fill-rate=fast"}, {"--no-such-flag"}, {"word"},
		{"--namespace=A"},
	} {
		if _, err := parseAgent(pod, args...); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
}

func TestWhatMattersForAllPodsOfANode(t *testing.T) {
	monitor := func(change func(*v1.AppMonitor)) *v1.AppMonitor {
		m := &v1.AppMonitor{}
		change(m)
		return m
	}
	plain := monitor(func(*v1.AppMonitor) {})
	node := func(kubelet, image string) *corev1.Node {
		n := &corev1.Node{}
		n.Status.NodeInfo.KubeletVersion, n.Status.NodeInfo.OSImage = kubelet, image
		return n
	}
	for _, tt := range []struct {
		reason        string
		before, after any
		want          bool
	}{
		{"a status", plain, monitor(func(m *v1.AppMonitor) { m.Status.Pods = 3 }), false},
		{"a spec", plain, monitor(func(m *v1.AppMonitor) { m.Generation = 1 }), true},
		{"a pause", plain, monitor(func(m *v1.AppMonitor) { m.Annotations = map[string]string{v1.PausedAnnotation: "true"} }), true},
		{"a heartbeat", node("v1.37.2", "a"), node("v1.37.2", "b"), false},
		{"another kubelet", node("v1.36.0", "a"), node("v1.37.2", "a"), true},
	} {
		if got := rulesDiffer(tt.before, tt.after); got != tt.want {
			t.Errorf("%s: %t", tt.reason, got)
		}
	}
}
