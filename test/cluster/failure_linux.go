package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// failed ends a cluster that could not be started and removes everything of it.
// Unless it was interrupted, it keeps the logs and adds to the error what they
// say.
func (c *Cluster) failed(ctx context.Context, cause error) error {
	report := c.report()
	var err error
	if c.node != nil {
		err = c.stop(context.WithoutCancel(ctx)) // its end may be why we are here
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		err = errors.Join(err, clearRemains(c.layout), os.RemoveAll(c.Dir))
		return errors.Join(fmt.Errorf("the start of cluster %q was interrupted: %w", c.Name, cause), err)
	}
	err = errors.Join(err, clearRemains(c.layout, c.logDir()))
	return errors.Join(fmt.Errorf("cluster %q did not start: %w%s\nits logs are in %s", c.Name, cause, report, c.logDir()), err)
}

// report shows the ends of the logs of what failed: the programs that ended, and
// the node itself.
func (c *Cluster) report() string {
	const size = 8 << 10 // room for a Go panic, whose message stands before its stack
	all, _ := c.statuses()
	var b strings.Builder
	for _, name := range sortedKeys(all) {
		if all[name].Exit != "" {
			fmt.Fprintf(&b, "\n--- %s (%s)\n%s", name, all[name].Exit, tail(c.logFile(name), size))
		}
	}
	if text := tail(c.logFile("node"), size); text != "" {
		fmt.Fprintf(&b, "\n--- node\n%s", text)
	}
	if strings.Contains(b.String(), "too many open files") {
		b.WriteString("\n" + inotifyHint)
	}
	return b.String()
}

// inotifyHint says what the kernel means: what it calls files are watches, and
// its default of 128 for all of a user's programs is soon used up.
const inotifyHint = "the machine may have run out of inotify instances, of which a cluster takes 20 and more with each Pod: " +
	"sysctl fs.inotify.max_user_instances=1024 allows more"

// tail returns the end of a file.
func tail(file string, size int64) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > size {
		_, _ = f.Seek(-size, io.SeekEnd)
	}
	b, _ := io.ReadAll(f)
	return strings.TrimSpace(string(b))
}
