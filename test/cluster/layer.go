package cluster

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// layerOf packs the program and what is added, in a fixed order and without times or the owners on this machine, so that
// the layer's digest depends on their content alone.
func layerOf(spec ImageSpec) (v1.Layer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if spec.Binary != "" {
		if err := (owner{}).addFile(w, spec.Entrypoint, spec.Binary, 0o755); err != nil {
			return nil, err
		}
	}
	for _, inImage := range sortedKeys(spec.Programs) {
		if err := (owner{}).addFile(w, inImage, spec.Programs[inImage], 0o755); err != nil {
			return nil, err
		}
	}
	user, err := ownerOf(spec.User)
	if err != nil {
		return nil, err
	}
	for _, inImage := range sortedKeys(spec.Files) {
		if err := user.addTree(w, inImage, spec.Files[inImage]); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	content := b.Bytes()
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	})
}

// owner is who files in an image belong to; root at first.
type owner struct{ user, group int }

// ownerOf reads a user as images have it: "65532:65532".
func ownerOf(user string) (owner, error) {
	var o owner
	if _, err := fmt.Sscanf(user, "%d:%d", &o.user, &o.group); err != nil {
		return o, fmt.Errorf("user %q: want numbers such as %q: %w", user, NonRoot, err)
	}
	return o, nil
}

// addTree adds a file, or a folder with all that is in it, the folders themselves included: an empty one counts.
func (o owner) addTree(w *tar.Writer, inImage, onDisk string) error {
	return filepath.WalkDir(onDisk, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(onDisk, file)
		if err != nil {
			return err
		}
		at := path.Join(inImage, filepath.ToSlash(below))
		if entry.IsDir() {
			return w.WriteHeader(&tar.Header{
				Typeflag: tar.TypeDir, Name: path.Clean("/" + at)[1:] + "/", Mode: 0o755, ModTime: time.Unix(0, 0),
				Uid: o.user, Gid: o.group,
			})
		}
		return o.addFile(w, at, file, 0o644)
	})
}

func (o owner) addFile(w *tar.Writer, inImage, onDisk string, mode int64) error {
	content, err := os.ReadFile(onDisk)
	if err != nil {
		return err
	}
	header := &tar.Header{
		Typeflag: tar.TypeReg,
		Name:     path.Clean("/" + inImage)[1:],
		Mode:     mode,
		Size:     int64(len(content)),
		ModTime:  time.Unix(0, 0),
		Uid:      o.user,
		Gid:      o.group,
	}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err = w.Write(content)
	return err
}
