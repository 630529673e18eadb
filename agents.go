package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/kubedemo/memhog-operator/internal/operand"
)

// Variables in which a Pod learns who it is.
const (
	podNameEnv      = "POD_NAME"
	podNamespaceEnv = "POD_NAMESPACE"
)

// olmVersionEnv is the variable in which OLM names the ClusterServiceVersion that it installed the operator as.
const olmVersionEnv = "OPERATOR_CONDITION_NAME"

// everyTaint is the default for --agent-tolerations: a node that takes no other Pods may still have some that grow.
const everyTaint = "*"

// The rate of --guaranteed-fill-rate, which operator and agents have both.
const (
	usualFill     = "256Mi"
	fillRateUsage = "memory a second that a container may fill without being OOM-killed before an agent has given it more, 1Mi to 64Gi"
)

var (
	slowestFill = resource.MustParse("1Mi")
	fastestFill = resource.MustParse("64Gi")
)

// agentOptions say which node agents the operator keeps.
type agentOptions struct {
	mode         string
	image        string
	nodeSelector string
	tolerations  string
	fillRate     string
}

func (o *agentOptions) bind(flags *flag.FlagSet) {
	flags.StringVar(&o.mode, "agent", string(operand.Auto),
		"node agents, which see memory grow within milliseconds: auto has them where the cluster allows it, on says it as an error where "+
			"it does not, off removes them")
	flags.StringVar(&o.image, "agent-image", "", "image of the node agents; that of the operator when empty")
	flags.StringVar(&o.nodeSelector, "agent-node-selector", "",
		"labels of the nodes that get an agent, as in key=value,key=value; all nodes when empty")
	flags.StringVar(&o.tolerations, "agent-tolerations", everyTaint,
		"taints that agents tolerate, separated by commas, as in key=value:NoSchedule, key:NoExecute or key; "+everyTaint+
			" for all, empty for none")
	flags.StringVar(&o.fillRate, "guaranteed-fill-rate", usualFill, fillRateUsage)
}

// settings are the options as they are meant, for the namespaces that the operator watches.
func (o agentOptions) settings(namespaces, logFlags []string) (operand.Settings, error) {
	s := operand.Settings{Mode: operand.Mode(o.mode), Image: o.image, Namespaces: namespaces, LogFlags: logFlags}
	if !slices.Contains([]operand.Mode{operand.Auto, operand.On, operand.Off}, s.Mode) {
		return s, fmt.Errorf("--agent %q: want auto, on or off", o.mode)
	}
	selector, err := labels.ConvertSelectorToLabelsMap(o.nodeSelector)
	if err != nil {
		return s, fmt.Errorf("--agent-node-selector %q: want key=value,key=value: %w", o.nodeSelector, err)
	}
	s.NodeSelector = selector
	if s.Tolerations, err = tolerationsOf(o.tolerations); err != nil {
		return s, fmt.Errorf("--agent-tolerations %q: %w", o.tolerations, err)
	}
	s.FillRate, err = parseFillRate(o.fillRate)
	return s, err
}

// tolerationsOf reads taints as kubectl writes them.
func tolerationsOf(list string) ([]corev1.Toleration, error) {
	if list == everyTaint {
		return []corev1.Toleration{{Operator: corev1.TolerationOpExists}}, nil
	}
	var all []corev1.Toleration
	for _, text := range strings.Split(list, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		one, err := tolerationOf(text)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

func tolerationOf(text string) (corev1.Toleration, error) {
	taint, effect, hasEffect := strings.Cut(text, ":")
	key, value, hasValue := strings.Cut(taint, "=")
	t := corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Value: value, Effect: corev1.TaintEffect(effect)}
	if hasValue {
		t.Operator = corev1.TolerationOpEqual
	}
	effects := []corev1.TaintEffect{corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute}
	if hasEffect && !slices.Contains(effects, t.Effect) {
		return t, fmt.Errorf("effect %q of %q: want NoSchedule, PreferNoSchedule or NoExecute", effect, text)
	}
	if problems := validation.IsQualifiedName(key); len(problems) > 0 {
		return t, fmt.Errorf("key %q of %q: %s", key, text, strings.Join(problems, "; "))
	}
	if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
		return t, fmt.Errorf("value %q of %q: %s", value, text, strings.Join(problems, "; "))
	}
	return t, nil
}

// logFlagsOf are the flags about logging that say something else than usual, on the command line or by variables.
func logFlagsOf(flags *flag.FlagSet) []string {
	var set []string
	flags.VisitAll(func(f *flag.Flag) {
		if strings.HasPrefix(f.Name, "zap-") && f.Value.String() != f.DefValue {
			set = append(set, "--"+f.Name+"="+f.Value.String())
		}
	})
	return set
}

// addAgents has the leader keep the node agents.
func addAgents(config *rest.Config, mgr ctrl.Manager, settings operand.Settings) (*operand.Keeper, error) {
	keeper, err := operand.New(operand.Options{
		Config: config, Settings: settings, Namespace: os.Getenv(podNamespaceEnv), Pod: os.Getenv(podNameEnv),
		Version: os.Getenv(olmVersionEnv), Log: ctrl.Log.WithName("agents"),
	})
	if err != nil {
		return nil, err
	}
	if err := mgr.Add(keeper); err != nil {
		return nil, fmt.Errorf("add the keeper of the node agents: %w", err)
	}
	return keeper, nil
}
