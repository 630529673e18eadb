package agent

import (
	"testing"
	"time"
)

func TestWhenToLookAgain(t *testing.T) {
	for _, tt := range []struct {
		reason      string
		used, limit int64 // Mi
		actuation   time.Duration
		want        time.Duration
	}{
		{"half full", 192, 384, 130 * time.Millisecond, 375 * time.Millisecond},
		{"just below the threshold", 280, 384, 130 * time.Millisecond, calmLook},
		{"resizes are slow", 280, 384, 370 * time.Millisecond, 16250 * time.Microsecond},
		{"resizes are slow, and less is in use", 192, 384, 500 * time.Millisecond, 230 * time.Millisecond},
		{"nearly full", 350, 384, 130 * time.Millisecond, shortest},
		{"more than full", 400, 384, 130 * time.Millisecond, shortest},
		{"as good as empty", 10, 10 << 20, 130 * time.Millisecond, longest},
	} {
		if got := schedule(tt.used*mebibyte, tt.limit*mebibyte, 0.75, rate, tt.actuation); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.reason, got, tt.want)
		}
	}
	if got := schedule(0, 1, 0.75, 0, 0); got != longest {
		t.Errorf("nothing is promised: %s, want %s", got, longest)
	}
}

// What grows as fast as a container survives by keeps, or slower, is never full before the resize is through, wherever it was when
// it was looked at.
func TestWhatIsSaidToBeKeptIsKept(t *testing.T) {
	const threshold = 0.75
	for _, limit := range []int64{64, 100, 384, 1024, 3072} {
		for _, actuation := range []time.Duration{0, 50 * time.Millisecond, 300 * time.Millisecond, time.Second} {
			growth := min(rate, keeps(limit*mebibyte, threshold, rate, 0, actuation))
			for used := int64(0); used < limit*3/4; used++ {
				wait := schedule(used*mebibyte, limit*mebibyte, threshold, rate, actuation)
				full := float64(used*mebibyte) + float64(growth)*(wait+actuation).Seconds()
				seen := float64(used*mebibyte) + float64(growth)*wait.Seconds()
				if seen >= threshold*float64(limit*mebibyte) && full > float64(limit*mebibyte) {
					t.Fatalf("%dMi of %dMi, growing by %d: looked at again after %s, and full before a resize of %s",
						used, limit, growth, wait, actuation)
				}
			}
		}
	}
}

func TestTheRateThatAContainerSurvives(t *testing.T) {
	for _, tt := range []struct {
		reason           string
		floor, actuation time.Duration
		want             int64
	}{
		{"96Mi in 200 ms", 0, 130 * time.Millisecond, 480},
		{"looks that are spared", 100 * time.Millisecond, 130 * time.Millisecond, 384},
		{"slow resizes are looked at sooner: 96Mi in 375 ms", 0, 340 * time.Millisecond, 256},
		{"96Mi in 960 ms", 0, 930 * time.Millisecond, 100},
	} {
		if got := keeps(384*mebibyte, 0.75, rate, tt.floor, tt.actuation); got/mebibyte != tt.want {
			t.Errorf("%s: %dMi, want %dMi", tt.reason, got/mebibyte, tt.want)
		}
	}
}

func TestTheLowestIsRememberedForAWhile(t *testing.T) {
	l, at := lowest{}, time.Unix(1000, 0)
	for i, value := range []int64{256, 100, 256, 200, 256} {
		l.add(value, at.Add(time.Duration(i)*time.Second))
	}
	if got := l.now(); got != 100 {
		t.Errorf("%d, want 100", got)
	}
	l.add(200, at.Add(lowestSpan+time.Second))
	if got := l.now(); got != 100 {
		t.Errorf("%d a moment later, want 100", got)
	}
	l.add(256, at.Add(2*lowestSpan+2*time.Second))
	if got := l.now(); got != 200 {
		t.Errorf("%d, want what came after it", got)
	}
	l.add(256, at.Add(5*lowestSpan))
	if got := l.now(); got != 256 {
		t.Errorf("%d long after, want 256", got)
	}
}

func TestCalmContainersAreLookedAtNoMoreThanIsAffordable(t *testing.T) {
	var p pace
	now := time.Unix(0, 0)
	second := func(containers int) (looks int) {
		for end := now.Add(time.Second); now.Before(end); now = now.Add(p.at()) {
			for range containers {
				p.looked(now)
				looks++
			}
		}
		return looks
	}
	for range 5 {
		second(50)
	}
	if looks := second(50); looks > affordable*11/10 {
		t.Errorf("%d looks in a second, want at most about %d", looks, affordable)
	}
	for range 10 {
		second(1)
	}
	if p.at() != shortest {
		t.Errorf("one container is looked at every %s at most, want %s", p.at(), shortest)
	}
}

func TestLooksThatCostLittleAreTakenAnyway(t *testing.T) {
	for containers, want := range map[int]time.Duration{
		0: shortest, 1: shortest, 2: shortest, 20: 100 * time.Millisecond, 110: 550 * time.Millisecond,
	} {
		if got := spared(containers); got != want {
			t.Errorf("%d containers: each every %s, want %s", containers, got, want)
		}
	}
}

func TestLatenessIsForgotten(t *testing.T) {
	var l lateness
	at := time.Unix(100, 0)
	l.looked(at.Add(-time.Second), at)
	l.looked(at, at.Add(time.Millisecond))
	if got := l.now(at.Add(latenessSpan + time.Second)); got != time.Second {
		t.Errorf("%s, want the worst of late", got)
	}
	if got := l.now(at.Add(3 * latenessSpan)); got != 0 {
		t.Errorf("%s after a while, want nothing", got)
	}
}

func TestTheLatencyOfTheNextResize(t *testing.T) {
	now := time.Unix(1000, 0)
	var l latency
	if got := l.now(now); got != usualLatency {
		t.Errorf("nothing measured: %s, want %s", got, usualLatency)
	}
	one, other := &container{}, &container{}
	for i := range 40 {
		l.begin(one, now)
		now = now.Add(time.Duration(i+1) * time.Millisecond)
		l.end(one, now)
	}
	if got := l.now(now); got != 38*time.Millisecond {
		t.Errorf("the quantile is %s, want 38ms", got)
	}
	l.begin(one, now)
	l.begin(other, now.Add(100*time.Millisecond))
	now = now.Add(time.Second)
	if got := l.now(now); got != time.Second {
		t.Errorf("one is not through: %s, want as long as it has taken", got)
	}
	l.drop(one)
	l.end(other, now)
	if got := l.now(now.Add(measuredFade)); got != usualLatency {
		t.Errorf("long after: %s, want %s", got, usualLatency)
	}
	l.unanswered(now)
	l.unanswered(now.Add(time.Second))
	if got := l.now(now.Add(3 * time.Second)); got != 3*time.Second {
		t.Errorf("no answer: %s, want as long as there was none", got)
	}
	l.begin(one, now.Add(time.Second))
	back := now.Add(4 * time.Second)
	l.answered(back)
	if got := l.now(back); got != 3*time.Second {
		t.Errorf("answered again: %s, want as long as one waits", got)
	}
	l.end(one, back)
	l.begin(other, back.Add(aftermath/2))
	l.end(other, back.Add(aftermath))
	if got := l.now(back); got >= time.Second {
		t.Errorf("all are through: %s, want what resizes take else", got)
	}
	for range 4 {
		l.begin(other, back.Add(aftermath))
		l.end(other, back.Add(aftermath+2*time.Second))
	}
	if got := l.now(back); got != 2*time.Second {
		t.Errorf("slow ones long after: %s, want that", got)
	}
}
