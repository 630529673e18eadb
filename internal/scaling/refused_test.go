package scaling

import (
	"testing"
	"time"
)

func TestRoomThatIsThereAgainIsUsedAtOnce(t *testing.T) {
	for _, tt := range []struct {
		reason string
		rooms  []int64
		want   bool
	}{
		{"nothing is known of nodes", []int64{0, 0}, false},
		{"at the first look nobody knows what there was", []int64{400}, false},
		{"as much as before", []int64{400, 400}, false},
		{"less than before", []int64{400, 300}, false},
		{"more than before", []int64{400, 401}, true},
		{"less, and then a little more", []int64{400, 300, 350}, false},
		{"less, and then more than before", []int64{400, 300, 450}, true},
	} {
		r := &Refused{}
		r.Note(Memory{Limit: 768}, ReasonNodeFull, time.Unix(0, 0))
		found := false
		for _, room := range tt.rooms {
			found = r.FoundRoom(room)
		}
		way := &Way{}
		r.Obstructs(way, time.Unix(1, 0))
		if found != tt.want || (way.RefusedFor == "") != tt.want {
			t.Errorf("%s: found %t, still refused for %q", tt.reason, found, way.RefusedFor)
		}
	}
	r := &Refused{}
	r.Note(Memory{Limit: 768}, ReasonQuotaExceeded, time.Unix(0, 0))
	if r.FoundRoom(1) || r.FoundRoom(2) {
		t.Error("what a quota refused a node was found to have")
	}
}
