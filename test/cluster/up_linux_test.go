package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
)

// testName keeps the test apart from other clusters on the machine.
func testName() string { return fmt.Sprintf("test-%d", os.Getpid()) }

// logWriter shows progress in the test's log.
type logWriter struct{ t *testing.T }

func (w logWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

func requireMachine(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: a real cluster is not short")
	}
	if err := checkMachine(); err != nil {
		t.Skipf("SKIPPED, nothing was tested: %v", err)
	}
}

// TestUp boots a cluster, lets Pods live on it as on any other, and expects that
// nothing of it is left.
func TestUp(t *testing.T) {
	requireMachine(t)
	before := observe(t)
	o := Options{Name: testName(), Out: logWriter{t}, NodeMemory: "1Gi"}
	c, err := Up(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Down(context.Background()) })
	namespace := processNamespace(t, c)
	config, err := c.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	client := kubernetes.NewForConfigOrDie(config)

	t.Run("a second of the same name is refused", func(t *testing.T) {
		if _, err := Up(t.Context(), o); err == nil || !strings.Contains(err.Error(), ErrRunning.Error()) {
			t.Errorf("got %v, want %v", err, ErrRunning)
		}
	})
	t.Run("the node offers what was asked for", func(t *testing.T) {
		node, err := client.CoreV1().Nodes().Get(t.Context(), c.NodeName(), metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := node.Status.Allocatable.Memory().Value(); got != 1<<30 {
			t.Errorf("allocatable memory %d, want 1Gi", got)
		}
	})
	t.Run("restricted Pods reach what they may", func(t *testing.T) { testPods(t, c, client) })
	t.Run("writes are in the audit log", func(t *testing.T) { testAudit(t, c) })
	t.Run("programs are signalled, stopped and started", func(t *testing.T) { testPrograms(t, c) })
	t.Run("found by name", func(t *testing.T) {
		found, err := Find(o)
		if err != nil {
			t.Fatal(err)
		}
		if found.Kubeconfig() != c.Kubeconfig() {
			t.Errorf("found %s, want %s", found.Kubeconfig(), c.Kubeconfig())
		}
	})

	if err := c.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	expectUnchanged(t, before)
	if left := processesIn(namespace); len(left) > 0 {
		t.Errorf("processes left: %v", left)
	}
	if _, err := os.Stat(c.Dir); !os.IsNotExist(err) {
		t.Errorf("state folder is left: %v", err)
	}
}

func processNamespace(t *testing.T, c *Cluster) string {
	t.Helper()
	pid, err := c.initPID()
	if err != nil {
		t.Fatal(err)
	}
	namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if err != nil {
		t.Fatal(err)
	}
	return namespace
}

const (
	probeImage     = "localhost/probe:test"
	probeNamespace = "probe"
)

// testPods runs two Pods under the restricted Pod Security Standard: one whose
// account may read the kubelet's metrics and one whose account may not.
func testPods(t *testing.T, c *Cluster, client kubernetes.Interface) {
	image, err := BuildImage(t.Context(), ImageSpec{Ref: probeImage, ModuleDir: "..", Package: "./cluster/testdata/probe"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.LoadImage(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	createProbeAccounts(t, client)
	const (
		metrics = "https://$NODE:10250/metrics/resource"
		api     = "https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/version"
		peer    = "http://$SERVER_SERVICE_HOST:80/"
		outside = "http://198.18.0.1/" // of the range for benchmarks: nobody's
	)
	startProbe(t, client, "server", "reader")
	got := startProbe(t, client, "reader", "reader", metrics, "anonymous:"+metrics, api, peer, outside)
	for url, want := range map[string]string{metrics: "200", "anonymous:" + metrics: "401", api: "200", peer: "200", outside: "unreachable"} {
		if !strings.Contains(got[url], want) {
			t.Errorf("a Pod that may read metrics asked %s and got %q, want %s", url, got[url], want)
		}
	}
	got = startProbe(t, client, "stranger", "default", metrics)
	if got[metrics] != "403" {
		t.Errorf("a Pod that may not read metrics got %q, want 403", got[metrics])
	}
	cmd := exec.CommandContext(t.Context(), c.Kubectl(), "--kubeconfig", c.Kubeconfig(), "exec", "-n", probeNamespace, "server", "--", "/probe", api)
	if out := firstLine(t, cmd); out != api+" 200" {
		t.Errorf("kubectl exec printed %q, want %q", out, api+" 200")
	}
}

func createProbeAccounts(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	meta := metav1.ObjectMeta{Name: "reader", Namespace: probeNamespace}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "reader"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"nodes/metrics"}, Verbs: []string{"get"}},
	}}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "reader"},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: "reader", Namespace: probeNamespace}},
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: probeNamespace, Labels: map[string]string{
		"pod-security.kubernetes.io/enforce": "restricted",
	}}}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "server", Namespace: probeNamespace}, Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": "server"},
		Ports:    []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
	}}
	_, err := client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{})
	fatal(t, err)
	_, err = client.CoreV1().ServiceAccounts(probeNamespace).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{})
	fatal(t, err)
	_, err = client.RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{})
	fatal(t, err)
	_, err = client.RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{})
	fatal(t, err)
	_, err = client.CoreV1().Services(probeNamespace).Create(t.Context(), service, metav1.CreateOptions{})
	fatal(t, err)
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// startProbe runs a Pod until it has asked for every URL and is running, and
// returns what it said about each.
func startProbe(t *testing.T, client kubernetes.Interface, name, account string, urls ...string) map[string]string {
	t.Helper()
	pods := client.CoreV1().Pods(probeNamespace)
	var pod *corev1.Pod
	eventually(t, "Pod "+name+" is accepted", func() bool {
		// The namespace's default account comes a moment after the namespace.
		_, err := pods.Create(t.Context(), probePod(name, account, urls), metav1.CreateOptions{})
		return err == nil
	})
	eventually(t, "Pod "+name+" runs", func() bool {
		var err error
		pod, err = pods.Get(t.Context(), name, metav1.GetOptions{})
		return err == nil && pod.Status.Phase == corev1.PodRunning
	})
	got := map[string]string{}
	eventually(t, "Pod "+name+" has asked", func() bool {
		log, err := pods.GetLogs(name, &corev1.PodLogOptions{}).DoRaw(t.Context())
		for line := range strings.Lines(string(log)) {
			url, answer, _ := strings.Cut(strings.TrimSpace(line), " ")
			got[url] = answer
		}
		return err == nil && len(got) == len(urls)
	})
	return got
}

func probePod(name, account string, urls []string) *corev1.Pod {
	yes, no := true, false
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{
			ServiceAccountName: account,
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot:   &yes,
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "probe", Image: probeImage, Args: urls, ImagePullPolicy: corev1.PullIfNotPresent,
				Env: []corev1.EnvVar{{Name: "NODE", ValueFrom: &corev1.EnvVarSource{
					FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.hostIP"},
				}}},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: &no,
					ReadOnlyRootFilesystem:   &yes,
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}

func testAudit(t *testing.T, c *Cluster) {
	f, err := os.Open(c.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	verbs := map[string]int{}
	for lines := json.NewDecoder(f); ; {
		var event struct {
			Verb string
			User struct{ Username string }
		}
		if err := lines.Decode(&event); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		verbs[event.Verb]++
		if event.User.Username == "kubernetes-admin" {
			verbs["admin "+event.Verb]++
		}
	}
	if verbs["admin create"] == 0 || verbs["get"]+verbs["list"]+verbs["watch"] > 0 {
		t.Errorf("logged %v, want creations by the administrator and no reads", verbs)
	}
}

func testPrograms(t *testing.T, c *Cluster) {
	fatal(t, c.Signal(kubelet, syscall.SIGKILL))
	eventually(t, "the kubelet is started again", func() bool {
		all, err := c.statuses()
		return err == nil && all[kubelet].Starts == 2 && all[kubelet].PID != 0
	})
	fatal(t, c.Stop(t.Context(), scheduler))
	if err := c.Signal(scheduler, syscall.SIGCONT); err == nil {
		t.Error("a stopped program was signalled")
	}
	fatal(t, c.Start(t.Context(), scheduler))
	fatal(t, c.Signal(scheduler, syscall.SIGCONT))
	if err := c.Signal("nonesuch", syscall.SIGCONT); err == nil || !strings.Contains(err.Error(), kubelet) {
		t.Errorf("signalling no program gave %v, want the names of those there are", err)
	}
}

// eventually waits for a condition; the time it may take is no part of the test.
func eventually(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !reached(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came to be that %s", what)
		}
	}
}

// firstLine runs a command until it has printed a line.
func firstLine(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.StdoutPipe()
	fatal(t, err)
	cmd.Stderr = os.Stderr
	fatal(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	fatal(t, err)
	return strings.TrimSpace(line)
}
