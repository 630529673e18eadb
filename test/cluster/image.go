package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// NonRoot is the user and group of images that name no other, as a number, so
// that Kubernetes can verify runAsNonRoot.
const NonRoot = "65532:65532"

// ImageSpec describes an image of static programs and files.
type ImageSpec struct {
	// Ref names the image, such as "localhost/memhog:dev".
	Ref string
	// ModuleDir and Package say what to compile: a package path or a relative
	// path in the module of that folder.
	ModuleDir, Package string
	// Tags are Go build tags.
	Tags []string
	// LDFlags are passed to the linker.
	LDFlags string
	// Binary is an existing executable to take instead of compiling one. With
	// neither the image holds Files and Programs only.
	Binary string
	// Entrypoint is the program's name in the image's root folder.
	// Default: the last element of Package or Binary.
	Entrypoint string
	// User is the numeric user and group. Default: NonRoot.
	User string
	// Args are the program's default arguments.
	Args []string
	// Files adds files and folders, path in the image → path on this machine.
	// They belong to User, who may so write to them.
	Files map[string]string
	// Programs adds executables in the same way. They belong to root.
	Programs map[string]string
	// Labels are the image's labels.
	Labels map[string]string
}

// Image is a built image and its name.
type Image struct {
	v1.Image
	Ref string
}

// Write writes the image as a tar archive, as `docker load` and `ctr images
// import` take it.
func (i Image) Write(w io.Writer) error {
	ref, err := name.NewTag(i.Ref)
	if err != nil {
		return fmt.Errorf("image name %q: %w", i.Ref, err)
	}
	if err := tarball.Write(ref, i.Image, w); err != nil {
		return fmt.Errorf("write image %q: %w", i.Ref, err)
	}
	return nil
}

// BuildImage compiles a program and lays it out as an image of one layer, in
// memory. The same input gives the same image, byte by byte.
func BuildImage(ctx context.Context, spec ImageSpec) (Image, error) {
	if _, err := name.NewTag(spec.Ref); err != nil {
		return Image{}, fmt.Errorf("image name %q: %w", spec.Ref, err)
	}
	if spec.Binary == "" && !spec.filesOnly() {
		dir, err := os.MkdirTemp("", "memhog-image-")
		if err != nil {
			return Image{}, err
		}
		defer os.RemoveAll(dir)
		binary := filepath.Join(dir, "program")
		if err := Compile(ctx, spec, binary); err != nil {
			return Image{}, fmt.Errorf("image %q: %w", spec.Ref, err)
		}
		if spec.Entrypoint == "" {
			spec.Entrypoint = path.Base(spec.Package)
		}
		spec.Binary = binary
	}
	image, err := assemble(spec)
	if err != nil {
		return Image{}, fmt.Errorf("image %q: %w", spec.Ref, err)
	}
	return Image{Image: image, Ref: spec.Ref}, nil
}

// filesOnly is true for an image in which nothing is to be started, such as a bundle, or only what Programs name.
func (s ImageSpec) filesOnly() bool {
	return s.Binary == "" && s.Package == "" && len(s.Files)+len(s.Programs) > 0
}

// Compile builds the static Linux program that a spec says, for this machine's
// architecture, into a file: for an image of several programs.
func Compile(ctx context.Context, spec ImageSpec, out string) error {
	if spec.Package == "" {
		return errors.New("neither a package nor a binary was given")
	}
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w " + spec.LDFlags, "-o", out}
	for _, tag := range spec.Tags {
		args = append(args, "-tags="+tag)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, spec.Package)...)
	cmd.Dir = spec.ModuleDir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH, "GOFLAGS=")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s in %q: %w\n%s", spec.Package, spec.ModuleDir, err, output)
	}
	return nil
}

func assemble(spec ImageSpec) (v1.Image, error) {
	if spec.Entrypoint == "" && spec.Binary != "" {
		spec.Entrypoint = filepath.Base(spec.Binary)
	}
	if spec.User == "" {
		spec.User = NonRoot
	}
	layer, err := layerOf(spec)
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config = v1.Config{User: spec.User, WorkingDir: "/", Cmd: spec.Args, Labels: spec.Labels}
	if spec.Entrypoint != "" {
		config.Config.Entrypoint = []string{"/" + spec.Entrypoint}
	}
	return mutate.ConfigFile(image, config)
}
