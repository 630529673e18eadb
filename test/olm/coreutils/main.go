// Command coreutils is cp or tar, whichever name it has, as far as images need them that have no shell: OLM copies its
// own tools by cp, and a scorecard unpacks the bundle by tar.
package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	var err error
	switch name := filepath.Base(os.Args[0]); name {
	case "cp":
		err = cp(os.Args[1:])
	case "tar":
		err = untar(os.Args[1:])
	default:
		err = errors.New("call this as cp or tar")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// cp is `cp [-Rv] FILE TO`.
func cp(args []string) error {
	if len(args) > 0 && args[0] == "-Rv" {
		args = args[1:]
	}
	if len(args) != 2 {
		return fmt.Errorf("cp %q: want a file and where to copy it", args)
	}
	from, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	return write(args[1], from, info.Mode().Perm())
}

// untar is `tar xvzf ARCHIVE -C FOLDER`.
func untar(args []string) error {
	if len(args) != 4 || args[0] != "xvzf" || args[2] != "-C" {
		return fmt.Errorf("tar %q: want xvzf ARCHIVE -C FOLDER", args)
	}
	archive, err := os.Open(args[1])
	if err != nil {
		return err
	}
	defer func() { _ = archive.Close() }()
	unzipped, err := gzip.NewReader(archive)
	if err != nil {
		return err
	}
	// A root keeps names with ".." in them inside the folder.
	root, err := os.OpenRoot(args[3])
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for entries := tar.NewReader(unzipped); ; {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Println(header.Name)
		if err := unpack(root, header, entries); err != nil {
			return err
		}
	}
}

func unpack(root *os.Root, header *tar.Header, content io.Reader) error {
	name := filepath.Clean(header.Name)
	if header.Typeflag == tar.TypeDir {
		return root.MkdirAll(name, 0o755)
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	file, err := root.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, header.FileInfo().Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}

func write(to string, content io.Reader, mode os.FileMode) error {
	file, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}
