package cluster

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
)

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
	for url, want := range map[string]string{
		metrics: "200", "anonymous:" + metrics: "401", api: "200", peer: "200", outside: "unreachable",
	} {
		if !strings.Contains(got[url], want) {
			t.Errorf("a Pod that may read metrics asked %s and got %q, want %s", url, got[url], want)
		}
	}
	got = startProbe(t, client, "stranger", "default", metrics)
	if got[metrics] != "403" {
		t.Errorf("a Pod that may not read metrics got %q, want 403", got[metrics])
	}
	// What listens on the node's loopback only is reached nevertheless.
	conn, err := c.Dial(t.Context(), "tcp", etcdClient)
	fatal(t, err)
	fatal(t, conn.Close())
	cmd := exec.CommandContext(t.Context(), c.Kubectl(), "--kubeconfig="+c.Kubeconfig(),
		"exec", "--namespace="+probeNamespace, "server", "--", "/probe", api)
	if out := firstLine(t, cmd); out != api+" 200" {
		t.Errorf("kubectl exec printed %q, want %q", out, api+" 200")
	}
}

func createProbeAccounts(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "reader"}}
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
	_, err = client.CoreV1().ServiceAccounts(probeNamespace).Create(t.Context(), account, metav1.CreateOptions{})
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
