// Package world is a model of what an autoscaler acts upon: a container under a memory limit, the kernel that kills it
// for want of memory, the kubelet that starts it again, whatever gives it another size, and the source that says how much
// it uses. Time passes in whole seconds.
package world

import (
	"time"

	"github.com/kubedemo/memhog-operator/internal/scaling"
)

// epoch is the midnight at which every trace begins.
var epoch = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// Time of a second of the trace.
func Time(second int) time.Time { return epoch.Add(time.Duration(second) * time.Second) }

// Node is what the node has for the container: a larger request finds no place, and what holds more is killed whatever
// its limit.
const Node = 16 << 30

// ReplaceSeconds is what a new Pod takes until it runs in the place of the old one, whoever makes it.
const ReplaceSeconds = 30

// Memory is a request and a limit.
type Memory = scaling.Memory
