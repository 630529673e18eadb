package cluster

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

func TestOpenTakesTheUsersOwnCluster(t *testing.T) {
	l := newTestLayout(t)
	if err := l.writeIdentities(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", l.adminKubeconfig())
	c, err := Open(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	config, err := c.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	if !c.Own() || c.Kubeconfig() != l.adminKubeconfig() || config.Host != l.apiURL() {
		t.Errorf("own %v, kubeconfig %s, server %s", c.Own(), c.Kubeconfig(), config.Host)
	}
	if c.AuditLog()+c.Logs()+c.NodeName()+c.Cgroup() != "" {
		t.Error("it pretends to know the user's node")
	}
	_, dialled := c.Dial(t.Context(), "tcp", etcdClient)
	for what, err := range map[string]error{
		"dial":           dialled,
		"load an image":  c.LoadImage(t.Context(), Image{Ref: "localhost/x:1"}),
		"signal":         c.Signal(kubelet, syscall.SIGSTOP),
		"stop a program": c.Stop(t.Context(), kubelet),
		"start one":      c.Start(t.Context(), kubelet),
	} {
		if !errors.Is(err, ErrOwnCluster) {
			t.Errorf("%s: got %v, want %v", what, err, ErrOwnCluster)
		}
	}
	if err := c.Down(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(l.adminKubeconfig()); err != nil {
		t.Errorf("Down did not leave it alone: %v", err)
	}
}

func TestOpenRefusesAKubeconfigThatIsNone(t *testing.T) {
	t.Setenv("KUBECONFIG", "/nowhere/config")
	if _, err := Open(t.Context(), Options{}); err == nil {
		t.Error("opened a cluster that nobody described")
	}
}
