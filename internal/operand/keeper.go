package operand

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// pace is how often the Keeper does what it does.
type pace struct {
	// retry is how long after an obstacle or an error it is tried again.
	retry time.Duration
	// recheck is how often it is looked for what nothing tells of: that the API server or the namespace have changed.
	recheck time.Duration
	// pause is the least time between two looks, since agents change by the hundred when they are rolled.
	pause time.Duration
}

var usualPace = pace{retry: 30 * time.Second, recheck: 5 * time.Minute, pause: time.Second}

// Options are what a Keeper needs to know.
type Options struct {
	Config   *rest.Config
	Settings Settings
	// Namespace and Pod are where the operator runs; empty outside of a cluster.
	Namespace, Pod string
	// Version is the ClusterServiceVersion that OLM installed the operator as; empty without OLM.
	Version string
	Log     logr.Logger
}

// Keeper keeps the agents as they should be, and knows how they are.
type Keeper struct {
	Options
	client  client.Client
	server  discovery.DiscoveryInterface
	scheme  *runtime.Scheme
	pace    pace
	status  atomic.Pointer[Status]
	changed chan struct{}
	applied applied
	// said is the obstacle that was logged last.
	said string
}

// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingadmissionpolicies;validatingadmissionpolicybindings,resourceNames=memhog-operator-agent,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=clusterroles,verbs=list

// New makes a Keeper, which does nothing before it is started.
func New(o Options) (*Keeper, error) {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(scheme))
	direct, err := client.New(o.Config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("make a client for the agents: %w", err)
	}
	server, err := discovery.NewDiscoveryClientForConfig(o.Config)
	if err != nil {
		return nil, fmt.Errorf("make a client for discovery: %w", err)
	}
	k := &Keeper{
		Options: o, client: direct, server: server, scheme: scheme, pace: usualPace, changed: make(chan struct{}, 1), applied: applied{},
	}
	k.status.Store(&Status{Wanted: o.Settings.Mode != Off})
	return k, nil
}

// Status says how the agents stand now.
func (k *Keeper) Status() Status { return *k.status.Load() }

// Changes tells after each change of the Status.
func (k *Keeper) Changes() <-chan struct{} { return k.changed }

// NeedLeaderElection has the leader alone keep the agents.
func (k *Keeper) NeedLeaderElection() bool { return true }

// Start implements manager.Runnable.
func (k *Keeper) Start(ctx context.Context) error {
	round := k.keep
	if k.Settings.Mode == Off {
		round = k.remove
		k.publish(Status{Known: true})
	}
	for {
		err := round(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // whatever failed, it is over
		}
		if err == nil {
			return nil
		}
		if o := (*obstacle)(nil); errors.As(err, &o) && o.remove {
			err = errors.Join(err, k.delete(ctx, DaemonSet(Home{Namespace: k.Namespace}, k.Settings)))
		}
		k.report(ctx, err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(k.pace.retry):
		}
	}
}

// keep has agents until something stands in the way of that.
func (k *Keeper) keep(ctx context.Context) error {
	home, err := k.check(ctx)
	if err != nil {
		return err
	}
	// At first without a watch: what may not be applied need not be watched.
	if err := k.apply(ctx, k.client, &home); err != nil {
		return err
	}
	watch, err := k.watch(ctx, home.Namespace)
	if err != nil {
		return err
	}
	defer watch.stop()
	checked := time.Now()
	for {
		if err := k.apply(ctx, watch.cache, &home); err != nil {
			return err
		}
		status, err := k.look(ctx, watch.cache, home.Namespace)
		if err != nil {
			return err
		}
		k.publish(status)
		again := k.pace.recheck
		if status.Trouble != "" {
			again = k.pace.retry
		}
		due := checked.Add(again) // however often agents change until then
		if err := watch.next(ctx, due, k.pace.pause); err != nil {
			return err
		}
		if time.Now().Before(due) {
			continue
		}
		if home, err = k.check(ctx); err != nil {
			return err
		}
		checked = time.Now()
	}
}

// check finds out whether there can be agents, and where they belong.
func (k *Keeper) check(ctx context.Context) (Home, error) {
	if k.Pod == "" || k.Namespace == "" {
		return Home{}, &obstacle{text: "the operator does not run in a Pod of the cluster (the variables POD_NAME and POD_NAMESPACE " +
			"are not set), so there is no namespace for agents"}
	}
	err := canHaveAgents(k.server)
	if err == nil {
		err = allowsNodeFolders(ctx, k.client, k.Namespace)
	}
	var home Home
	if err == nil {
		home, err = findHome(ctx, k.client, k.Namespace, k.Pod)
	}
	if err == nil {
		home.PolicyOwner, err = policyOwner(ctx, k.client, k.Namespace, k.Version)
	}
	return home, err
}

// report publishes an obstacle, and says it once. After an error the Status stands: it may be over in a moment.
func (k *Keeper) report(ctx context.Context, err error) {
	text := err.Error()
	o := (*obstacle)(nil)
	switch {
	case errors.As(err, &o):
		text = o.text
	case apierrors.IsForbidden(err):
		text = "the operator may not make agents: " + text
	default:
		k.Log.Error(err, "keeping the node agents failed, and is tried again")
		return
	}
	if k.Settings.Mode != Off {
		k.publish(k.left(ctx, text))
	}
	if text == k.said {
		return
	}
	k.said = text
	if k.Settings.Mode == Auto {
		k.Log.Info("there are no node agents: the operator's own source of memory use is read instead", "reason", text)
		return
	}
	k.Log.Error(nil, "the node agents cannot be as --agent wants them", "agent", k.Settings.Mode, "reason", text)
}

// publish tells whoever wants to know, when there is news.
func (k *Keeper) publish(now Status) {
	before := k.status.Swap(&now)
	if now.Known && now.Obstacle == "" && now.Wanted {
		k.said = ""
	}
	if reflect.DeepEqual(*before, now) {
		return
	}
	select {
	case k.changed <- struct{}{}:
	default: // who has not looked yet will see this, too
	}
}
