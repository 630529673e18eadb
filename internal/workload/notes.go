package workload

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1 "github.com/kubedemo/memhog-operator/api/v1"
)

// Note is what an agent has to know of a Pod's workload, of which it sees the Pods of one node only. The operator keeps it in an
// annotation of the Pod; none is written while there is nothing to know.
type Note struct {
	// Paused is true when the user stopped all action on the workload.
	Paused bool `json:"paused,omitempty"`
	// Containers by name.
	Containers map[string]ContainerNote `json:"containers,omitempty"`
}

// ContainerNote is what there is to know of one container of the workload.
type ContainerNote struct {
	// Overridden is true when somebody else put back the size that the operator had changed.
	Overridden bool `json:"overridden,omitempty"`
	// Raises are the times of raises since use last levelled off, oldest first, and Peak is the largest size that any replica was
	// given: what the growth budget is counted from.
	Raises []time.Time `json:"raises,omitempty"`
	Peak   Size        `json:"peak,omitzero"`
}

// IsZero is true for a note that says nothing.
func (n Note) IsZero() bool { return !n.Paused && len(n.Containers) == 0 }

// IsZero is true for a note that says nothing.
func (n ContainerNote) IsZero() bool {
	return !n.Overridden && len(n.Raises) == 0 && n.Peak == (Size{})
}

// Text is the note as the annotation has it.
func (n Note) Text() (string, error) {
	text, err := json.Marshal(n)
	return string(text), err
}

// NoteOf reads the note on a Pod. One that cannot be read stops all action: who broke it may have meant anything, and the operator
// writes it anew.
func NoteOf(pod *corev1.Pod) Note {
	text := pod.Annotations[v1.WorkloadAnnotation]
	if text == "" {
		return Note{}
	}
	var n Note
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return Note{Paused: true}
	}
	return n
}

// WriteNote brings the note on a Pod up to date, and is true when that took a write. It goes by the Pod's status, like all that
// the operator notes on Pods.
func WriteNote(ctx context.Context, c client.Client, pod *corev1.Pod, n Note) (bool, error) {
	var value any
	if !n.IsZero() {
		text, err := n.Text()
		if err != nil {
			return false, fmt.Errorf("note on Pod %q: %w", pod.Name, err)
		}
		value = text
	}
	known, there := pod.Annotations[v1.WorkloadAnnotation]
	if there == (value != nil) && (value == nil || value == known) {
		return false, nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": pod.UID, "annotations": map[string]any{v1.WorkloadAnnotation: value},
	}})
	if err != nil {
		return false, fmt.Errorf("note on Pod %q: %w", pod.Name, err)
	}
	target := &corev1.Pod{}
	target.Namespace, target.Name = pod.Namespace, pod.Name
	if err := c.Status().Patch(ctx, target, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(FieldManager)); err != nil {
		return false, fmt.Errorf("note on Pod %q: %w", pod.Name, err)
	}
	return true, nil
}
