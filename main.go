// Command memhog-operator raises the memory of annotated Pods before the kernel kills them for want of it.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/kubedemo/memhog-operator/controllers"
	"github.com/kubedemo/memhog-operator/internal/usage"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// version is set by the linker.
var version = "dev"

// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create

func main() {
	if len(os.Args) > 1 && os.Args[1] == agentRole {
		o, err := parseNodeAgentOptions(flag.CommandLine, os.Args[2:], os.Getenv)
		start(err, &o.log, func() error { return runAgent(o) })
		return
	}
	o, err := parseOptions(flag.CommandLine, os.Args[1:], os.Getenv)
	start(err, &o.log, func() error { return run(o) })
}

// start runs a role, unless its options could not be read, and ends the process when it fails.
func start(err error, log *zap.Options, role func() error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "memhog-operator:", err)
		os.Exit(2)
	}
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(log)))
	if err := role(); err != nil {
		ctrl.Log.Error(err, "stopped")
		os.Exit(1)
	}
}

func run(o options) error {
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	mgr, err := newManager(config, o)
	if err != nil {
		return err
	}
	src, err := newSource(config, o)
	if err != nil {
		return err
	}
	sampler := usage.NewSampler(usage.SamplerOptions{
		Source:   src,
		Scope:    controllers.Scope(mgr.GetClient()),
		Interval: o.sampleInterval,
		Keep:     o.maxSampleAge,
		Clock:    clock.RealClock{},
		Observer: &controllers.SourceObserver{Log: ctrl.Log.WithName("sampler")},
	})
	if err := mgr.Add(sampler); err != nil {
		return fmt.Errorf("add the sampler: %w", err)
	}
	server, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return fmt.Errorf("make a client for discovery: %w", err)
	}
	agents, err := addAgents(config, mgr, o.agents)
	if err != nil {
		return err
	}
	reconciler := &controllers.AppMonitorReconciler{
		Client:       mgr.GetClient(),
		Samples:      sampler,
		Recorder:     mgr.GetEventRecorder("memhog-operator"),
		Clock:        clock.RealClock{},
		MaxSampleAge: o.maxSampleAge,
		Tick:         o.sampleInterval,
		Server:       &workload.Discoverer{Discovery: server, Clock: clock.RealClock{}},
		Namespaces:   o.namespaces,
		Agents:       agents.Status,
		AgentChanges: agents.Changes(),
	}
	controllers.RegisterMetrics()
	ctx := ctrl.SetupSignalHandler()
	if err := reconciler.SetupWithManager(ctx, mgr, sampler.Ticks()); err != nil {
		return fmt.Errorf("set up the controller: %w", err)
	}
	if err := addWebhook(mgr, o.webhook, reconciler); err != nil {
		return err
	}
	if err := reportUpgradeable(config, mgr); err != nil {
		return err
	}
	if err := addLeaseOwner(config, mgr, o); err != nil {
		return err
	}
	ctrl.Log.Info("starting", "version", version, "source", src.Name(), "namespaces", strings.Join(o.namespaces, ","))
	return mgr.Start(ctx)
}

// reportUpgradeable tells OLM when the operator may be replaced, where OLM is there to be told.
func reportUpgradeable(config *rest.Config, mgr ctrl.Manager) error {
	condition, err := controllers.UpgradeableCondition(config)
	if err != nil || condition == nil {
		return err
	}
	reconciler := &controllers.UpgradeableReconciler{Reader: mgr.GetClient(), Condition: condition}
	if err := reconciler.SetupWithManager(mgr); err != nil {
		return fmt.Errorf("set up the report to OLM: %w", err)
	}
	return nil
}

// newSource returns Prometheus when there is an address for it, and the kubelets otherwise.
func newSource(config *rest.Config, o options) (usage.Source, error) {
	if o.prometheusAddr != "" {
		return usage.NewPrometheus(o.prometheusAddr, o.maxSampleAge, time.Now)
	}
	return usage.NewKubelet(config, o.kubelet)
}
