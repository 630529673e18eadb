package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	crowd = 50
	// batch is how many of the crowd start at a time.
	batch = 10
	// silence is how long nothing must be written. It is what is measured, not something that is waited for.
	silence = time.Minute
	// settled is how long the operator must not have written before the measurement begins.
	settled = 10 * time.Second
)

func TestNothingIsWrittenWhileNothingChanges(t *testing.T) {
	ownOnly(t, "the API server's audit log is out of reach")
	s := prepare(t)
	s.alone()
	s.otherNamespacesAreGone()
	monitor := s.sampleMonitor()
	pods := memhog(s).Named("crowd").Sized("16Mi/64Mi").Holds(1).Replicas(batch).Deploy().Runs()
	for n := int32(2 * batch); n <= crowd; n += batch {
		pods.scale(n)
		pods.Runs()
	}
	monitor.IsWatching(crowd)
	s.theOperatorHasSettled()

	begin := time.Now()
	over := time.NewTimer(silence)
	defer over.Stop()
	select {
	case <-over.C:
	case <-t.Context().Done():
	}
	writes, leases := operatorWrites(t, begin, time.Now())
	for _, w := range writes {
		t.Errorf("written while nothing changed: %s", w)
	}
	t.Logf("%d writes in %s with %d annotated Pods, %d renewals of the Lease not counted", len(writes), silence, crowd, leases)
	if leases == 0 {
		t.Error("the audit log shows no renewal of the Lease, so it would not show other writes either")
	}
	monitor.IsWatching(crowd)
	s.NobodyDied()
}

func (d *deployment) scale(replicas int32) {
	d.story.t.Helper()
	now := d.now()
	before := now.DeepCopy()
	now.Spec.Replicas = &replicas
	must(d.story.t, env.client.Patch(d.story.t.Context(), now, client.MergeFrom(before)))
}

// otherNamespacesAreGone waits for the end of what other stories left, of which the operator gives account.
func (s *story) otherNamespacesAreGone() {
	s.t.Helper()
	s.awaits("the other stories' namespaces are gone", func(ctx context.Context) error {
		namespaces, err := env.namespaces(ctx)
		for i := range namespaces {
			if namespaces[i].DeletionTimestamp != nil {
				return fmt.Errorf("%s is still there", namespaces[i].Name)
			}
		}
		return err
	})
}

func (s *story) theOperatorHasSettled() {
	s.t.Helper()
	s.awaits(fmt.Sprintf("the operator has written nothing for %s", settled), func(context.Context) error {
		now := time.Now()
		if writes, _ := operatorWrites(s.t, now.Add(-settled), now); len(writes) > 0 {
			return fmt.Errorf("latest: %s", writes[len(writes)-1])
		}
		return nil
	})
}

// auditEvent is the part of an audit.k8s.io/v1 Event that is read here.
type auditEvent struct {
	Verb       string
	RequestURI string
	User       struct{ Username string }
	ObjectRef  struct {
		Resource, Subresource, Namespace, Name, APIGroup string
	}
	ResponseStatus struct{ Code int }
	StageTimestamp metav1.MicroTime
}

func (e auditEvent) String() string {
	resource := e.ObjectRef.Resource
	if e.ObjectRef.Subresource != "" {
		resource += "/" + e.ObjectRef.Subresource
	}
	return fmt.Sprintf("%s %s %s %s/%s", e.StageTimestamp.Format(time.TimeOnly), e.Verb, resource, e.ObjectRef.Namespace, e.ObjectRef.Name)
}

// operatorWrites reads in the API server's audit log what the operator's service account wrote in a span of time, and
// counts apart how often it renewed its Lease: that is how replicas know that their leader lives.
func operatorWrites(t *testing.T, from, to time.Time) (writes []auditEvent, leases int) {
	t.Helper()
	for _, e := range writesOf(t, operatorAccount, from, to) {
		if e.ObjectRef.Resource == "leases" && e.Verb == "update" {
			leases++
			continue
		}
		writes = append(writes, e)
	}
	return writes, leases
}

// writesOf reads in the API server's audit log what an account wrote, or tried to, in a span of time.
func writesOf(t *testing.T, account string, from, to time.Time) (writes []auditEvent) {
	t.Helper()
	log, err := os.Open(env.cluster.AuditLog())
	must(t, err)
	defer log.Close()
	for lines := bufio.NewReader(log); ; {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return writes // what has no line end yet is still being written
		}
		must(t, err)
		if !strings.Contains(line, account) {
			continue
		}
		var e auditEvent
		must(t, json.Unmarshal([]byte(line), &e))
		if at := e.StageTimestamp.Time; e.User.Username == account && !at.Before(from) && !at.After(to) {
			writes = append(writes, e)
		}
	}
}
