package controllers

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubedemo/memhog-operator/internal/scaling"
)

const (
	// firstRetry and lastRetry bound the pause between two tries of a raise that is refused. It doubles in between:
	// the container is in need, but whoever refuses has a reason that seldom goes away within seconds.
	firstRetry = 5 * time.Second
	lastRetry  = time.Minute

	// refusalFades is how long after the last need for a raise its refusal is still reported. Use that hovers around
	// the threshold would otherwise make the condition flap.
	refusalFades = 5 * time.Minute

	// absenceFades is how long an object must be gone to be forgotten.
	absenceFades = time.Hour
)

// ledger is what the operator remembers between the reconciles of each AppMonitor. All of it may be lost at a restart,
// after which refusals are told, and tried, once more.
type ledger struct {
	mu    sync.Mutex
	pages map[types.NamespacedName]*page
}

// page is the ledger's part for one AppMonitor. Reconciles of one AppMonitor never run at the same time, so it needs
// no lock of its own.
type page struct {
	// told holds what was told and need not be told again, by the object that it was told of.
	told map[types.UID]map[string]bool
	// hinted holds, by workload, what is told once and for all.
	hinted map[types.UID]map[string]bool
	// refusals of changes, by workload, by Pod in place, and of notes on Pods.
	refusals map[types.UID]*refusal
	// seen is when an object was last there.
	seen map[types.UID]time.Time

	trends  trends
	resizes resizes
	needs   needs
	account account
	agents  lostAgents
}

// refusal is a change that the API server did not accept.
type refusal struct {
	workload string
	err      error
	tries    int
	retryAt  time.Time
	wantedAt time.Time
}

func (l *ledger) page(monitor types.NamespacedName) *page {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pages == nil {
		l.pages = map[types.NamespacedName]*page{}
	}
	if l.pages[monitor] == nil {
		l.pages[monitor] = &page{
			told: map[types.UID]map[string]bool{}, hinted: map[types.UID]map[string]bool{},
			refusals: map[types.UID]*refusal{}, seen: map[types.UID]time.Time{},
			trends: newTrends(), resizes: resizes{}, needs: needs{},
		}
	}
	return l.pages[monitor]
}

func (l *ledger) forget(monitor types.NamespacedName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pages, monitor)
}

// news is true the first time that something is told of an object.
func (p *page) news(of types.UID, what string) bool { return first(p.told, of, what) }

// hint is true the first time that something is told of an object, whatever becomes of it later.
func (p *page) hint(of types.UID, what string) bool { return first(p.hinted, of, what) }

func first(told map[types.UID]map[string]bool, of types.UID, what string) bool {
	if told[of] == nil {
		told[of] = map[string]bool{}
	}
	before := told[of][what]
	told[of][what] = true
	return !before
}

// forget makes everything news that was told of an object.
func (p *page) forget(of types.UID) { delete(p.told, of) }

// follow takes note of the objects that there are, and forgets those that have been gone for long. Pods come and go
// with every rollout, and what was told of their workload is no news because of that.
func (p *page) follow(o observation, now time.Time) {
	underWay := map[types.UID]bool{}
	for i := range o.strays {
		p.seen[o.strays[i].UID] = now
	}
	for _, c := range o.containers {
		uid := c.subject().GetUID()
		p.seen[uid] = now
		underWay[uid] = underWay[uid] || c.observed.RolloutInProgress && c.observed.Means == scaling.Rollout
	}
	for uid, moving := range underWay {
		p.trends.follow(uid, moving, now)
	}
	p.trends.keepOnly(o.containers)
	p.resizes.keepOnly(o.containers)
	for uid, at := range p.seen {
		if now.Sub(at) < absenceFades {
			continue
		}
		delete(p.seen, uid)
		delete(p.told, uid)
		delete(p.hinted, uid)
		p.trends.forget(uid)
		maps.DeleteFunc(p.account.last, func(place place, _ verdict) bool { return place.workload == uid })
	}
}

// wait is true when a change of the workload, or the Pod, was refused so recently that it is not tried again yet.
func (p *page) wait(of types.UID, now time.Time) bool {
	if r := p.refusals[of]; r != nil {
		r.wantedAt = now
	}
	return p.resting(of, now)
}

// resting is the same for what nobody waits for.
func (p *page) resting(of types.UID, now time.Time) bool {
	r := p.refusals[of]
	return r != nil && now.Before(r.retryAt)
}

// refuse notes a refusal and reports whether it is news: the first of its kind in a row. Of the later ones only the kind
// is compared, because their words may hold a request's id, and the first words stay.
func (p *page) refuse(uid types.UID, workload string, err error, now time.Time) bool {
	r := p.refusals[uid]
	isNews := r == nil || apierrors.ReasonForError(r.err) != apierrors.ReasonForError(err)
	if isNews {
		r = &refusal{workload: workload, err: err}
		p.refusals[uid] = r
	}
	r.wantedAt = now
	r.retryAt = now.Add(min(firstRetry<<min(r.tries, 10), lastRetry))
	r.tries++
	return isNews
}

// refused returns the refusals that still matter, in a stable order.
func (p *page) refused(now time.Time) []*refusal {
	var all []*refusal
	for uid, r := range p.refusals {
		if now.Sub(r.wantedAt) > refusalFades {
			delete(p.refusals, uid)
			continue
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *refusal) int {
		return cmp.Or(cmp.Compare(a.workload, b.workload), cmp.Compare(a.err.Error(), b.err.Error()))
	})
	return all
}

// accepted ends the refusal.
func (p *page) accepted(of types.UID) { delete(p.refusals, of) }
