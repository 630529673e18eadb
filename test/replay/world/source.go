package world

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubedemo/memhog-operator/internal/scaling"
)

// Source is where samples of memory use come from. Its samples carry the time of the measurement.
type Source struct {
	// Name to ask for it by.
	Name string
	// Period is the seconds between measurements, and Phase which second of it they are taken at.
	Period, Phase int
	// Delay is the seconds until a measurement can be read.
	Delay int
	// Asked is true when it measures at the operator's ticks, so that its phase is what it is.
	Asked bool
}

// Sources that the operator can read from.
//   - kubelet: cAdvisor measures every 15 s, whenever the operator asks. It does so off the beat of the operator, whose
//     ticks see samples of 3, 8 and 13 s of age.
//   - cri: the runtime measures when it is asked, at each tick.
//   - prometheus: a scrape every 30 s takes what cAdvisor measured 13 s before.
func Sources() []Source {
	return []Source{
		{Name: "kubelet", Period: 15, Phase: 7},
		{Name: "cri", Period: 5, Asked: true},
		{Name: "prometheus", Period: 30, Phase: 7, Delay: 13},
	}
}

// SourceOf returns the source of that name.
func SourceOf(name string) (Source, error) {
	all := Sources()
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	if i := slices.Index(names, name); i >= 0 {
		return all[i], nil
	}
	return Source{}, fmt.Errorf("source %q: want one of %s", name, strings.Join(names, ", "))
}

// Phases returns the source with each phase that it can have.
func (s Source) Phases() []Source {
	if s.Asked {
		return []Source{s}
	}
	all := make([]Source, s.Period)
	for phase := range all {
		all[phase] = s
		all[phase].Phase = phase
	}
	return all
}

// reading is what a source knows of one process.
type reading struct {
	source Source
	// taken is the newest measurement, and read the newest that can be read.
	taken, read scaling.Sample
	// readyAt is the second at which taken can be read.
	readyAt int
}

// forget is for the start of a process: what is known is of another one.
func (r *reading) forget() { r.taken, r.read = scaling.Sample{}, scaling.Sample{} }

// observe measures when it is time to. A process that does not run is not measured.
func (r *reading) observe(second int, running bool, bytes int64) {
	if running && second%r.source.Period == r.source.Phase {
		r.taken, r.readyAt = scaling.Sample{Bytes: bytes, Time: Time(second)}, second+r.source.Delay
	}
	if second >= r.readyAt {
		r.read = r.taken
	}
}
