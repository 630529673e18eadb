package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// Decided waits until the account of the AppMonitor's decisions tells of this one: "Raise of memhog from 256Mi/384Mi to
// 400Mi/600Mi: AboveThreshold, limited by AtMaximum", "Hold of memhog at 400Mi/600Mi: AtMaximum".
func (m *monitor) Decided(on *deployment, what string) {
	m.story.t.Helper()
	m.story.awaits(fmt.Sprintf("AppMonitor %s tells of the decision %q", m.name, what), func(ctx context.Context) error {
		now, err := m.get(ctx)
		if err != nil {
			return err
		}
		var told []string
		for i := range now.Status.Decisions {
			if d := &now.Status.Decisions[i]; d.Workload == "Deployment/"+on.applied.Name {
				told = append(told, sentence(d))
			}
		}
		if !slices.Contains(told, what) {
			return fmt.Errorf("it tells of %q", told)
		}
		return nil
	})
}

// sentence is what an entry of the account says, but for the time and the use.
func sentence(d *v1.Decision) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s of %s ", d.Action, d.Container)
	if d.To == nil {
		fmt.Fprintf(&b, "at %s", sizeOf(d.From))
	} else {
		fmt.Fprintf(&b, "from %s to %s", sizeOf(d.From), sizeOf(d.To))
	}
	fmt.Fprintf(&b, ": %s", d.Reason)
	if d.LimitedBy != "" {
		fmt.Fprintf(&b, ", limited by %s", d.LimitedBy)
	}
	if d.DryRun {
		b.WriteString(", dry run")
	}
	return b.String()
}

// sizeOf prints a size like those of containers: 256Mi/384Mi.
func sizeOf(size *v1.MemorySize) string {
	if size == nil {
		return "nothing"
	}
	request := "none"
	if size.Request != nil {
		request = size.Request.String()
	}
	return request + "/" + size.Limit.String()
}

// LastChanged waits until the status tells of this as the latest change: "Raise of memhog from 256Mi/384Mi to
// 512Mi/768Mi: AboveThreshold".
func (m *monitor) LastChanged(on *deployment, what string) {
	m.story.t.Helper()
	m.story.awaits(fmt.Sprintf("AppMonitor %s tells of the change %q", m.name, what), func(ctx context.Context) error {
		now, err := m.get(ctx)
		if err != nil {
			return err
		}
		c := now.Status.LastChange
		switch {
		case c == nil:
			return fmt.Errorf("it tells of none")
		case c.Workload != "Deployment/"+on.applied.Name:
			return fmt.Errorf("it tells of one of %s", c.Workload)
		case c.Time.IsZero():
			return fmt.Errorf("it tells of one without a time")
		}
		told := fmt.Sprintf("%s of %s from %s to %s: %s", c.Action, c.Container, sizeOf(&c.From), sizeOf(&c.To), c.Reason)
		if told != what {
			return fmt.Errorf("it tells of %q", told)
		}
		return nil
	})
}

// HasChangedNothing checks that the status tells of no change.
func (m *monitor) HasChangedNothing() {
	m.story.t.Helper()
	if c := m.now().Status.LastChange; c != nil {
		m.story.t.Errorf("AppMonitor %s tells of a change: %+v", m.name, c)
	}
}
