// Package scaler holds the policies that a replay compares: ours, and those that it is measured against.
package scaler

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/test/replay/trace"
	"github.com/kubedemo/memhog-operator/test/replay/world"
)

// Scaler changes the size of a container, or does not.
type Scaler interface {
	// Tick is called after every second that passed for the container.
	Tick(second int, c *world.Container)
	// Account is what it decided, oldest first; nil from a policy that gives none.
	Account() []Decision
}

// Decision is one entry of an account: a decision that changed something, or one that is not what it was before.
type Decision struct {
	Second int
	scaling.Decision
	// From is the size at the time, and Used what the newest sample showed.
	From scaling.Memory
	Used int64
}

// Options are what can be tried.
type Options struct {
	// Size that the container is declared with.
	Size scaling.Memory
	// InPlace is true when our operator resizes Pods, false when it rolls out new ones.
	InPlace bool
	// Policy of our operator. The ancestor has its threshold and multiplier in common with it.
	Policy scaling.Policy
}

// DefaultPolicy is that of an AppMonitor that sets the two required fields, to 75 and 2, and nothing else.
func DefaultPolicy() scaling.Policy {
	return scaling.Policy{
		Threshold:    0.75,
		Multiplier:   2,
		MaxSampleAge: time.Minute,
		Cooldown:     time.Minute,
		Forecasts:    true,
		Budget:       scaling.Budget{Raises: 3, Window: 24 * time.Hour},
	}
}

// Names of the policies. Ours is there twice: as it is by default, and with scaleDown on.
const (
	None     = "none"
	Ancestor = "ancestor"
	VPA      = "vpa"
	Oracle   = "oracle"
	Ours     = "ours"
	OursDown = "ours-down"
)

// Names lists them, in the order of the table.
func Names() []string { return []string{None, Ancestor, VPA, Ours, OursDown, Oracle} }

// New returns the policy of that name, and the size that the container starts with.
func New(name string, t trace.Trace, o Options) (Scaler, scaling.Memory, error) {
	switch name {
	case None:
		return idle{}, o.Size, nil
	case Ancestor:
		return &ancestor{threshold: o.Policy.Threshold, factor: int64(o.Policy.Multiplier)}, o.Size, nil
	case VPA:
		return newVPA(o.Size), o.Size, nil
	case Oracle:
		return idle{}, foreseen(t, o.Size), nil
	case Ours:
		return newOurs(o), o.Size, nil
	case OursDown:
		o.Policy.LowerAfter = lowerAfter
		return newOurs(o), o.Size, nil
	}
	return nil, scaling.Memory{}, fmt.Errorf("policy %q: want one of %s", name, strings.Join(Names(), ", "))
}

// Check is the error of a name that is none.
func Check(name string) error {
	if slices.Contains(Names(), name) {
		return nil
	}
	_, _, err := New(name, trace.Trace{}, Options{})
	return err
}

// DefaultSize is what the built-in traces are made for: that of the ancestor's demo.
var DefaultSize = scaling.Memory{Request: 256 << 20, Limit: 384 << 20}
