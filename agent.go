package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/controllers"
	"github.com/kubedemo/memhog-operator/internal/agent"
	"github.com/kubedemo/memhog-operator/internal/policies"
	"github.com/kubedemo/memhog-operator/internal/trim"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// agentRole is the first argument of a process that is to be a node's agent, in place of the operator.
const agentRole = "agent"

// nodeNameEnv is the variable in which an agent learns which node it runs on.
const nodeNameEnv = "NODE_NAME"

type nodeAgentOptions struct {
	namespaces  []string
	fillRate    resource.Quantity
	cgroupRoot  string
	metricsAddr string
	// node that the agent runs on, and its own Pod; of the environment, where the downward API puts them.
	node string
	pod  client.ObjectKey
	log  zap.Options
}

// parseNodeAgentOptions reads the command line of an agent, without the word that makes it one.
func parseNodeAgentOptions(flags *flag.FlagSet, args []string, getenv func(string) string) (nodeAgentOptions, error) {
	var o nodeAgentOptions
	namespace := flags.String("namespace", "", "namespaces to watch, separated by commas; all when empty")
	rate := flags.String("guaranteed-fill-rate", usualFill, fillRateUsage)
	flags.StringVar(&o.cgroupRoot, "cgroup-root", "/sys/fs/cgroup", "where the node's /sys/fs/cgroup is mounted")
	flags.StringVar(&o.metricsAddr, "metrics-bind-address", ":8444", "address of the metrics, served over TLS; 0 turns them off")
	o.log.BindFlags(flags)
	if err := parseFlags(flags, args, getenv); err != nil {
		return o, err
	}
	o.namespaces = splitNamespaces(*namespace)
	err := validateNamespaces(o.namespaces)
	if err != nil {
		return o, err
	}
	if o.fillRate, err = parseFillRate(*rate); err != nil {
		return o, err
	}
	o.node, o.pod.Namespace, o.pod.Name = getenv(nodeNameEnv), getenv(podNamespaceEnv), getenv(podNameEnv)
	for _, name := range []string{nodeNameEnv, podNamespaceEnv, podNameEnv} {
		if getenv(name) == "" {
			return o, fmt.Errorf("variable %s is empty: an agent runs as a Pod, which has it from the downward API", name)
		}
	}
	return o, nil
}

// parseFillRate reads a quantity of bytes per second.
func parseFillRate(text string) (resource.Quantity, error) {
	rate, err := resource.ParseQuantity(text)
	if err != nil || rate.Cmp(slowestFill) < 0 || rate.Cmp(fastestFill) > 0 {
		return rate, fmt.Errorf("--guaranteed-fill-rate %q: want %s to %s, as in 256Mi", text, &slowestFill, &fastestFill)
	}
	return rate, nil
}

// runAgent runs a node's agent until it is told to stop.
func runAgent(o nodeAgentOptions) error {
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	// A resize must not wait for those of others; the API server defends itself.
	config.QPS = -1
	mgr, err := newAgentManager(config, o)
	if err != nil {
		return err
	}
	groups, err := agent.Kernel(o.cgroupRoot)
	if err != nil {
		return err
	}
	server, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return fmt.Errorf("make a client for discovery: %w", err)
	}
	reporter := agent.NewReporter(mgr.GetClient(), o.pod, clock.RealClock{}, ctrl.Log.WithName("report"))
	a := agent.New(agent.Options{
		Client: mgr.GetClient(), Node: o.node, Rate: o.fillRate.Value(), Groups: groups, Clock: clock.RealClock{},
		Server: &workload.Discoverer{Discovery: server, Clock: clock.RealClock{}},
		Log:    ctrl.Log.WithName("agent"), Report: reporter.Tell,
	})
	agent.RegisterMetrics()
	ctx := ctrl.SetupSignalHandler()
	reporter.Begin(ctx)
	if err := watchNode(ctx, mgr.GetCache(), a); err != nil {
		return err
	}
	small := func(ctx context.Context) error {
		if mgr.GetCache().WaitForCacheSync(ctx) {
			// It is as good without.
			_ = agent.ReleaseCode()
		}
		return nil
	}
	for _, r := range []manager.RunnableFunc{small, reporter.Start, a.Discover, a.Start, a.Watchdog} {
		if err := mgr.Add(r); err != nil {
			return fmt.Errorf("set up the agent: %w", err)
		}
	}
	ctrl.Log.Info("starting", "version", version, "role", agentRole, "node", o.node, "namespaces", strings.Join(o.namespaces, ","))
	return mgr.Start(ctx)
}

// newAgentManager caches what an agent reads: the Pods of its node, which take of it whatever namespace they are in, the node, and
// AppMonitors.
func newAgentManager(config *rest.Config, o nodeAgentOptions) (ctrl.Manager, error) {
	stop := 5 * time.Second
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: newScheme(),
		Cache: cache.Options{
			DefaultTransform: cache.TransformStripManagedFields(),
			ByObject: map[client.Object]cache.ByObject{
				&v1.AppMonitor{}: {Namespaces: controllers.CacheNamespaces(o.namespaces)},
				&corev1.Pod{}: {
					Field: fields.OneTermEqualSelector("spec.nodeName", o.node), Transform: trim.Pod,
				},
				&corev1.Node{}: {Field: fields.OneTermEqualSelector("metadata.name", o.node), Transform: trim.Node},
			},
		},
		Metrics:                 metricsOptions(o.metricsAddr, ""),
		HealthProbeBindAddress:  "0",
		GracefulShutdownTimeout: &stop,
	})
	if err != nil {
		return nil, fmt.Errorf("set up the manager: %w", err)
	}
	return mgr, nil
}

// watchNode has the agent told of all that changes in its cache.
func watchNode(ctx context.Context, of cache.Cache, a *agent.Agent) error {
	rules := toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { a.RulesChanged() },
		UpdateFunc: func(before, after any) {
			if rulesDiffer(before, after) {
				a.RulesChanged()
			}
		},
		DeleteFunc: func(any) { a.RulesChanged() },
	}
	pods := toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { a.Changed() },
		UpdateFunc: func(any, any) { a.Changed() },
		DeleteFunc: func(any) { a.Changed() },
	}
	var failed error
	for _, watched := range []struct {
		kind    client.Object
		handler toolscache.ResourceEventHandler
	}{{&corev1.Pod{}, pods}, {&corev1.Node{}, rules}, {&v1.AppMonitor{}, rules}} {
		informer, err := of.GetInformer(ctx, watched.kind, cache.BlockUntilSynced(false))
		if err == nil {
			_, err = informer.AddEventHandler(watched.handler)
		}
		failed = errors.Join(failed, err)
	}
	if failed != nil {
		return fmt.Errorf("watch the node: %w", failed)
	}
	return nil
}

// rulesDiffer is true for a change that matters for all Pods: of an AppMonitor what users change, of a node its kubelet.
func rulesDiffer(before, after any) bool {
	switch after := after.(type) {
	case *v1.AppMonitor:
		before, ok := before.(*v1.AppMonitor)
		return !ok || before.Generation != after.Generation || policies.Paused(before) != policies.Paused(after) ||
			(before.DeletionTimestamp == nil) != (after.DeletionTimestamp == nil)
	case *corev1.Node:
		before, ok := before.(*corev1.Node)
		return !ok || before.Status.NodeInfo.KubeletVersion != after.Status.NodeInfo.KubeletVersion
	default:
		return true
	}
}
