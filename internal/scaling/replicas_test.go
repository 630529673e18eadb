package scaling

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// at is a replica that has the limit, of which half is its request, and a decision.
func at(limit int64, d Decision) Replica {
	r := Replica{Size: mi(limit/2, limit), Decision: d}
	if d.Action == Hold {
		r.Decision.Target = r.Size
	}
	return r
}

func still(why Reason) Decision { return Decision{Action: Hold, Reason: why} }

func to(action Action, means Means, limit int64) Decision {
	return Decision{Action: action, Reason: ReasonAboveThreshold, Means: means, Target: mi(limit/2, limit)}
}

// instead is a raise by rollout in the place of one in place, for which the node is too full.
func instead(limit int64) Decision { return insteadOf(ReasonNodeFull, limit) }

func insteadOf(refused Reason, limit int64) Decision {
	d := to(Raise, Rollout, limit)
	d.Instead = refused
	return d
}

func because(why Reason, d Decision) Decision {
	d.Reason = why
	return d
}

func TestReplicasSettle(t *testing.T) {
	calm := at(384, still(ReasonNormal))
	for _, tt := range []struct {
		reason   string
		replicas []Replica
		want     []Decision
	}{
		{"nobody asks", nil, []Decision{}},
		{"nobody needs anything", []Replica{calm, calm}, []Decision{calm.Decision, calm.Decision}},
		{
			"in place each grows alone",
			[]Replica{at(384, to(Raise, InPlace, 768)), calm, at(384, to(Raise, InPlace, 1536))},
			[]Decision{to(Raise, InPlace, 768), calm.Decision, to(Raise, InPlace, 1536)},
		},
		{
			"of rollouts the largest decides",
			[]Replica{at(384, to(Raise, Rollout, 768)), at(384, to(Raise, Rollout, 1536)), calm},
			[]Decision{wait(calm, ReasonRolloutInProgress), to(Raise, Rollout, 1536), calm.Decision},
		},
		{
			"of equal ones the first",
			[]Replica{calm, at(384, to(Raise, Rollout, 768)), at(384, to(Raise, Rollout, 768))},
			[]Decision{calm.Decision, to(Raise, Rollout, 768), wait(calm, ReasonRolloutInProgress)},
		},
		{
			"what is stuck goes back first",
			[]Replica{at(384, to(Raise, Rollout, 768)), at(384, to(Rollback, Rollout, 100))},
			[]Decision{wait(calm, ReasonRolloutInProgress), to(Rollback, Rollout, 100)},
		},
		{
			"one that is full of ten does not restart the others",
			append([]Replica{at(384, instead(768))}, calm, calm, calm, calm, calm, calm, calm, calm, calm),
			[]Decision{
				wait(calm, ReasonNodeFull), calm.Decision, calm.Decision, calm.Decision, calm.Decision, calm.Decision,
				calm.Decision, calm.Decision, calm.Decision, calm.Decision,
			},
		},
		{
			"half of them do: those that need more, and those that are refused it",
			[]Replica{at(384, instead(768)), at(384, still(ReasonQuotaExceeded)), calm, calm},
			[]Decision{instead(768), wait(calm, ReasonQuotaExceeded), calm.Decision, calm.Decision},
		},
		{
			"to catch up is no need",
			[]Replica{at(384, instead(768)), at(384, because(ReasonCatchUp, to(Raise, InPlace, 768))), calm, calm},
			[]Decision{wait(calm, ReasonNodeFull), because(ReasonCatchUp, to(Raise, InPlace, 768)), calm.Decision, calm.Decision},
		},
		{
			"an OOM kill is enough",
			[]Replica{at(384, because(ReasonOOMKilled, instead(768))), calm, calm},
			[]Decision{because(ReasonOOMKilled, instead(768)), calm.Decision, calm.Decision},
		},
		{
			"so is one that cannot be resized at all",
			[]Replica{at(384, insteadOf(ReasonResizeInfeasible, 768)), calm, calm},
			[]Decision{insteadOf(ReasonResizeInfeasible, 768), calm.Decision, calm.Decision},
		},
		{
			"where there is only the rollout, one is enough",
			[]Replica{at(384, to(Raise, Rollout, 768)), calm, calm},
			[]Decision{to(Raise, Rollout, 768), calm.Decision, calm.Decision},
		},
		{
			"containers that restart take turns, the largest need first",
			[]Replica{at(384, to(Raise, Restart, 768)), at(384, to(Raise, Restart, 1536)), at(384, to(Raise, Restart, 768))},
			[]Decision{wait(calm, ReasonRolloutInProgress), to(Raise, Restart, 1536), wait(calm, ReasonRolloutInProgress)},
		},
		{
			"nor does one restart while another is not back",
			[]Replica{at(384, to(Raise, Restart, 768)), {Size: calm.Size, Unsettled: true, Decision: wait(calm, ReasonNormal)}},
			[]Decision{wait(calm, ReasonRolloutInProgress), wait(calm, ReasonNormal)},
		},
		{
			"one that is not back itself may",
			[]Replica{{Size: calm.Size, Unsettled: true, Decision: to(Raise, Restart, 768)}, at(384, wait(calm, ReasonNormal))},
			[]Decision{to(Raise, Restart, 768), wait(calm, ReasonNormal)},
		},
		{
			"a rollout lowers when all are idle, to the largest",
			[]Replica{at(768, to(Lower, Rollout, 100)), at(768, to(Lower, Rollout, 200))},
			[]Decision{wait(at(768, Decision{}), ReasonRolloutInProgress), to(Lower, Rollout, 200)},
		},
		{
			"and not before",
			[]Replica{at(768, to(Lower, Rollout, 100)), at(768, still(ReasonNormal))},
			[]Decision{wait(at(768, Decision{}), ReasonNormal), wait(at(768, Decision{}), ReasonNormal)},
		},
		{
			"whoever needs more decides against whoever is idle",
			[]Replica{at(768, to(Lower, Rollout, 700)), at(768, to(Raise, Rollout, 600))},
			[]Decision{wait(at(768, Decision{}), ReasonRolloutInProgress), to(Raise, Rollout, 600)},
		},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			got, _ := Settle(mi(192, 384), 0, tt.replicas)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
			}
		})
	}
}

func TestInPlaceMemoryIsLoweredDownToTheDurableSize(t *testing.T) {
	for _, tt := range []struct {
		reason   string
		durable  int64
		replicas []Replica
		lowered  []int64 // 0 for a hold
		left     int64
	}{
		{
			"one alone, above it", 768, []Replica{at(1536, to(Lower, InPlace, 384)), at(768, still(ReasonNormal))},
			[]int64{768, 0}, 768,
		},
		{
			"not one that has it", 768, []Replica{at(768, to(Lower, InPlace, 384)), at(768, still(ReasonNormal))},
			[]int64{0, 0}, 768,
		},
		{
			"when all are idle it comes down itself, to the largest that is asked for", 1536,
			[]Replica{at(1536, to(Lower, InPlace, 384)), at(1536, to(Lower, InPlace, 768))},
			[]int64{768, 768}, 768,
		},
		{
			"and also when the others have less already", 1536,
			[]Replica{at(1536, to(Lower, InPlace, 384)), at(400, still(ReasonNormal))}, []int64{400, 0}, 400,
		},
		{
			"where there is none, to what each asks for", 0,
			[]Replica{at(1536, to(Lower, InPlace, 384)), at(384, still(ReasonNormal)), at(384, still(ReasonNormal))},
			[]int64{384, 0, 0}, 0,
		},
		{
			"a size that hardly differs is left", 1500, []Replica{at(1536, to(Lower, InPlace, 384)), at(1536, still(ReasonNormal))},
			[]int64{0, 0}, 1536,
		},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			got, left := Settle(mi(tt.durable/2, tt.durable), 0, tt.replicas)
			for i, want := range tt.lowered {
				if want == 0 && got[i].Action != Hold || want > 0 && got[i].Target != mi(want/2, want) {
					t.Errorf("replica %d: %+v, want %dMi", i, got[i], want)
				}
			}
			if tt.left > 0 && left != mi(tt.left/2, tt.left) {
				t.Errorf("the durable size is %+v, want %dMi", left, tt.left)
			}
		})
	}
}

func TestASizeIsPromotedByHalfOfTheReplicasOrByAnOOMKill(t *testing.T) {
	replicas := func(limits ...int64) []Replica {
		all := make([]Replica, 0, len(limits))
		for _, l := range limits {
			all = append(all, at(l, still(ReasonNormal)))
		}
		return all
	}
	killed := func(all []Replica, i int) []Replica { all[i].OOMKilled = true; return all }
	forgotten := func(all []Replica, i int) []Replica { all[i].Forgotten = true; return all }
	with := func(all []Replica, i int, d Decision) []Replica { all[i].Decision = d; return all }
	for _, tt := range []struct {
		reason   string
		replicas []Replica
		want     int64
	}{
		{"there are no replicas", nil, 384},
		{"all have the declared size", replicas(384, 384), 384},
		{"one of ten grows alone", replicas(384, 384, 384, 384, 384, 384, 384, 384, 384, 768), 384},
		{"four of ten do", replicas(384, 384, 384, 384, 384, 384, 768, 768, 768, 768), 384},
		{"five of ten are half", replicas(384, 384, 384, 384, 384, 768, 768, 768, 768, 1536), 768},
		{"two of three are more than half", replicas(384, 768, 1536), 768},
		{"one of three is less", replicas(384, 384, 1536), 384},
		{"an only replica is all of them", replicas(1536), 1536},
		{"one of two is half", replicas(384, 768), 768},
		{"one of ten was OOM-killed", killed(replicas(384, 384, 384, 384, 384, 384, 384, 384, 384, 768), 9), 768},
		{"one that was killed and has the declared size gives none", killed(replicas(384, 384, 384), 0), 384},
		{"of several the largest that was killed", killed(killed(replicas(384, 384, 384, 384, 384, 768, 1536), 5), 6), 1536},
		{"half of them have more than the killed one", killed(replicas(384, 768, 1536, 1536), 1), 1536},
		{"smaller ones do not count", replicas(100, 100, 100, 768), 384},
		{"what the user had forgotten does not count", forgotten(replicas(384, 768), 1), 384},
		{"nor an OOM kill from before", forgotten(killed(replicas(384, 384, 768), 2), 2), 384},
		{"nor what is about to be replaced", with(replicas(384, 768), 1, to(Raise, Rollout, 900)), 384},
		{"what is asked for is not yet had", with(replicas(384), 0, to(Raise, InPlace, 900)), 384},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			if _, got := Settle(mi(192, 384), 0, tt.replicas); got != mi(tt.want/2, tt.want) {
				t.Errorf("%s: %+v, want a limit of %dMi", tt.reason, got, tt.want)
			}
		})
	}
}

func TestReplicasThatDoNotRunYetCount(t *testing.T) {
	first := Replica{Size: mi(384, 768), Decision: Decision{Action: Hold, Reason: ReasonNormal, Target: mi(384, 768)}}
	if _, got := Settle(mi(192, 384), 10, []Replica{first}); got != mi(192, 384) {
		t.Errorf("the first of ten gives all of them %+v", got)
	}
	if _, got := Settle(mi(192, 384), 2, []Replica{first}); got != first.Size {
		t.Errorf("the first of two gives both %+v", got)
	}
	full := Replica{Size: mi(192, 384), Decision: Decision{
		Action: Raise, Reason: ReasonAboveThreshold, Means: Rollout, Target: mi(384, 768), Instead: ReasonNodeFull,
	}}
	if got, _ := Settle(mi(192, 384), 10, []Replica{full}); got[0].Action != Hold {
		t.Errorf("the first of ten has all of them rolled out: %+v", got[0])
	}
}
