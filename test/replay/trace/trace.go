// Package trace is what programs would like to hold of memory over time, second by second, if nobody limited them.
package trace

// MiB is the unit in which the built-in traces think.
const MiB = 1 << 20

// Use is what a program holds at one moment, in bytes.
type Use struct {
	// Anonymous memory stays until the program gives it back: more of it than the limit is what the kernel kills for.
	Anonymous int64
	// Reclaimable memory is file cache that is in use. Tools count it as used, the kernel takes it back when it must.
	Reclaimable int64
}

// Trace is the demand of one program.
type Trace struct {
	// Name to ask for it by.
	Name string
	// Story is one sentence on what the program does.
	Story string
	// Seconds that it lasts.
	Seconds int
	// At is the demand at a second of the trace, so many seconds after the process started. A load that comes from
	// outside depends on the former, work since the start on the latter.
	At func(second, age int) Use
	// Restarts is true at seconds at which the program ends by itself, to start anew; nil when it never does.
	Restarts func(second int) bool
}

// Peak is the most anonymous memory that the program ever holds when nobody stops it.
func (t Trace) Peak() int64 {
	var peak int64
	started := 0
	for second := range t.Seconds {
		if t.Restarts != nil && t.Restarts(second) {
			started = second
		}
		peak = max(peak, t.At(second, second-started).Anonymous)
	}
	return peak
}
