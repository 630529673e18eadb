package controllers

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
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
	// refusals of raises by Deployment.
	refusals map[types.UID]*refusal
	// seen is when an object was last there.
	seen map[types.UID]time.Time

	trends  trends
	needs   needs
	account account
}

// refusal is a raise that the API server did not accept.
type refusal struct {
	deployment string
	err        error
	tries      int
	retryAt    time.Time
	wantedAt   time.Time
}

func (l *ledger) page(monitor types.NamespacedName) *page {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pages == nil {
		l.pages = map[types.NamespacedName]*page{}
	}
	if l.pages[monitor] == nil {
		l.pages[monitor] = &page{
			told: map[types.UID]map[string]bool{}, refusals: map[types.UID]*refusal{}, seen: map[types.UID]time.Time{},
			trends: newTrends(), needs: needs{},
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
func (p *page) news(of types.UID, what string) bool {
	if p.told[of] == nil {
		p.told[of] = map[string]bool{}
	}
	before := p.told[of][what]
	p.told[of][what] = true
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
		underWay[uid] = underWay[uid] || c.observed.RolloutInProgress
	}
	for uid, moving := range underWay {
		p.trends.follow(uid, moving, now)
	}
	p.trends.keepOnly(o.containers)
	for uid, at := range p.seen {
		if now.Sub(at) < absenceFades {
			continue
		}
		delete(p.seen, uid)
		delete(p.told, uid)
		p.trends.forget(uid)
		maps.DeleteFunc(p.account.last, func(place place, _ verdict) bool { return place.workload == uid })
	}
}

// wait is true when a raise of the Deployment was refused so recently that it is not tried again yet.
func (p *page) wait(deployment types.UID, now time.Time) bool {
	r := p.refusals[deployment]
	if r == nil {
		return false
	}
	r.wantedAt = now
	return now.Before(r.retryAt)
}

// refuse notes a refusal and reports whether it is news: the first of its kind in a row. Of the later ones only the kind
// is compared, because their words may hold a request's id, and the first words stay.
func (p *page) refuse(uid types.UID, deployment string, err error, now time.Time) bool {
	r := p.refusals[uid]
	isNews := r == nil || apierrors.ReasonForError(r.err) != apierrors.ReasonForError(err)
	if isNews {
		r = &refusal{deployment: deployment, err: err}
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
	slices.SortFunc(all, func(a, b *refusal) int { return cmp.Compare(a.deployment, b.deployment) })
	return all
}

// accepted ends the Deployment's refusal.
func (p *page) accepted(deployment types.UID) { delete(p.refusals, deployment) }
