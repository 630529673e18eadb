package scaling

import "testing"

func TestReplicasOfOneSizeAreDecidedUponTogether(t *testing.T) {
	normal, low, lower := Decision{Action: Hold}, Decision{Action: Lower, Target: mi(1, 2)}, Decision{Action: Lower, Target: mi(2, 4)}
	high, higher := Decision{Action: Raise, Target: mi(4, 8)}, Decision{Action: Raise, Target: mi(8, 16)}
	back := Decision{Action: Rollback, Target: mi(1, 1)}
	for _, tt := range []struct {
		reason    string
		decisions []Decision
		want      int
	}{
		{"nobody asks", nil, -1},
		{"nobody needs anything", []Decision{normal, normal}, -1},
		{"one needs more", []Decision{normal, high, normal}, 1},
		{"the largest need decides", []Decision{high, higher, high}, 1},
		{"the first of them", []Decision{higher, high}, 0},
		{"of equal needs the first", []Decision{normal, high, high}, 1},
		{"all are idle: to the largest", []Decision{low, lower, low}, 1},
		{"one is not idle", []Decision{low, normal, low}, -1},
		{"one is idle and one needs more", []Decision{low, high}, 1},
		{"however large what is lowered to is", []Decision{{Action: Lower, Target: mi(100, 100)}, high}, 1},
		{"what is stuck goes back first", []Decision{higher, back, high}, 1},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			if got := Together(tt.decisions); got != tt.want {
				t.Errorf("%s: decision %d prevails, want %d", tt.reason, got, tt.want)
			}
		})
	}
}

func TestASizeIsPromotedByHalfOfTheReplicasOrByAnOOMKill(t *testing.T) {
	replicas := func(limits ...int64) []Replica {
		all := make([]Replica, 0, len(limits))
		for _, l := range limits {
			all = append(all, Replica{Size: mi(l/2, l)})
		}
		return all
	}
	killed := func(all []Replica, i int) []Replica { all[i].OOMKilled = true; return all }
	for _, tt := range []struct {
		reason   string
		replicas []Replica
		want     int64
	}{
		{"there are no replicas", nil, 384},
		{"all have the declared size", replicas(384, 384), 384},
		{"one of ten grows alone", replicas(384, 384, 384, 384, 384, 384, 384, 384, 384, 768), 384},
		{"four of ten do", replicas(384, 384, 384, 384, 384, 384, 768, 768, 768, 768), 384},
		{"five of ten are half", replicas(384, 384, 384, 384, 384, 768, 768, 768, 768, 1536), 768},
		{"two of three are more than half", replicas(384, 768, 1536), 768},
		{"one of three is less", replicas(384, 384, 1536), 384},
		{"an only replica is all of them", replicas(1536), 1536},
		{"one of two is half", replicas(384, 768), 768},
		{"one of ten was OOM-killed", killed(replicas(384, 384, 384, 384, 384, 384, 384, 384, 384, 768), 9), 768},
		{"one that was killed and has the declared size gives none", killed(replicas(384, 384, 384), 0), 384},
		{"of several the largest that was killed", killed(killed(replicas(384, 384, 384, 384, 384, 768, 1536), 5), 6), 1536},
		{"half of them have more than the killed one", killed(replicas(384, 768, 1536, 1536), 1), 1536},
		{"smaller ones do not count", replicas(100, 100, 100, 768), 384},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			if got := Promote(mi(192, 384), tt.replicas); got != mi(tt.want/2, tt.want) {
				t.Errorf("%s: %+v, want a limit of %dMi", tt.reason, got, tt.want)
			}
		})
	}
}
