package tools

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// causes turns what the go command says into what to do about it; the first
// one whose text occurs in the output counts.
var causes = []struct{ text, advice string }{
	{"no space left on device", "the disk is full: Go's own caches (go env GOCACHE GOMODCACHE) take most of what a build wants"},
	{"signal: killed", "the compiler was killed, most likely for lack of memory: close other programs or add swap, then try again"},
	{"running go ", "the installed Go is too old for it: install the version named in the output"},
	{"SECURITY ERROR", "a downloaded module is not what go.sum in {dir} promises: do not go on before you know why"},
	{"missing go.sum entry", "go.mod and go.sum in {dir} do not fit together: run `go -C {dir} mod tidy`"},
	{"updates to go.mod needed", "go.mod in {dir} is not complete: run `go -C {dir} mod tidy`"},
	{"403 Forbidden", "the module proxy (go env GOPROXY) refuses a module: pin another version of it in {dir}"},
	{"404 Not Found", "the module proxy (go env GOPROXY) lacks a module: pin another version of it in {dir}"},
	{"410 Gone", "the module proxy (go env GOPROXY) lacks a module: pin another version of it in {dir}"},
	{"GOPROXY=off", "a module is not on this machine yet, and GOPROXY=off forbids to download it"},
	{"no such host", "the module proxy (go env GOPROXY) cannot be reached: check the network"},
	{"dial tcp", "the module proxy (go env GOPROXY) cannot be reached: check the network"},
	{"i/o timeout", "the module proxy (go env GOPROXY) cannot be reached: check the network"},
	{"C compiler \"", "a C compiler is lacking: on Debian, apt-get install gcc libc6-dev"},
	{"executable file not found", "Go is not installed, or not in PATH"},
}

// failed says why a build failed: the end of the output goes to out, the cause
// into the error.
func (r recipe) failed(ctx context.Context, out io.Writer, m *meter, err error) error {
	m.close()
	if ctx.Err() != nil {
		return fmt.Errorf("building %s was stopped while %s: %w", r.title(), m.label, ctx.Err())
	}
	output := slices.Concat(m.notes, []string{err.Error()})
	say(out, "the output of go while %s %s ended with:\n    %s", m.label, r.title(), strings.Join(output, "\n    "))
	cause := err.Error()
	if _, isExit := errors.AsType[*exec.ExitError](err); isExit {
		cause = "the output above says why"
	}
	if known := r.cause(strings.Join(output, "\n")); known != "" {
		cause = known
	}
	return fmt.Errorf("building %s (package %s, pinned in %s) failed while %s: %s",
		r.title(), r.Package, filepath.Join(r.dir, "go.mod"), m.label, cause)
}

func (r recipe) cause(output string) string {
	for _, c := range causes {
		if strings.Contains(output, c.text) {
			return strings.ReplaceAll(c.advice, "{dir}", r.dir)
		}
	}
	return ""
}
