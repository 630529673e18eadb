package scaler

import (
	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/test/replay/world"
)

// pollSeconds is how often the ancestor looked.
const pollSeconds = 10

// ancestor is the rule of the operator of 2017: at the threshold, request and limit are multiplied once, by the multiplier
// with its fraction cut off, in a Pod that takes the place of the one that is there. There is no ceiling, no cooldown, no
// forecast, and no answer to an OOM kill. It reads the same samples as ours, and waits for its new Pod: that it left the
// Deployment behind, which started the small Pod again, is not held against the rule.
type ancestor struct {
	threshold float64
	factor    int64
}

func (a *ancestor) Tick(second int, c *world.Container) {
	sample, size := c.Sample(), c.Size()
	if second%pollSeconds != 0 || sample.Time.IsZero() || c.Replacing() {
		return
	}
	if float64(sample.Bytes)/float64(size.Limit) >= a.threshold {
		c.Rollout(second, scaling.Memory{Request: size.Request * a.factor, Limit: size.Limit * a.factor})
	}
}

func (a *ancestor) Account() []Decision { return nil }
