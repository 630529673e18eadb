package cluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"

	"k8s.io/apimachinery/pkg/api/resource"
)

// DefaultName is the name of a cluster for which Options gives none.
const DefaultName = "memhog"

// The kubelet's own limit of Pods on a node, and how many addresses there are for them.
const (
	defaultMaxPods = 110
	mostPods       = 250
)

// Stats says where a kubelet takes the numbers of /metrics/resource from.
type Stats string

const (
	// StatsFromCAdvisor is the default of Kubernetes: housekeeping samples every
	// container each 10 to 20 s, so that a sample is up to 20 s old when read.
	StatsFromCAdvisor Stats = "cAdvisor"
	// StatsFromCRI asks the container runtime at every request.
	StatsFromCRI Stats = "CRI"
)

// Options says which cluster is meant and how it is to be set up. The zero value
// is the default cluster.
type Options struct {
	// Name tells clusters on one machine apart; a DNS label of at most 40
	// characters. Default: DefaultName.
	Name string
	// Dir is the folder for state, configuration and logs. Default: a folder in
	// os.TempDir() which carries the name.
	Dir string
	// Out receives a line per step of progress. Default: nowhere.
	Out io.Writer
	// Detach leaves the cluster running when the process that called Up ends.
	Detach bool
	// FeatureGates are set on every Kubernetes program.
	FeatureGates map[string]bool
	// ControlPlaneArgs are more flags of the API server, the controller manager
	// and the scheduler, to make them ones of an older version, for example.
	ControlPlaneArgs []string
	// Stats is the kubelet's source of usage numbers. Default: StatsFromCAdvisor.
	Stats Stats
	// NodeMemory is what the node offers to Pods, such as "4Gi". Default: all
	// that the machine has. More than the machine has is refused by Up.
	NodeMemory string
	// MaxPods is how many Pods the node takes, up to 250. Default: 110, as of any kubelet.
	MaxPods int
	// DNS runs a CoreDNS, by which Pods find Services by name. Without it there are addresses only.
	DNS bool
}

var validName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$`)

// complete fills in defaults and rejects what can't work.
func (o Options) complete() (Options, error) {
	if o.Name == "" {
		o.Name = DefaultName
	}
	if !validName.MatchString(o.Name) {
		return o, fmt.Errorf("cluster name %q: want a DNS label of at most 40 characters", o.Name)
	}
	if o.Dir == "" {
		o.Dir = filepath.Join(os.TempDir(), resourceName(o.Name))
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return o, fmt.Errorf("state folder %q: %w", o.Dir, err)
	}
	o.Dir = dir
	if o.Out == nil {
		o.Out = io.Discard
	}
	switch o.Stats {
	case "":
		o.Stats = StatsFromCAdvisor
	case StatsFromCAdvisor, StatsFromCRI:
	default:
		return o, fmt.Errorf("stats %q: want %q or %q", o.Stats, StatsFromCAdvisor, StatsFromCRI)
	}
	if o.MaxPods == 0 {
		o.MaxPods = defaultMaxPods
	}
	if o.MaxPods < 1 || o.MaxPods > mostPods {
		return o, fmt.Errorf("%d Pods: want 1 to %d", o.MaxPods, mostPods)
	}
	if o.NodeMemory != "" {
		if q, err := resource.ParseQuantity(o.NodeMemory); err != nil || q.Sign() <= 0 {
			return o, fmt.Errorf("node memory %q: want a positive quantity such as 4Gi", o.NodeMemory)
		}
	}
	return o, nil
}

// resourceName names everything on the machine that belongs to one cluster: its
// state folder and its cgroup folders.
func resourceName(cluster string) string { return "memhog-cluster-" + cluster }

// nodeName is the Kubernetes name of the only node.
func nodeName(cluster string) string { return cluster + "-node" }

// ErrNotRunning is returned by Find when no such cluster runs.
var ErrNotRunning = errors.New("no such cluster is running")

// ErrRunning is returned by Up when a cluster of that name already runs.
var ErrRunning = errors.New("a cluster of this name is already running")

// useYourOwn ends every refusal to run a cluster here.
const useYourOwn = "to use a cluster of your own instead, set KUBECONFIG to its configuration file"
