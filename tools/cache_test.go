package tools

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCacheDir(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/xdg")
	for own, want := range map[string]string{"": "memhog-operator", "/own": "/own"} {
		t.Setenv("MEMHOG_TOOL_CACHE", own)
		got, err := cacheDir()
		if err != nil || !strings.HasSuffix(got, want) {
			t.Errorf("MEMHOG_TOOL_CACHE=%q: %q, %v, want %q", own, got, err, want)
		}
	}
}

func TestWaitingForTheLock(t *testing.T) {
	cache := t.TempDir()
	unlock, err := lockCache(t.Context(), &bytes.Buffer{}, cache, "kubelet v1.37.2")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := lockCache(ctx, &out, cache, "etcd v3.7.3"); err == nil {
		t.Fatal("two hold the lock")
	}
	for _, want := range []string{"waiting", "kubelet v1.37.2", "etcd v3.7.3"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("waiting does not say %q: %q", want, out.String())
		}
	}
	unlock()
	unlock, err = lockCache(t.Context(), &out, cache, "etcd v3.7.3")
	if err != nil {
		t.Fatalf("the lock was not given back: %v", err)
	}
	unlock()
}

func TestScratchForgetsWhatAKilledBuildLeft(t *testing.T) {
	cache := t.TempDir()
	dir, err := scratch(cache)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "half"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if dir, err = scratch(cache); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left in the scratch folder: %v, %v", entries, err)
	}
}

func TestFillHoldsExactlyThePrograms(t *testing.T) {
	cache := t.TempDir()
	var recipes []recipe
	for _, name := range []string{"etcd", "kubectl"} {
		r := recipe{Program: Program{Name: name}, key: name + "-v1-key", cache: cache}
		if err := os.MkdirAll(filepath.Dir(r.path()), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(r.path(), []byte(name), 0o755); err != nil {
			t.Fatal(err)
		}
		recipes = append(recipes, r)
	}
	dir := filepath.Join(cache, "dir", "some-key")
	for range 2 { // the second time another process has been faster
		if err := fill(cache, dir, recipes); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		if content, err := os.ReadFile(filepath.Join(dir, e.Name())); err != nil || string(content) != e.Name() {
			t.Errorf("%s holds %q, %v", e.Name(), content, err)
		}
	}
	if !slices.Equal(names, []string{"etcd", "kubectl"}) {
		t.Errorf("the folder holds %q", names)
	}
}
