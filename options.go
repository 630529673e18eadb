package main

import (
	"flag"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/kubedemo/memhog-operator/internal/operand"
	"github.com/kubedemo/memhog-operator/internal/usage"
)

// watchNamespaceEnv is the variable in which OLM says which namespaces to watch, separated by commas.
const watchNamespaceEnv = "WATCH_NAMESPACE"

type options struct {
	namespaces     []string
	prometheusAddr string
	kubelet        usage.KubeletOptions
	sampleInterval time.Duration
	maxSampleAge   time.Duration
	metricsAddr    string
	metricsCertDir string
	probeAddr      string
	leaderElect    bool
	log            zap.Options
	webhook        webhookOptions
	agents         operand.Settings
}

// flagEnvPrefix begins the names of the variables that flags can be set by: --prometheus-addr by
// MEMHOG_PROMETHEUS_ADDR. OLM lets users of a Subscription set variables, and no arguments.
const flagEnvPrefix = "MEMHOG_"

// parseOptions reads the command line; getenv is asked for what it leaves open. --kubeconfig is registered by
// controller-runtime itself.
func parseOptions(flags *flag.FlagSet, args []string, getenv func(string) string) (options, error) {
	var o options
	namespace := flags.String("namespace", getenv(watchNamespaceEnv),
		"namespaces to watch, separated by commas; all when empty. The default is the variable "+watchNamespaceEnv+".")
	flags.StringVar(&o.prometheusAddr, "prometheus-addr", "",
		"URL of a Prometheus server that scrapes cAdvisor, to read memory use from; the kubelets are asked when empty")
	flags.IntVar(&o.kubelet.Port, "kubelet-port", 10250, "port of the kubelets, 1 to 65535")
	flags.StringVar(&o.kubelet.CAFile, "kubelet-certificate-authority", "",
		"PEM file to verify the kubelets' certificates with; the cluster's own certificate authority when empty")
	flags.BoolVar(&o.kubelet.InsecureTLS, "kubelet-insecure-tls", false,
		"do not verify the kubelets' certificates: whoever can pose as a node then gets the operator's token")
	flags.DurationVar(&o.sampleInterval, "sample-interval", 5*time.Second, "time between two readings of memory use, 1s to 5m")
	flags.DurationVar(&o.maxSampleAge, "max-sample-age", time.Minute,
		"age from which a sample of memory use is too old to act on, from --sample-interval to 1h; "+
			"for Prometheus at least its scrape interval plus 30s")
	flags.StringVar(&o.metricsAddr, "metrics-bind-address", ":8443", "address of the metrics, served over TLS; 0 turns them off")
	flags.StringVar(&o.metricsCertDir, "metrics-cert-dir", "",
		"directory with tls.crt and tls.key for the metrics; a self-signed certificate is made when empty")
	flags.StringVar(&o.probeAddr, "health-probe-bind-address", ":8081", "address of the health probes")
	o.webhook.bind(flags)
	var agents agentOptions
	agents.bind(flags)
	flags.BoolVar(&o.leaderElect, "leader-elect", false, "let one of several replicas act at a time")
	o.log.BindFlags(flags)
	if err := parseFlags(flags, args, getenv); err != nil {
		return o, err
	}
	o.namespaces = splitNamespaces(*namespace)
	if err := o.validate(); err != nil {
		return o, err
	}
	var err error
	o.agents, err = agents.settings(o.namespaces, logFlagsOf(flags))
	return o, err
}

func (o options) validate() error {
	if err := validateNamespaces(o.namespaces); err != nil {
		return err
	}
	if o.prometheusAddr != "" {
		u, err := url.Parse(o.prometheusAddr)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("--prometheus-addr %q: want a URL such as http://prometheus.monitoring:9090", o.prometheusAddr)
		}
	}
	if o.kubelet.Port < 1 || o.kubelet.Port > 65535 {
		return fmt.Errorf("--kubelet-port %d: want 1 to 65535", o.kubelet.Port)
	}
	if o.kubelet.InsecureTLS && o.kubelet.CAFile != "" {
		return fmt.Errorf("--kubelet-insecure-tls and --kubelet-certificate-authority %q exclude each other", o.kubelet.CAFile)
	}
	if o.sampleInterval < time.Second || o.sampleInterval > 5*time.Minute {
		return fmt.Errorf("--sample-interval %s: want 1s to 5m", o.sampleInterval)
	}
	if o.maxSampleAge < o.sampleInterval || o.maxSampleAge > time.Hour {
		return fmt.Errorf("--max-sample-age %s: want --sample-interval (%s) to 1h", o.maxSampleAge, o.sampleInterval)
	}
	return o.webhook.validate()
}

func validateNamespaces(namespaces []string) error {
	for _, n := range namespaces {
		if problems := validation.IsDNS1123Label(n); len(problems) > 0 {
			return fmt.Errorf("--namespace (or %s) %q: %s", watchNamespaceEnv, n, strings.Join(problems, "; "))
		}
	}
	return nil
}

func splitNamespaces(list string) []string {
	var namespaces []string
	for _, n := range strings.Split(list, ",") {
		if n = strings.TrimSpace(n); n != "" && !slices.Contains(namespaces, n) {
			namespaces = append(namespaces, n)
		}
	}
	return namespaces
}

// parseFlags reads a command line, and what it leaves open from the variables.
func parseFlags(flags *flag.FlagSet, args []string, getenv func(string) string) error {
	if err := setFromEnv(flags, getenv); err != nil {
		return err
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		// "--leader-elect false" turns it on, and leaves a word over.
		return fmt.Errorf("unexpected argument %q: want flags only, with values as in --flag=value", flags.Arg(0))
	}
	return nil
}

// setFromEnv gives flags the values of their variables, before the command line has its say.
func setFromEnv(flags *flag.FlagSet, getenv func(string) string) error {
	var failed error
	flags.VisitAll(func(f *flag.Flag) {
		name := flagEnvPrefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value := getenv(name)
		if value == "" || failed != nil {
			return
		}
		if err := f.Value.Set(value); err != nil {
			failed = fmt.Errorf("variable %s %q, for --%s: %w", name, value, f.Name, err)
		}
	})
	return failed
}
