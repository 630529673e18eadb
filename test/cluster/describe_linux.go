package cluster

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Describe writes where the cluster is and how its programs are.
func (c *Cluster) Describe(w io.Writer) error {
	if c.Own() {
		_, err := fmt.Fprintf(w, "your own cluster, KUBECONFIG=%s\n", c.own)
		return err
	}
	all, err := c.statuses()
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "API server\t%s\n", c.apiURL())
	fmt.Fprintf(t, "kubeconfig\t%s\n", c.Kubeconfig())
	fmt.Fprintf(t, "logs\t%s\n", c.Logs())
	for _, name := range sortedKeys(all) {
		s := all[name]
		switch {
		case s.PID == 0:
			fmt.Fprintf(t, "%s\tended: %s\n", name, s.Exit)
		case s.Starts > 1:
			fmt.Fprintf(t, "%s\trunning, started %d times\n", name, s.Starts)
		default:
			fmt.Fprintf(t, "%s\trunning\n", name)
		}
	}
	return t.Flush()
}
