package cluster

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// layerOf packs the program and what is added, in a fixed order and without times or owners, so that the layer's digest
// depends on their content alone.
func layerOf(spec ImageSpec) (v1.Layer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if spec.Binary != "" {
		if err := addFile(w, spec.Entrypoint, spec.Binary, 0o755); err != nil {
			return nil, err
		}
	}
	for _, also := range spec.Also {
		if err := addFile(w, also, spec.Binary, 0o755); err != nil {
			return nil, err
		}
	}
	for _, inImage := range sortedKeys(spec.Programs) {
		if err := addFile(w, inImage, spec.Programs[inImage], 0o755); err != nil {
			return nil, err
		}
	}
	for _, inImage := range sortedKeys(spec.Files) {
		if err := addTree(w, inImage, spec.Files[inImage]); err != nil {
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

// addTree adds a file, or a folder with all that is in it, the folders themselves included: an empty one counts.
func addTree(w *tar.Writer, inImage, onDisk string) error {
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
			})
		}
		return addFile(w, at, file, 0o644)
	})
}

func addFile(w *tar.Writer, inImage, onDisk string, mode int64) error {
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
	}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err = w.Write(content)
	return err
}
