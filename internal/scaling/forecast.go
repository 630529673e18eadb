package scaling

import "time"

// runsOut is true when use, growing as it does, will have reached the limit before the decision after this one can take
// effect: the newest sample's use, and its growth since then and until the horizon.
//
// 200Mi of 384Mi, measured 10 s ago and growing by 4Mi in a second, with samples every 15 s, a tick of 5 s and a rollout
// of 30 s: 200Mi + 4Mi × (10 + 15 + 5 + 30) = 440Mi, so it cannot wait.
//
// Where a change costs a restart, use below half of the limit is left to grow: so does every program when it starts. What
// somebody else foresees is left to him.
func (o Observation) runsOut(p Policy, now time.Time) bool {
	if !p.Forecasts || o.Foreseen || o.Disruptive && o.Sample.Bytes < o.Size.Limit/2 {
		return false
	}
	ahead := p.Horizon
	if ahead == 0 {
		ahead = o.History.Period() + o.Reaction
	}
	ahead += max(0, now.Sub(o.Sample.Time))
	return float64(o.Sample.Bytes)+o.History.Slope()*ahead.Seconds() >= float64(o.Size.Limit)
}

// outruns is true when use, growing at the rate that is promised to be survived, could reach the limit before the cooldown is
// over: with 256Mi a second and half a second left, from 256Mi of 384Mi on.
func (o Observation) outruns(cooldown time.Duration, now time.Time) bool {
	if o.Rate <= 0 || o.Disruptive {
		return false
	}
	left := cooldown - now.Sub(o.LastChange).Abs() + max(0, now.Sub(o.Sample.Time))
	return float64(o.Sample.Bytes)+float64(o.Rate)*left.Seconds() >= float64(o.Size.Limit)
}
