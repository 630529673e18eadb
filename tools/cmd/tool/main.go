// Command tool builds the pinned programs of this project, and tells where they are.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/kubedemo/memhog-operator/tools"
)

const usage = `usage: go -C tools run ./cmd/tool COMMAND

  path NAME|GROUP...  build what is missing, print the path of each program, one a line
  dir NAME|GROUP...   the same, but print one folder that holds these programs and no other
  list                print every program: version, built or not, about how long it takes

groups:   %s
programs: %s

Programs are kept in $MEMHOG_TOOL_CACHE, else $XDG_CACHE_HOME/memhog-operator, else
~/.cache/memhog-operator. Progress goes to the standard error.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "tool:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		args = []string{"help"}
	}
	command, names := args[0], args[1:]
	switch {
	case command == "list" && len(names) == 0:
		return list(ctx, stdout)
	case command == "path" && len(names) > 0:
		return path(ctx, stdout, stderr, names)
	case command == "dir" && len(names) > 0:
		dir, err := tools.Dir(ctx, stderr, names...)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(stdout, dir)
		return err
	}
	fmt.Fprintf(stderr, usage, strings.Join(tools.GroupNames(), " "), strings.Join(tools.ProgramNames(), " "))
	if command == "help" || command == "-h" || command == "--help" {
		return nil
	}
	return fmt.Errorf("%q is not a command like those above", strings.Join(args, " "))
}

// path prints in the order of the names given, so that a caller can count on it.
func path(ctx context.Context, stdout, stderr io.Writer, names []string) error {
	paths, err := tools.Build(ctx, stderr, names...)
	if err != nil {
		return err
	}
	for _, name := range names {
		programs, err := tools.Expand(name)
		if err != nil {
			return err
		}
		for _, p := range programs {
			if _, err := fmt.Fprintln(stdout, paths[p.Name]); err != nil {
				return err
			}
		}
	}
	return nil
}

func list(ctx context.Context, stdout io.Writer) error {
	states, err := tools.List(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROGRAM\tVERSION\tFIRST BUILD, 2 CORES\tCACHED")
	for _, s := range states {
		cached := "no"
		if s.Cached {
			cached = s.Path
		}
		fmt.Fprintf(w, "%s\t%s\tabout %s\t%s\n", s.Name, s.Version, tools.About(s.Cold), cached)
	}
	return w.Flush()
}
