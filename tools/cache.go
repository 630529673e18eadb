package tools

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// cacheDir is outside the clone, so that clones share it and `git clean` spares it.
func cacheDir() (string, error) {
	if dir := os.Getenv("MEMHOG_TOOL_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	// On Linux this is $XDG_CACHE_HOME, else ~/.cache.
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding a cache folder (set MEMHOG_TOOL_CACHE to choose one): %w", err)
	}
	return filepath.Join(base, "memhog-operator"), nil
}

// lockCache lets one build at a time into a cache, and says so when it has to
// wait. The kernel drops the lock when its holder dies, however it dies.
func lockCache(ctx context.Context, out io.Writer, cache, purpose string) (unlock func(), err error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	path := filepath.Join(cache, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	for waiting := false; ; waiting = true {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = f.Close()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		if !waiting {
			holder, _ := os.ReadFile(path)
			say(out, "waiting for another build to finish (%s), in order to build %s", strings.TrimSpace(string(holder)), purpose)
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("waiting for the lock %s: %w", path, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
	// For whoever waits next; nothing depends on it.
	_ = f.Truncate(0)
	_, _ = f.WriteAt([]byte(fmt.Sprintf("%s, process %d\n", purpose, os.Getpid())), 0)
	return func() { _ = f.Close() }, nil
}

func scratchDir(cache string) string { return filepath.Join(cache, "tmp") }

// scratch makes an empty folder for unfinished things on the cache's own file
// system, from where they are renamed into place. Only the lock's holder may
// call it: whatever it finds there was left by a build that was killed.
func scratch(cache string) (string, error) {
	dir := scratchDir(cache)
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// Dir builds what is missing of the named programs and groups, and returns a
// folder that holds exactly these programs under their plain names, as
// KUBEBUILDER_ASSETS or PATH want it.
func Dir(ctx context.Context, out io.Writer, names ...string) (string, error) {
	recipes, err := plan(ctx, names...)
	if err != nil {
		return "", err
	}
	if err := buildMissing(ctx, out, recipes); err != nil {
		return "", err
	}
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, r := range recipes {
		_, _ = fmt.Fprintln(h, r.key)
	}
	label := strings.Join(names, "+")
	dir := filepath.Join(cache, "dir", fmt.Sprintf("%s-%x", label, h.Sum(nil)[:6]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	unlock, err := lockCache(ctx, out, cache, "the folder "+label)
	if err != nil {
		return "", err
	}
	defer unlock()
	if err := fill(cache, dir, recipes); err != nil {
		return "", fmt.Errorf("making the folder %s: %w", dir, err)
	}
	return dir, nil
}

// fill makes a folder of programs appear at once, complete. They are hard links
// where the file system has them: containerd finds its shim beside the path
// that it was really started from, which a symbolic link would hide.
func fill(cache, dir string, recipes []recipe) error {
	tmp, err := scratch(cache)
	if err != nil {
		return err
	}
	for _, r := range recipes {
		to := filepath.Join(tmp, r.Name)
		if os.Link(r.path(), to) == nil {
			continue
		}
		if err := os.Symlink(r.path(), to); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Rename(tmp, dir); err != nil {
		// Another process may have made the same folder before we had the lock.
		if _, statErr := os.Stat(dir); statErr != nil {
			return err
		}
	}
	return nil
}
