package trim

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubedemo/memhog-operator/internal/workload"
)

func TestHeapsThatDoNotFollowTheLimit(t *testing.T) {
	env := func(name, value string) corev1.Container {
		return corev1.Container{Env: []corev1.EnvVar{{Name: "OTHER", Value: "x"}, {Name: name, Value: value}}}
	}
	for _, tt := range []struct {
		c    corev1.Container
		want string
	}{
		{corev1.Container{}, ""},
		{corev1.Container{Args: []string{"-Xmx2g"}}, "-Xmx2g"},
		{corev1.Container{Command: []string{"sh", "-c", "exec java -Xms1g -Xmx2g -jar x"}}, "-Xmx2g"},
		{env("JAVA_TOOL_OPTIONS", "-XX:MaxHeapSize=1g -Dx=y"), "-XX:MaxHeapSize=1g"},
		{env("JAVA_OPTS", "-XX:MaxRAMPercentage=75"), ""},
		{env("NODE_OPTIONS", "--max-old-space-size=4096"), "--max-old-space-size=4096"},
		{env("GOMEMLIMIT", "300MiB"), "GOMEMLIMIT=300MiB"},
		{env("GOMEMLIMIT", "off"), ""},
		{corev1.Container{Env: []corev1.EnvVar{{Name: "GOMEMLIMIT", ValueFrom: &corev1.EnvVarSource{}}}}, ""},
	} {
		kept := Containers([]corev1.Container{tt.c})[0]
		if got := workload.FixedHeap(tt.c); got != tt.want || workload.FixedHeap(kept) != tt.want {
			t.Errorf("%+v: %q, and from the cache %q, want %q", tt.c, got, workload.FixedHeap(kept), tt.want)
		}
	}
}
