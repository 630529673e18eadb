package main

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strconv"
	"time"
)

// options are what the environment, and the flags, say about the story.
type options struct {
	prometheus      bool    // the operator reads Prometheus, not the kubelet
	keep            bool    // leave everything as it is at the end
	agent           bool    // the nodes' agents act, not the operator by what it reads
	strategy        string  // of the AppMonitor, or "" to apply it as it is: in place
	rate            float64 // MiB per second
	ownCluster      bool    // KUBECONFIG is set
	operatorImage   string  // images that are there already; needed on one's own cluster
	memhogImage     string
	prometheusImage string

	deadline time.Duration // for the rescue, from when the Deployment is applied
	linger   time.Duration // how long to go on watching after it
	chart    string        // path of the PNG, relative to the repository's root
}

// The growth of memhog, in MiB per second: an agent keeps up with any, the operator by itself learns of it when the kubelet
// does, and a rollout needs the time in which the new Pod starts, and there is one.
const (
	defaultAgentRate   = 64
	defaultRate        = 4
	defaultRolloutRate = 2
)

// inPlace is true for the story in which nothing is restarted.
func (o *options) inPlace() bool { return o.strategy != "Rollout" }

// usageText ends what -help prints.
const usageText = `
Environment:
  AGENT=off            let the operator act by itself, by what it reads from the kubelet; so it does with the next two
  METRICS=prometheus   let the operator read a real Prometheus instead of the kubelet
  STRATEGY=Rollout     grow by the Deployment's rolling update, not in place
  KEEP=1               leave the cluster up at the end, and say how to look around
  RATE=64              growth of memhog in MiB per second, 0.1 to 4096; without agents 4, with STRATEGY=Rollout 2
  KUBECONFIG           use this cluster instead of starting one; then also needed:
  IMG, MEMHOG_IMG      images of the operator and of memhog that it can pull
  PROMETHEUS_IMG       image of Prometheus that it can pull, for METRICS=prometheus
`

func parseOptions(flags *flag.FlagSet, args []string, getenv func(string) string) (options, error) {
	o := options{
		ownCluster:      getenv("KUBECONFIG") != "",
		operatorImage:   getenv("IMG"),
		memhogImage:     getenv("MEMHOG_IMG"),
		prometheusImage: getenv("PROMETHEUS_IMG"),
	}
	flags.DurationVar(&o.deadline, "deadline", 4*time.Minute, "how long the rescue may take, from when memhog is created")
	flags.DurationVar(&o.linger, "linger", 8*time.Second, "how long to go on watching after the rescue")
	flags.StringVar(&o.chart, "chart", filepath.Join("dist", "demo.png"), "where to draw the chart, seen from the repository's root")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), "Usage: go -C test run ./cmd/demo [flags]\n\nFlags:\n")
		flags.PrintDefaults()
		fmt.Fprint(flags.Output(), usageText)
	}
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if len(flags.Args()) > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err := o.readEnv(getenv); err != nil {
		return o, err
	}
	return o, nil
}

func (o *options) readEnv(getenv func(string) string) error {
	switch metrics := getenv("METRICS"); metrics {
	case "", "kubelet":
	case "prometheus":
		o.prometheus = true
	default:
		return fmt.Errorf("METRICS is %q, but must be kubelet or prometheus", metrics)
	}
	if keep := getenv("KEEP"); keep != "" {
		var err error
		if o.keep, err = strconv.ParseBool(keep); err != nil {
			return fmt.Errorf("KEEP is %q, but must be 1 or 0", keep)
		}
	}
	if err := o.readGrowth(getenv); err != nil {
		return err
	}
	if !o.ownCluster {
		return nil
	}
	for name, value := range map[string]string{"IMG": o.operatorImage, "MEMHOG_IMG": o.memhogImage} {
		if value == "" {
			return fmt.Errorf("KUBECONFIG names your own cluster, so set %s to an image that it can pull (see -help)", name)
		}
	}
	if o.prometheus && o.prometheusImage == "" {
		return errors.New("KUBECONFIG names your own cluster, so set PROMETHEUS_IMG to an image that it can pull (see -help)")
	}
	return nil
}

// readGrowth reads how memhog grows, and how it is given what it needs.
func (o *options) readGrowth(getenv func(string) string) error {
	switch o.strategy = getenv("STRATEGY"); o.strategy {
	case "", "Auto", "InPlace", "Rollout":
	default:
		return fmt.Errorf("STRATEGY is %q, but must be Auto, InPlace or Rollout", o.strategy)
	}
	switch agent := getenv("AGENT"); agent {
	case "":
		o.agent = o.inPlace() && !o.prometheus
	case "on", "off":
		o.agent = agent == "on"
	default:
		return fmt.Errorf("AGENT is %q, but must be on or off", agent)
	}
	switch {
	case !o.inPlace():
		o.rate = defaultRolloutRate
	case o.agent:
		o.rate = defaultAgentRate
	default:
		o.rate = defaultRate
	}
	if rate := getenv("RATE"); rate != "" {
		var err error
		// The comparison is written so that NaN fails it.
		if o.rate, err = strconv.ParseFloat(rate, 64); err != nil || !(o.rate >= 0.1 && o.rate <= 4096) {
			return fmt.Errorf("RATE is %q, but must be a number from 0.1 to 4096 (MiB/s)", rate)
		}
	}
	return nil
}
