package agent

import (
	"context"
	"encoding/json"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
	"github.com/kubedemo/memhog-operator/internal/workload"
)

// reportRetry is the pause before the agent's Pod is written to again that could not be.
const reportRetry = time.Second

// Reporter writes how the guarantee stands into a condition of the agent's own Pod, when that changes.
type Reporter struct {
	client client.Client
	pod    client.ObjectKey
	clock  clock.WithTicker
	log    logr.Logger
	told   chan Guarantee
	// written is the status that was written last.
	written corev1.ConditionStatus
}

// NewReporter returns one that has not started.
func NewReporter(c client.Client, pod client.ObjectKey, of clock.WithTicker, log logr.Logger) *Reporter {
	return &Reporter{client: c, pod: pod, clock: of, log: log, told: make(chan Guarantee, 1)}
}

// Begin says that the agent is starting: whatever a process of the same Pod said before it ended holds no longer. What cannot be
// written now is written later.
func (r *Reporter) Begin(ctx context.Context) {
	starting := Guarantee{Kept: corev1.ConditionFalse, Reason: ReasonStarting, Message: "the agent has not read yet what it has to watch"}
	if err := r.write(ctx, starting); err != nil {
		r.log.Error(err, "reporting the start failed")
		r.Tell(starting)
	}
}

// Tell has the latest word written. It does not block.
func (r *Reporter) Tell(g Guarantee) {
	for {
		select {
		case r.told <- g:
			return
		case <-r.told: // what nobody has read yet is old
		}
	}
}

// Start writes until the context ends.
func (r *Reporter) Start(ctx context.Context) error {
	failing := false
	for {
		var g Guarantee
		select {
		case <-ctx.Done():
			return nil
		case g = <-r.told:
		}
		for {
			err := r.write(ctx, g)
			if err == nil || ctx.Err() != nil {
				failing = false
				break
			}
			if !failing {
				r.log.Error(err, "reporting the guarantee failed")
			}
			failing = true
			select {
			case <-ctx.Done():
				return nil
			case g = <-r.told:
			case <-r.clock.After(reportRetry):
			}
		}
	}
}

func (r *Reporter) write(ctx context.Context, g Guarantee) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	condition := map[string]any{"type": v1.AgentKeepsGuarantee, "status": g.Kept, "reason": g.Reason, "message": g.Message}
	if g.Kept != r.written {
		condition["lastTransitionTime"] = metav1.NewTime(r.clock.Now())
	}
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []any{condition}}})
	if err != nil {
		return err
	}
	pod := &corev1.Pod{}
	pod.Namespace, pod.Name = r.pod.Namespace, r.pod.Name
	err = r.client.Status().Patch(ctx, pod, client.RawPatch(types.StrategicMergePatchType, patch),
		client.FieldOwner(workload.AgentFieldManager))
	if err == nil {
		r.written = g.Kept
	}
	return err
}
