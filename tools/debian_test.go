package tools

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestEnsureDebian(t *testing.T) {
	nft := Need{Program: "nft", Package: "nftables"}
	seccomp := Need{PkgConfig: "libseccomp", Package: "libseccomp-dev"}
	for _, c := range []struct {
		reason    string
		root, apt bool
		// stale package lists let the first install fail.
		stale   bool
		present []Need
		want    []string // the apt-get subcommands
		wantErr string
	}{
		{reason: "nothing is missing", present: []Need{nft, seccomp}},
		{reason: "root installs", root: true, apt: true, present: []Need{nft}, want: []string{"install libseccomp-dev"}},
		{
			reason: "lists are fetched only when they are needed", root: true, apt: true, stale: true,
			want: []string{"install nftables libseccomp-dev", "update", "install nftables libseccomp-dev"},
		},
		{
			reason: "others are told what to type", apt: true,
			wantErr: "sudo apt-get update && sudo apt-get install -y --no-install-recommends nftables libseccomp-dev",
		},
		{reason: "another system is told what Debian calls it", root: true, wantErr: "nftables libseccomp-dev"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			present, stale := slices.Clone(c.present), c.stale
			var calls []string
			m := machine{
				root: c.root, apt: c.apt,
				met: func(_ context.Context, n Need) bool { return slices.Contains(present, n) },
				run: func(_ context.Context, _ string, args ...string) ([]byte, error) {
					if args[0] == "update" {
						stale = false
						calls = append(calls, "update")
						return nil, nil
					}
					call := "install"
					for _, n := range []Need{nft, seccomp} {
						if slices.Contains(args, n.Package) {
							call += " " + n.Package
						}
					}
					calls = append(calls, call)
					if stale {
						return []byte("E: Unable to locate package"), errors.New("exit status 100")
					}
					present = []Need{nft, seccomp}
					return nil, nil
				},
			}
			err := m.ensure(t.Context(), &bytes.Buffer{}, []Need{nft, seccomp, nft})
			if c.wantErr == "" && err != nil || c.wantErr != "" && (err == nil || !strings.Contains(err.Error(), c.wantErr)) {
				t.Errorf("error %v, want %q", err, c.wantErr)
			}
			if !slices.Equal(calls, c.want) {
				t.Errorf("apt-get was asked to %q, want %q", calls, c.want)
			}
		})
	}
}

func TestNeedIsMet(t *testing.T) {
	for _, c := range []struct {
		need Need
		want bool
	}{
		{Need{Program: "go"}, true},
		{Need{Program: "no-such-program-anywhere"}, false},
		{Need{File: "/"}, true},
		{Need{File: "/no/such/file"}, false},
		{Need{PkgConfig: "no-such-library-anywhere"}, false},
	} {
		if got := c.need.met(t.Context()); got != c.want {
			t.Errorf("%s is met: %v, want %v", c.need, got, c.want)
		}
	}
}
