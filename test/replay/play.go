package main

import (
	"github.com/kubedemo/memhog-operator/test/replay/scaler"
	"github.com/kubedemo/memhog-operator/test/replay/trace"
	"github.com/kubedemo/memhog-operator/test/replay/world"
)

// mark is something that happened at a second, at so many bytes.
type mark struct {
	second int
	bytes  int64
}

// result is what came of one policy on one trace.
type result struct {
	trace, policy string
	world.Counts
	seconds int
	// slack is the mean over time of the limit less the anonymous memory held, in bytes.
	slack int64
	// peakLimit is the highest limit in effect.
	peakLimit int64
	account   []scaler.Decision

	// uses is the memory held in each second, as tools show it.
	uses []int64
	// limits are the changes of the limit, from the first one in effect.
	limits []mark
	// kills are the OOM kills, at the limit of the time.
	kills []mark
}

// play lets one policy have its way with one trace.
func play(t trace.Trace, policy string, source world.Source, o scaler.Options) (result, error) {
	s, size, err := scaler.New(policy, t, o)
	if err != nil {
		return result{}, err
	}
	c := world.New(t, size, source)
	r := result{trace: t.Name, policy: policy, seconds: t.Seconds, uses: make([]int64, t.Seconds)}
	var slack float64
	for second := range t.Seconds {
		kills := c.Counts().OOMKills
		c.Pass(second)
		limit := c.Size().Limit
		if n := len(r.limits); n == 0 || r.limits[n-1].bytes != limit {
			r.limits = append(r.limits, mark{second, limit})
		}
		if c.Counts().OOMKills > kills {
			r.kills = append(r.kills, mark{second, limit})
		}
		r.uses[second] = c.Use().Anonymous + c.Use().Reclaimable
		r.peakLimit = max(r.peakLimit, limit)
		slack += float64(c.Slack()) / float64(t.Seconds)
		s.Tick(second, c)
	}
	r.slack, r.Counts, r.account = int64(slack), c.Counts(), s.Account()
	return r, nil
}

// last is the reason of the last decision; a dash from a policy that gives none.
func (r result) last() string {
	if len(r.account) == 0 {
		return "–"
	}
	return string(r.account[len(r.account)-1].Reason)
}
