package trace

import (
	"math"
	"math/rand/v2"
)

const (
	minute = 60
	hour   = 60 * minute
	day    = 24 * hour
)

// Builtin returns the traces that policies are judged by, made for a container of request 256Mi and limit 384Mi. They are
// the same in every run: whatever is random in them comes from a generator with a fixed seed.
func Builtin() []Trace {
	return []Trace{leak(), step(), burst(), sawtooth(), plateau(), daily(), reader(), nightly()}
}

func leak() Trace {
	return Trace{
		Name:    "leak",
		Story:   "Starts with 64 MiB and never gives anything back: 1 MiB more every second, for 4 hours.",
		Seconds: 4 * hour,
		At:      func(_, age int) Use { return anonymous(64 + float64(age)) },
	}
}

func step() Trace {
	const every = 40 * minute
	noise := newNoise(1, 4*every, 0.01)
	return Trace{
		Name:    "step",
		Story:   "A load that doubles from one second to the next, every 40 minutes: 90, 180, 360, 720 MiB.",
		Seconds: 4 * every,
		At: func(second, _ int) Use {
			return anonymous(90 * math.Exp2(float64(second/every)) * noise[second])
		},
	}
}

// burst's heights are drawn without a look at any limit: some fit below 75 % of 384 MiB, some do not fit into it at all.
func burst() Trace {
	const length, rise = 6 * hour, 10
	random := rand.New(rand.NewPCG(2, 0))
	noise := newNoise(3, length, 0.02)
	extra := make([]float64, length)
	for at := 20 * minute; at < length; at += 20*minute + random.IntN(20*minute) {
		height, last := 100+350*random.Float64(), minute+random.IntN(4*minute)
		for i := 0; i < last && at+i < length; i++ {
			extra[at+i] = height * min(1, float64(i+1)/rise)
		}
	}
	return Trace{
		Name:    "burst",
		Story:   "150 MiB, and every 20 to 40 minutes for 1 to 5 minutes between 100 and 450 MiB more, within 10 seconds; 6 hours.",
		Seconds: length,
		At:      func(second, _ int) Use { return anonymous(150*noise[second] + extra[second]) },
	}
}

func sawtooth() Trace {
	const length, live = 4 * hour, 130.0
	random := rand.New(rand.NewPCG(4, 0))
	heap := make([]float64, 0, length+2*minute)
	for len(heap) < length {
		bottom, period := live*(0.95+0.1*random.Float64()), 75+random.IntN(30)
		for i := range period {
			heap = append(heap, bottom*(1+float64(i)/float64(period)))
		}
	}
	return Trace{
		Name:    "sawtooth",
		Story:   "A garbage collector that runs when the heap has doubled: about 130 to 260 MiB every 90 seconds, for 4 hours.",
		Seconds: length,
		At:      func(_, age int) Use { return anonymous(heap[age]) },
	}
}

func plateau() Trace {
	const length, ramp = 3 * hour, 8 * minute
	noise := newNoise(5, length, 0.01)
	return Trace{
		Name:    "plateau",
		Story:   "A start that takes 8 minutes, from 40 to 480 MiB, and then enough is enough; 3 hours.",
		Seconds: length,
		At: func(second, age int) Use {
			return anonymous((40 + 440*min(1, float64(age)/ramp)) * noise[second])
		},
	}
}

func daily() Trace {
	const length = 3 * day
	noise := newNoise(6, length, 0.02)
	return Trace{
		Name:    "daily",
		Story:   "A load that follows the sun: 120 MiB at midnight, 400 MiB at noon, for 3 days.",
		Seconds: length,
		At: func(second, _ int) Use {
			return anonymous((260 - 140*math.Cos(2*math.Pi*float64(second)/day)) * noise[second])
		},
	}
}

func reader() Trace {
	return Trace{
		Name:    "reader",
		Story:   "90 MiB of its own, and files of 1 GiB that it reads over and over, 8 MiB a second: file cache, for 3 hours.",
		Seconds: 3 * hour,
		At: func(_, age int) Use {
			return Use{Anonymous: 90 * MiB, Reclaimable: int64(min(1024, 8*age)) * MiB}
		},
	}
}

func nightly() Trace {
	return Trace{
		Name:     "nightly",
		Story:    "Leaks 24 MiB an hour on top of 80 MiB, and therefore restarts itself every midnight; 3 days.",
		Seconds:  3 * day,
		At:       func(_, age int) Use { return anonymous(80 + 24*float64(age)/hour) },
		Restarts: func(second int) bool { return second > 0 && second%day == 0 },
	}
}

func anonymous(mebibytes float64) Use { return Use{Anonymous: int64(mebibytes * MiB)} }

// newNoise returns a factor around 1 for each second: no program holds the same for long.
func newNoise(seed uint64, seconds int, part float64) []float64 {
	random := rand.New(rand.NewPCG(seed, 0))
	noise := make([]float64, seconds)
	for i := range noise {
		noise[i] = 1 + part*(2*random.Float64()-1)
	}
	return noise
}
