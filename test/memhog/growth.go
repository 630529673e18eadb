package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const mib = 1 << 20

// growth says how much memory to hold at which time.
type growth struct {
	start   int64   // bytes held from the beginning
	rate    float64 // bytes per second
	ceiling int64   // bytes never exceeded, but for what a signal asks for
	signal  int64   // bytes held from the first SIGUSR1 on; 0 for no more than before
	// pause is how long the start is held before it grows, for those who must see it first.
	pause time.Duration
	// hold is how long the ceiling is held before the program ends; 0 for until it is told to.
	hold time.Duration
}

// at returns the bytes to hold when so much time has passed since the start was reached. It is computed from the
// elapsed time alone, so that neither late wake-ups nor rounding add up: 32 MiB at 0.1 MiB/s holds 38 MiB after a
// minute, and 392 MiB after an hour.
func (g growth) at(elapsed time.Duration) int64 {
	grown := g.rate * elapsed.Seconds()
	if grown >= float64(g.ceiling-g.start) {
		return g.ceiling
	}
	return g.start + int64(grown)
}

// logged is how often growth is logged: once a second, and ten times where a second is a good part of a container.
func (g growth) logged() time.Duration {
	if g.rate > 16*mib {
		return time.Second / 10
	}
	return time.Second
}

// setting is one environment variable with its default and bounds.
type setting struct {
	name, unit             string
	fallback, lowest, most float64
}

var (
	startSetting   = setting{"MEMHOG_START_MIB", "MiB", 32, 0, 1 << 20}
	rateSetting    = setting{"MEMHOG_RATE_MIB_PER_SECOND", "MiB/s", 2, 0, 4096}
	ceilingSetting = setting{"MEMHOG_CEILING_MIB", "MiB", 448, 1, 1 << 20}
	signalSetting  = setting{"MEMHOG_SIGNAL_MIB", "MiB", 0, 0, 1 << 20}
	pauseSetting   = setting{"MEMHOG_PAUSE_SECONDS", "s", 0, 0, 86400}
	holdSetting    = setting{"MEMHOG_HOLD_SECONDS", "s", 0, 0, 86400}
)

// growthFromEnv reads the growth from the environment, and reports everything that is wrong with it at once.
func growthFromEnv(lookup func(string) (string, bool)) (growth, error) {
	start, startErr := startSetting.read(lookup)
	rate, rateErr := rateSetting.read(lookup)
	ceiling, ceilingErr := ceilingSetting.read(lookup)
	signal, signalErr := signalSetting.read(lookup)
	pause, pauseErr := pauseSetting.read(lookup)
	hold, holdErr := holdSetting.read(lookup)
	if err := errors.Join(startErr, rateErr, ceilingErr, signalErr, pauseErr, holdErr); err != nil {
		return growth{}, err
	}
	if start > ceiling {
		return growth{}, fmt.Errorf("%s is %v MiB, above %s, which is %v MiB",
			startSetting.name, start, ceilingSetting.name, ceiling)
	}
	return growth{
		start: int64(start * mib), rate: rate * mib, ceiling: int64(ceiling * mib), signal: int64(signal * mib),
		pause: seconds(pause), hold: seconds(hold),
	}, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// signalled is the growth from a signal on: all that it asks for at once, and no more.
func (g growth) signalled() growth {
	return growth{start: max(g.signal, g.ceiling), ceiling: max(g.signal, g.ceiling)}
}

func (s setting) read(lookup func(string) (string, bool)) (float64, error) {
	text, found := lookup(s.name)
	text = strings.TrimSpace(text)
	if !found || text == "" {
		return s.fallback, nil
	}
	value, err := strconv.ParseFloat(text, 64)
	// The comparison is written so that NaN fails it.
	if err != nil || !(value >= s.lowest && value <= s.most) {
		return 0, fmt.Errorf("%s is %q, but must be a number from %.0f to %.0f (%s)",
			s.name, text, s.lowest, s.most, s.unit)
	}
	return value, nil
}
