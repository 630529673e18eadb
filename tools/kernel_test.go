package tools

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestUnpackKernel(t *testing.T) {
	const (
		depends  = "apt-cache depends linux-image-cloud-amd64"
		download = "apt-get download -q linux-image-6.1.0-56-cloud-amd64"
		update   = "apt-get update -q"
		extract  = "dpkg-deb --extract"
	)
	for _, c := range []struct {
		reason string
		// lists is what apt knows before it is told to update: nothing, the name of a file that is gone, or all.
		lists   string
		offline bool
		want    []string
		wantErr string
	}{
		{reason: "the lists are there", lists: "fresh", want: []string{depends, download, extract}},
		{reason: "there are no lists", want: []string{depends, update, depends, download, extract}},
		{reason: "the lists are old", lists: "stale", want: []string{depends, download, update, depends, download, extract}},
		{reason: "there is no network", offline: true, want: []string{depends, update}, wantErr: "apt-get update"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			tmp, lists := t.TempDir(), c.lists
			var calls []string
			err := unpackKernel(t.Context(), tmp, func(_ context.Context, name string, args ...string) ([]byte, error) {
				call := strings.TrimPrefix(strings.Join(append([]string{name}, args...), " "), "env --chdir="+tmp+" ")
				switch {
				case call == depends && lists == "":
					calls = append(calls, call)
					return []byte("N: Unable to locate package"), nil
				case call == depends:
					calls = append(calls, call)
					return []byte("linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-56-cloud-amd64\n"), nil
				case call == download && lists == "stale":
					calls = append(calls, call)
					return []byte("E: 404"), errors.New("exit status 100")
				case call == download:
					calls = append(calls, call)
					return nil, os.WriteFile(filepath.Join(tmp, "linux-image-6.1.0-56-cloud-amd64_6.1.192-2_amd64.deb"), nil, 0o644)
				case call == update && c.offline:
					calls = append(calls, call)
					return []byte("E: Temporary failure"), errors.New("exit status 100")
				case call == update:
					calls, lists = append(calls, call), "fresh"
					return nil, nil
				}
				calls = append(calls, strings.Join(append([]string{name}, args[:1]...), " "))
				return nil, nil
			})
			if c.wantErr == "" && err != nil || c.wantErr != "" && (err == nil || !strings.Contains(err.Error(), c.wantErr)) {
				t.Errorf("error %v, want %q", err, c.wantErr)
			}
			if !slices.Equal(calls, c.want) {
				t.Errorf("ran %q, want %q", calls, c.want)
			}
		})
	}
}
