package world

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubedemo/memhog-operator/test/replay/trace"
)

const mib = trace.MiB

var small = Memory{Request: 256 * mib, Limit: 384 * mib}

// demand is a trace of these MiB by the age of the process; it stays at the last.
func demand(mebibytes ...int64) trace.Trace {
	return trace.Trace{Seconds: 1 << 20, At: func(_, age int) trace.Use {
		return trace.Use{Anonymous: mebibytes[min(age, len(mebibytes)-1)] * mib}
	}}
}

func start(t trace.Trace) *Container { return New(t, small, Source{Period: 1}) }

// pass lets the seconds from one to before another pass, and returns those with a kill.
func pass(c *Container, from, to int) []int {
	var kills []int
	for second := from; second < to; second++ {
		before := c.Counts().OOMKills
		c.Pass(second)
		if c.Counts().OOMKills > before {
			kills = append(kills, second)
		}
	}
	return kills
}

func TestAKillIsForMoreThanTheLimit(t *testing.T) {
	c := start(demand(100, 384, 385))
	if kills := pass(c, 0, 2); kills != nil {
		t.Errorf("killed at %v, with no more than the limit", kills)
	}
	if kills := pass(c, 2, 3); !slices.Equal(kills, []int{2}) || c.Running() {
		t.Errorf("killed at %v, running %v; want a kill at 385 MiB of 384", kills, c.Running())
	}
	if got, want := c.OOMKilledAt(), Time(2); !got.Equal(want) || c.OOMKilledAfter() != 2 {
		t.Errorf("killed at %v after %d s, want %v after 2 s", got, c.OOMKilledAfter(), want)
	}
	if use := c.Use(); use != (trace.Use{}) || c.Slack() != small.Limit {
		t.Errorf("holds %+v after the kill, slack %d", use, c.Slack())
	}
}

func TestRestartsBackOff(t *testing.T) {
	// Each process is killed in its first second.
	kills := pass(start(demand(400)), 0, 2000)
	want := []int{0, 10, 30, 70, 150, 310, 610, 910, 1210, 1510, 1810}
	if diff := cmp.Diff(want, kills); diff != "" {
		t.Errorf("kills (-want +got):\n%s", diff)
	}
}

func TestAGoodRunEndsTheBackoff(t *testing.T) {
	long := make([]int64, 600)
	kills := pass(start(demand(append(long, 400)...)), 0, 3000)
	if want := []int{600, 1210, 1820, 2430}; !slices.Equal(kills, want) {
		t.Errorf("kills at %v, want %v: 10 s of pause after 10 minutes of running", kills, want)
	}
}

func TestFileCacheIsNotKilledFor(t *testing.T) {
	c := start(trace.Trace{At: func(int, int) trace.Use { return trace.Use{Anonymous: 100 * mib, Reclaimable: 1000 * mib} }})
	pass(c, 0, 2)
	want := trace.Use{Anonymous: 100 * mib, Reclaimable: 284 * mib}
	if got := c.Use(); got != want || c.Counts().OOMKills != 0 {
		t.Errorf("holds %+v, want %+v and no kill", got, want)
	}
	if got := c.Sample().Bytes; got != small.Limit {
		t.Errorf("the source shows %d, want all that the limit allows", got)
	}
	if got := c.Slack(); got != 284*mib {
		t.Errorf("slack of %d, want what is not anonymous", got)
	}
}

func TestTheOldPodRunsUntilTheNewOneDoes(t *testing.T) {
	large := Memory{Request: 512 * mib, Limit: 768 * mib}
	c := start(demand(100, 200, 300))
	pass(c, 0, 11)
	c.Rollout(10, large)
	pass(c, 11, 40)
	if c.Size() != small || !c.Replacing() || !c.Running() || c.Started() != 0 {
		t.Errorf("before the new Pod is there: size %v, replacing %v, running %v", c.Size(), c.Replacing(), c.Running())
	}
	pass(c, 40, 41)
	if c.Size() != large || c.Replacing() || c.Started() != 40 || c.Use().Anonymous != 100*mib {
		t.Errorf("then: size %v, replacing %v, started %d, holds %+v", c.Size(), c.Replacing(), c.Started(), c.Use())
	}
	if got, want := c.Counts(), (Counts{Restarts: 1, Changes: 1}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
}

func TestTheOldPodMayBeKilledMeanwhile(t *testing.T) {
	c := start(demand(100, 200, 400))
	pass(c, 0, 1)
	c.Rollout(0, Memory{Request: 512 * mib, Limit: 768 * mib})
	if kills := pass(c, 1, 35); !slices.Equal(kills, []int{2, 14}) {
		t.Errorf("kills at %v, want 2 and, 10 s later, 2 s after the restart", kills)
	}
	if !c.OOMKilledAt().IsZero() || c.Started() != 30 || !c.Running() {
		t.Errorf("the new Pod: killed at %v, started at %d, running %v", c.OOMKilledAt(), c.Started(), c.Running())
	}
}

func TestAResizeRestartsNothing(t *testing.T) {
	c := start(demand(100, 200, 300, 400))
	pass(c, 0, 3)
	c.Resize(2, Memory{Request: 512 * mib, Limit: 768 * mib})
	pass(c, 3, 6)
	if got, want := c.Counts(), (Counts{Changes: 1}); got != want || c.Use().Anonymous != 400*mib || c.Started() != 0 {
		t.Errorf("counts %+v, want %+v; holds %+v, started at %d", got, want, c.Use(), c.Started())
	}
}

func TestAnEvictedPodIsAway(t *testing.T) {
	c := start(demand(100))
	pass(c, 0, 11)
	c.Evict(10, Memory{Request: 300 * mib, Limit: 450 * mib})
	pass(c, 11, 40)
	if c.Running() || c.Counts().DownSeconds != 29 {
		t.Errorf("running %v, down for %d s", c.Running(), c.Counts().DownSeconds)
	}
	pass(c, 40, 41)
	if !c.Running() || c.PodStarted() != 40 || c.Size().Limit != 450*mib {
		t.Errorf("running %v, started at %d, size %v", c.Running(), c.PodStarted(), c.Size())
	}
}

func TestWhatNoNodeHasRoomForNeverComes(t *testing.T) {
	huge := Memory{Request: Node + mib, Limit: 2 * Node}
	rolled := start(demand(100))
	pass(rolled, 0, 1)
	rolled.Rollout(0, huge)
	pass(rolled, 1, 1000)
	if rolled.Size() != small || !rolled.Running() || !rolled.Replacing() {
		t.Errorf("a rollout: size %v, running %v, replacing %v; want the old Pod to go on",
			rolled.Size(), rolled.Running(), rolled.Replacing())
	}
	evicted := start(demand(100))
	pass(evicted, 0, 1)
	evicted.Evict(0, huge)
	pass(evicted, 1, 1000)
	if evicted.Running() {
		t.Error("an eviction: a Pod runs that no node has room for")
	}
}

func TestTheNodeEndsBeforeTheLimit(t *testing.T) {
	c := New(demand(100, Node/mib, Node/mib+1), Memory{Request: mib, Limit: 2 * Node}, Source{Period: 1})
	if kills := pass(c, 0, 3); !slices.Equal(kills, []int{2}) {
		t.Errorf("kills at %v, want one above what the node has", kills)
	}
}

func TestAProgramMayRestartItself(t *testing.T) {
	d := demand(100, 101)
	d.Restarts = func(second int) bool { return second == 700 }
	c := start(d)
	pass(c, 0, 720)
	if got, want := c.Counts(), (Counts{DownSeconds: 10}); got != want || c.Started() != 710 {
		t.Errorf("counts %+v, want %+v; started at %d, want 710", got, want, c.Started())
	}
}
