package main

import (
	"flag"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/kubedemo/memhog-operator/internal/operand"
	"github.com/kubedemo/memhog-operator/internal/usage"
)

// parse reads a command line with the variable WATCH_NAMESPACE set to watch.
func parse(watch string, args ...string) (options, error) {
	flags := flag.NewFlagSet("memhog-operator", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return parseOptions(flags, args, func(name string) string {
		if name != "WATCH_NAMESPACE" {
			return ""
		}
		return watch
	})
}

// standard is what an empty command line means.
func standard() options {
	return options{
		kubelet:        usage.KubeletOptions{Port: 10250},
		sampleInterval: 5 * time.Second,
		maxSampleAge:   time.Minute,
		metricsAddr:    ":8443",
		probeAddr:      ":8081",
		webhook:        webhookOptions{port: 9443, certDir: "/tmp/k8s-webhook-server/serving-certs"},
		agents: operand.Settings{
			Mode: operand.Auto, NodeSelector: map[string]string{}, FillRate: resource.MustParse("256Mi"),
			Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
		},
	}
}

func TestOptions(t *testing.T) {
	tests := []struct {
		reason string
		watch  string
		args   []string
		change func(*options)
	}{
		{reason: "nothing has to be said", change: func(*options) {}},
		{
			reason: "one namespace",
			args:   []string{"--namespace=shop"},
			change: func(o *options) { o.namespaces, o.agents.Namespaces = []string{"shop"}, []string{"shop"} },
		},
		{
			reason: "a webhook elsewhere",
			args:   []string{"--webhook-port=8443", "--webhook-cert-dir=/certs", "--webhook-cert-secret=certs"},
			change: func(o *options) { o.webhook = webhookOptions{port: 8443, certDir: "/certs", certSecret: "certs"} },
		},
		{reason: "no webhook", args: []string{"--webhook-port=0"}, change: func(o *options) { o.webhook.port = 0 }},
		{
			reason: "several namespaces, with spaces and empty names as people and tools write them",
			args:   []string{"--namespace", " shop, ,default,shop,"},
			change: func(o *options) {
				o.namespaces, o.agents.Namespaces = []string{"shop", "default"}, []string{"shop", "default"}
			},
		},
		{
			reason: "the namespaces that OLM names",
			watch:  "shop,default",
			change: func(o *options) {
				o.namespaces, o.agents.Namespaces = []string{"shop", "default"}, []string{"shop", "default"}
			},
		},
		{
			reason: "the flag is stronger than the variable",
			watch:  "shop",
			args:   []string{"--namespace=default"},
			change: func(o *options) { o.namespaces, o.agents.Namespaces = []string{"default"}, []string{"default"} },
		},
		{
			reason: "an empty flag means all namespaces, whatever the variable says",
			watch:  "shop",
			args:   []string{"--namespace="},
			change: func(*options) {},
		},
		{
			reason: "Prometheus over HTTP",
			args:   []string{"--prometheus-addr=http://prometheus.monitoring:9090"},
			change: func(o *options) { o.prometheusAddr = "http://prometheus.monitoring:9090" },
		},
		{
			reason: "Prometheus over HTTPS, under a path",
			args:   []string{"--prometheus-addr=https://example.com/prometheus"},
			change: func(o *options) { o.prometheusAddr = "https://example.com/prometheus" },
		},
		{
			reason: "kubelets with an authority of their own at another port",
			args:   []string{"--kubelet-port=65535", "--kubelet-certificate-authority=/ca.crt"},
			change: func(o *options) { o.kubelet = usage.KubeletOptions{Port: 65535, CAFile: "/ca.crt"} },
		},
		{
			reason: "kubelets that nobody vouches for",
			args:   []string{"--kubelet-insecure-tls", "--kubelet-port=1"},
			change: func(o *options) { o.kubelet = usage.KubeletOptions{Port: 1, InsecureTLS: true} },
		},
		{
			reason: "the shortest times",
			args:   []string{"--sample-interval=1s", "--max-sample-age=1s"},
			change: func(o *options) { o.sampleInterval, o.maxSampleAge = time.Second, time.Second },
		},
		{
			reason: "the longest times",
			args:   []string{"--sample-interval=5m", "--max-sample-age=1h"},
			change: func(o *options) { o.sampleInterval, o.maxSampleAge = 5*time.Minute, time.Hour },
		},
		{
			reason: "agents on some nodes, as fast as they get, that say much",
			args: []string{
				"--agent=on", "--agent-image=registry.example/op:1", "--agent-node-selector=pool=apps, disk=ssd",
				"--agent-tolerations=pool=apps:NoSchedule, down:NoExecute,old", "--guaranteed-fill-rate=64Gi", "--zap-log-level=debug",
			},
			change: func(o *options) {
				o.agents = operand.Settings{
					Mode: operand.On, Image: "registry.example/op:1", NodeSelector: map[string]string{"pool": "apps", "disk": "ssd"},
					Tolerations: []corev1.Toleration{
						{Key: "pool", Operator: corev1.TolerationOpEqual, Value: "apps", Effect: corev1.TaintEffectNoSchedule},
						{Key: "down", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute},
						{Key: "old", Operator: corev1.TolerationOpExists},
					},
					FillRate: resource.MustParse("64Gi"), LogFlags: []string{"--zap-log-level=debug"},
				}
			},
		},
		{
			reason: "no agents; and if there were, none that tolerates anything",
			args:   []string{"--agent=off", "--agent-tolerations=", "--guaranteed-fill-rate=1Mi"},
			change: func(o *options) {
				o.agents.Mode, o.agents.Tolerations, o.agents.FillRate = operand.Off, nil, resource.MustParse("1Mi")
			},
		},
		{
			reason: "where it is served, and who acts",
			args: []string{
				"--metrics-bind-address=0", "--metrics-cert-dir=/certs", "--health-probe-bind-address=:1", "--leader-elect",
			},
			change: func(o *options) {
				o.metricsAddr, o.metricsCertDir, o.probeAddr, o.leaderElect = "0", "/certs", ":1", true
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			want := standard()
			tt.change(&want)
			got, err := parse(tt.watch, tt.args...)
			if err != nil {
				t.Fatalf("%s, but: %v", tt.reason, err)
			}
			compare := cmp.Options{cmp.AllowUnexported(options{}, webhookOptions{}), cmpopts.IgnoreTypes(zap.Options{})}
			if diff := cmp.Diff(want, got, compare); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
			}
		})
	}
}

func TestOptionsThatCannotBeAreRefusedWithWhatCan(t *testing.T) {
	tests := []struct {
		reason string
		watch  string
		args   []string
		// want lists what the message must name: the flag, its value and what is allowed.
		want []string
	}{
		{
			reason: "a namespace that cannot be one",
			args:   []string{"--namespace=default,My_Shop"},
			want:   []string{"--namespace", `"My_Shop"`, "lower case alphanumeric characters"},
		},
		{
			reason: "a namespace in the variable that cannot be one",
			watch:  "My_Shop",
			want:   []string{"WATCH_NAMESPACE", `"My_Shop"`, "lower case alphanumeric characters"},
		},
		{
			reason: "an address without a scheme",
			args:   []string{"--prometheus-addr=prometheus:9090"},
			want:   []string{"--prometheus-addr", `"prometheus:9090"`, "http://prometheus.monitoring:9090"},
		},
		{
			reason: "an address of another scheme",
			args:   []string{"--prometheus-addr=ftp://prometheus:9090"},
			want:   []string{"--prometheus-addr", `"ftp://prometheus:9090"`, "http://prometheus.monitoring:9090"},
		},
		{
			reason: "an address without a host",
			args:   []string{"--prometheus-addr=http://"},
			want:   []string{"--prometheus-addr", `"http://"`, "http://prometheus.monitoring:9090"},
		},
		{
			reason: "an address that is none",
			args:   []string{"--prometheus-addr=http://[::1"},
			want:   []string{"--prometheus-addr", `"http://[::1"`, "http://prometheus.monitoring:9090"},
		},
		{
			reason: "a certificate for no webhook",
			args:   []string{"--webhook-port=0", "--webhook-cert-secret=certs"},
			want:   []string{"--webhook-cert-secret", `"certs"`, "--webhook-port 0"},
		},
		{
			reason: "a port of the webhook too far",
			args:   []string{"--webhook-port=65536"}, want: []string{"--webhook-port 65536", "0 for none"},
		},
		{
			reason: "a Secret that cannot be one",
			args:   []string{"--webhook-cert-secret=My_Secret"}, want: []string{"--webhook-cert-secret", `"My_Secret"`, "lower case"},
		},
		{reason: "agents now and then", args: []string{"--agent=maybe"}, want: []string{"--agent", `"maybe"`, "auto, on or off"}},
		{
			reason: "a selector by more than equality",
			args:   []string{"--agent-node-selector=pool"},
			want:   []string{"--agent-node-selector", `"pool"`, "key=value"},
		},
		{
			reason: "a label that cannot be one",
			args:   []string{"--agent-node-selector=pool=a b"},
			want:   []string{"--agent-node-selector", `"pool=a b"`, "consist of alphanumeric characters"},
		},
		{
			reason: "an effect that taints do not have",
			args:   []string{"--agent-tolerations=pool=apps:Never"},
			want:   []string{"--agent-tolerations", `"Never"`, "NoSchedule, PreferNoSchedule or NoExecute"},
		},
		{
			reason: "a taint without a key",
			args:   []string{"--agent-tolerations=:NoSchedule"},
			want:   []string{"--agent-tolerations", `":NoSchedule"`, "key"},
		},
		{
			reason: "a value that taints cannot have",
			args:   []string{"--agent-tolerations=pool=a b"},
			want:   []string{"--agent-tolerations", `"a b"`, "consist of alphanumeric characters"},
		},
		{
			reason: "a guarantee of next to nothing",
			args:   []string{"--guaranteed-fill-rate=1023Ki"},
			want:   []string{"--guaranteed-fill-rate", `"1023Ki"`, "1Mi to 64Gi"},
		},
		{
			reason: "a guarantee that no machine needs",
			args:   []string{"--guaranteed-fill-rate=65Gi"},
			want:   []string{"--guaranteed-fill-rate", `"65Gi"`, "1Mi to 64Gi"},
		},
		{
			reason: "a guarantee that is no quantity",
			args:   []string{"--guaranteed-fill-rate=fast"},
			want:   []string{"--guaranteed-fill-rate", `"fast"`, "1Mi to 64Gi"},
		},
		{reason: "no port", args: []string{"--kubelet-port=0"}, want: []string{"--kubelet-port 0", "1 to 65535"}},
		{reason: "a port too far", args: []string{"--kubelet-port=65536"}, want: []string{"--kubelet-port 65536", "1 to 65535"}},
		{reason: "a port that is no number", args: []string{"--kubelet-port=https"}, want: []string{"-kubelet-port", `"https"`}},
		{
			reason: "certificates verified and not verified",
			args:   []string{"--kubelet-insecure-tls", "--kubelet-certificate-authority=/ca.crt"},
			want:   []string{"--kubelet-insecure-tls", "--kubelet-certificate-authority", `"/ca.crt"`, "exclude each other"},
		},
		{
			reason: "samples too often",
			args:   []string{"--sample-interval=999ms"},
			want:   []string{"--sample-interval 999ms", "1s to 5m"},
		},
		{
			reason: "samples too seldom",
			args:   []string{"--sample-interval=5m1s", "--max-sample-age=1h"},
			want:   []string{"--sample-interval 5m1s", "1s to 5m"},
		},
		{
			reason: "samples too old before the next one comes",
			args:   []string{"--sample-interval=2m"},
			want:   []string{"--max-sample-age 1m0s", "--sample-interval (2m0s) to 1h"},
		},
		{
			reason: "samples of yesterday",
			args:   []string{"--max-sample-age=24h"},
			want:   []string{"--max-sample-age 24h0m0s", "--sample-interval (5s) to 1h"},
		},
		{reason: "a time without a unit", args: []string{"--sample-interval=5"}, want: []string{"-sample-interval", `"5"`}},
		{reason: "a flag that there is not", args: []string{"--threshold=75"}, want: []string{"-threshold"}},
		{
			reason: "a switch with its value apart, which would be taken for on",
			args:   []string{"--leader-elect", "false"},
			want:   []string{`"false"`, "--flag=value"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.reason, func(t *testing.T) {
			_, err := parse(tt.watch, tt.args...)
			if err == nil {
				t.Fatalf("%s is accepted", tt.reason)
			}
			for _, word := range tt.want {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%s: the message does not name %s: %v", tt.reason, word, err)
				}
			}
		})
	}
}

func TestFlagsCanBeSetByVariables(t *testing.T) {
	read := func(env map[string]string, args ...string) (options, error) {
		flags := flag.NewFlagSet("memhog-operator", flag.ContinueOnError)
		flags.SetOutput(io.Discard)
		return parseOptions(flags, args, func(name string) string { return env[name] })
	}
	env := map[string]string{"MEMHOG_PROMETHEUS_ADDR": "http://192.0.2.7:9090", "MEMHOG_KUBELET_INSECURE_TLS": "true"}
	o, err := read(env)
	if err != nil || o.prometheusAddr != "http://192.0.2.7:9090" || !o.kubelet.InsecureTLS {
		t.Errorf("got %+v, %v", o, err)
	}
	if o, err = read(env, "--prometheus-addr=http://192.0.2.8:9090"); err != nil || o.prometheusAddr != "http://192.0.2.8:9090" {
		t.Errorf("the command line is not stronger: got %q, %v", o.prometheusAddr, err)
	}
	_, err = read(map[string]string{"MEMHOG_SAMPLE_INTERVAL": "often"})
	if err == nil || !strings.Contains(err.Error(), `MEMHOG_SAMPLE_INTERVAL "often", for --sample-interval`) {
		t.Errorf("got %v, want an error that names variable, value and flag", err)
	}
}
