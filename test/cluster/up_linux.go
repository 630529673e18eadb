package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kubedemo/memhog-operator/tools"
)

// Up starts a cluster and returns when Pods can run on it. It first builds those
// of its programs that the cache lacks, which takes minutes. When ctx ends before
// that, or anything fails, nothing stays behind but the logs.
func Up(ctx context.Context, o Options) (*Cluster, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	if err := checkMachine(); err != nil {
		return nil, err
	}
	if _, err := Find(o); err == nil {
		return nil, fmt.Errorf("%q in %s: %w", o.Name, o.Dir, ErrRunning)
	}
	programs, err := findPrograms(ctx, o)
	if err != nil {
		return nil, err
	}
	pause, err := buildPauseImage(ctx)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	held, err := claim(o)
	if err != nil {
		return nil, err
	}
	defer held.Close()
	c, err := start(ctx, o, programs, held)
	if err != nil {
		return nil, err
	}
	if err := c.awaitReady(ctx, o, pause, begin); err != nil {
		return nil, c.failed(ctx, err)
	}
	if o.Detach {
		if err := c.node.tell(detached); err != nil {
			return nil, c.failed(ctx, err)
		}
	}
	return c, nil
}

// findPrograms returns the executables of the node by name, kube-proxy's tool
// among them.
func findPrograms(ctx context.Context, o Options) (map[string]string, error) {
	need := tools.Need{Program: "nft", Package: "nftables"}
	if err := tools.EnsureDebian(ctx, o.Out, need); err != nil {
		return nil, err
	}
	nft, err := tools.LookPath("nft")
	if err != nil {
		return nil, fmt.Errorf("kube-proxy's tool: %w", err)
	}
	names := []string{"cluster"}
	if o.DNS {
		names = append(names, coreDNS)
	}
	programs, err := tools.Build(ctx, o.Out, names...)
	if err != nil {
		return nil, err
	}
	programs["nft"] = nft
	return programs, nil
}

// linkPrograms puts all executables into one folder, which is the programs'
// search path for each other.
func (l layout) linkPrograms(programs map[string]string) error {
	if err := os.MkdirAll(l.binDir(), 0o755); err != nil {
		return err
	}
	for name, path := range programs {
		if err := os.Symlink(path, l.bin(name)); err != nil {
			return err
		}
	}
	return nil
}

// claim takes the state folder for a new cluster and clears it of an earlier
// one's remains. Who holds the returned lock runs the cluster.
func claim(o Options) (*os.File, error) {
	l := layout{Name: o.Name, Dir: o.Dir}
	if err := makeOwnFolder(l.Dir); err != nil {
		return nil, err
	}
	held, err := lock(l.lockFile(), unix.LOCK_EX|unix.LOCK_NB)
	for i := 0; i < 5 && errors.Is(err, unix.EWOULDBLOCK); i++ {
		// Find holds the lock for a moment, too.
		time.Sleep(pollDelay)
		held, err = lock(l.lockFile(), unix.LOCK_EX|unix.LOCK_NB)
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("%q in %s: %w", o.Name, o.Dir, ErrRunning)
	}
	if err != nil {
		return nil, err
	}
	if err := clearRemains(l); err != nil {
		held.Close()
		return nil, fmt.Errorf("remains of an earlier cluster: %w", err)
	}
	return held, nil
}

// start starts the cluster's processes and gives them what they need.
func start(ctx context.Context, o Options, programs map[string]string, held *os.File) (*Cluster, error) {
	c := &Cluster{layout: layout{Name: o.Name, Dir: o.Dir}}
	if err := os.MkdirAll(c.logDir(), 0o700); err != nil {
		return nil, c.failed(ctx, err)
	}
	var err error
	if c.node, err = startNode(c.layout, held); err != nil {
		return nil, c.failed(ctx, err)
	}
	if c.Link, err = createLink(o.Name, c.node.pid); err != nil {
		return nil, c.failed(ctx, err)
	}
	spec, err := prepare(c.layout, o, programs)
	if err != nil {
		return nil, c.failed(ctx, err)
	}
	if err := writeJSON(c.specFile(), spec); err != nil {
		return nil, c.failed(ctx, err)
	}
	if err := c.node.tell(prepared); err != nil {
		return nil, c.failed(ctx, err)
	}
	return c, nil
}

// prepare writes certificates and configuration.
func prepare(l layout, o Options, programs map[string]string) (nodeSpec, error) {
	s := setup{layout: l, options: o}
	for _, dir := range []string{l.configFile(""), l.cniDir(), l.statusDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nodeSpec{}, err
		}
	}
	if err := l.linkPrograms(programs); err != nil {
		return nodeSpec{}, err
	}
	var err error
	if s.snapshotter, err = chooseSnapshotter(l.Dir); err != nil {
		return nodeSpec{}, err
	}
	if s.reserved, err = reservedMemory(o.NodeMemory); err != nil {
		return nodeSpec{}, err
	}
	for _, write := range []func() error{
		s.writeIdentities, s.writeAuditPolicy, s.writeContainerdConfig, s.writeKubeletConfig, s.writeDNSConfig,
	} {
		if err := write(); err != nil {
			return nodeSpec{}, err
		}
	}
	return nodeSpec{layout: l, Path: s.searchPath(), Programs: s.programs()}, nil
}

func writeJSON(file string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o600)
}
