package agent

import (
	"testing"
	"time"
)

func TestDeadlines(t *testing.T) {
	const actuation = 130 * time.Millisecond
	for _, tt := range []struct {
		reason      string
		used, limit int64 // Mi
		want        time.Duration
	}{
		{"half full", 192, 384, 600 * time.Millisecond},
		{"nearly full", 350, 384, shortest},
		{"more than full", 400, 384, shortest},
		{"as good as empty", 10, 10 << 20, longest},
		{"just room for the longest", 0, 300, longest},
	} {
		if got := deadline(tt.used*mebibyte, tt.limit*mebibyte, rate, actuation); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.reason, got, tt.want)
		}
	}
	if got := deadline(0, 1, 0, 0); got != longest {
		t.Errorf("nothing is promised: %s, want %s", got, longest)
	}
}

func TestADeadlineIsNeverTooLate(t *testing.T) {
	for used := int64(0); used <= 1024; used++ {
		for _, actuation := range []time.Duration{0, 50 * time.Millisecond, time.Second} {
			wait := deadline(used*mebibyte, 1024*mebibyte, rate, actuation)
			filled := float64(used*mebibyte) + rate*(wait+actuation).Seconds()
			if wait > shortest && filled > 1024*mebibyte {
				t.Fatalf("%dMi in use: after %s and a resize of %s, %.0f bytes are in use", used, wait, actuation, filled)
			}
		}
	}
}

func TestTheRateThatAContainerSurvives(t *testing.T) {
	// 96Mi / 160 ms.
	if got := keeps(384*mebibyte, 0.75, shortest, 130*time.Millisecond); got != 600*mebibyte {
		t.Errorf("%d, want %d", got, 600*mebibyte)
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
	l.answered()
	if got := l.now(now); got >= time.Second && got != 900*time.Millisecond {
		t.Errorf("answered again: %s", got)
	}
}
