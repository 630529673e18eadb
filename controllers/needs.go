package controllers

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/scaling"
)

// needFades is how long after a container last asked for the memory that it is refused this is still reported. Use that
// hovers around the threshold would otherwise make the condition flap.
const needFades = 5 * time.Minute

// place is one container of one workload, of which replicas have one each.
type place struct {
	workload  types.UID
	container string
}

// need is memory that a container should have and is refused.
type need struct {
	workload, container string // as users call them
	reason              scaling.Reason
	wantedAt            time.Time
}

// needs are those of an AppMonitor's containers.
type needs map[place]*need

// note keeps the needs up to date with what was decided.
func (n needs) note(held, changes []decision, now time.Time) {
	for _, d := range changes {
		if d.Action == scaling.Raise {
			delete(n, d.place())
		}
	}
	// One replica may be given what another one is refused.
	for _, d := range held {
		if constrains(d) {
			n[d.place()] = &need{workload: d.Name(), container: d.called(), reason: d.Reason, wantedAt: now}
		}
	}
	for p, one := range n {
		if now.Sub(one.wantedAt) > needFades {
			delete(n, p)
		}
	}
}

// constrains is true for a refusal that does not pass by itself within moments.
func constrains(d decision) bool {
	return d.Action == scaling.Hold && d.Reason != scaling.ReasonCooldown && slices.Contains(scaling.Refusals(), d.Reason)
}

// constrained says which containers are refused memory.
func (n needs) constrained() metav1.Condition {
	if len(n) == 0 {
		return metav1.Condition{
			Type: v1.ConditionConstrained, Status: metav1.ConditionFalse, Reason: v1.ReasonUnconstrained,
			Message: "no container is refused memory that it needs",
		}
	}
	all := make([]*need, 0, len(n))
	for _, one := range n {
		all = append(all, one)
	}
	order := scaling.Refusals()
	slices.SortFunc(all, func(a, b *need) int {
		return cmp.Or(cmp.Compare(slices.Index(order, a.reason), slices.Index(order, b.reason)),
			cmp.Compare(a.workload, b.workload), cmp.Compare(a.container, b.container))
	})
	texts := firstFew(all, func(one *need) string {
		return fmt.Sprintf("%s of %s: %s", one.container, one.workload, explanations[one.reason])
	})
	return metav1.Condition{
		Type: v1.ConditionConstrained, Status: metav1.ConditionTrue, Reason: string(all[0].reason),
		Message: strings.Join(texts, "; "),
	}
}
