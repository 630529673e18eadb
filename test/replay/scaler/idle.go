package scaler

import (
	"github.com/kubedemo/memhog-operator/internal/scaling"
	"github.com/kubedemo/memhog-operator/test/replay/trace"
	"github.com/kubedemo/memhog-operator/test/replay/world"
)

// idle changes nothing: there is no autoscaler, or none is needed.
type idle struct{}

func (idle) Tick(int, *world.Container) {}

func (idle) Account() []Decision { return nil }

const mebibyte = 1 << 20

// foreseen is the size that an oracle declares: the least limit of whole Mi that the trace never exceeds, as far as the node
// goes, with the request in proportion. It is one size for the whole trace, so that nothing is ever restarted. The least
// limit of each moment would have no slack at all, and be no measure for anything.
func foreseen(t trace.Trace, declared scaling.Memory) scaling.Memory {
	limit := min((t.Peak()+mebibyte-1)/mebibyte*mebibyte, world.Node)
	return scaling.Memory{Request: min(limit, limit*declared.Request/declared.Limit), Limit: limit}
}
