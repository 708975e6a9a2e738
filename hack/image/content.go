package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user is whom the image's programs run as: the number that images without a
// root user have agreed on. Its name stands in the image's /etc/passwd.
const user = 65532

// content is what goes into an image.
type content struct {
	programs     []program
	folders      []string // the user's own, beside /tmp
	labels       []string // KEY=VALUE
	entrypoint   string
	architecture string
}

type program struct {
	source string // on this machine
	target string // in the image; absolute
}

// image returns the content as an image of one layer.
func (c content) image() (v1.Image, error) {
	files, err := c.archive()
	if err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files)), nil }
	layer, err := tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, fmt.Errorf("make layer: %w", err)
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if image, err = mutate.AppendLayers(image, layer); err != nil {
		return nil, fmt.Errorf("add layer: %w", err)
	}
	// Only now: the configuration names the layers that are there.
	configuration, err := c.configure(image)
	if err != nil {
		return nil, err
	}
	return mutate.ConfigFile(image, configuration)
}

func (c content) configure(image v1.Image) (*v1.ConfigFile, error) {
	file, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	file = file.DeepCopy()
	file.OS = "linux"
	file.Architecture = c.architecture
	file.Config = v1.Config{
		User:       fmt.Sprintf("%d:%d", user, user),
		WorkingDir: "/",
		Env:        []string{"PATH=/usr/local/bin"},
		Labels:     map[string]string{},
	}
	if c.entrypoint != "" {
		file.Config.Entrypoint = []string{c.entrypoint}
	}
	for _, label := range c.labels {
		key, value, found := strings.Cut(label, "=")
		if !found {
			return nil, fmt.Errorf("label %q: want KEY=VALUE", label)
		}
		file.Config.Labels[key] = value
	}
	return file, nil
}

// archive returns the layer: the programs and folders, and every folder above
// them. All dates are zero, so that the same content is the same image.
func (c content) archive() ([]byte, error) {
	var files bytes.Buffer
	w := tar.NewWriter(&files)
	a := archiver{w: w, made: map[string]bool{"/": true}}
	a.folder("/tmp", 0o1777, 0)
	for _, folder := range c.folders {
		a.folder(folder, 0o755, user)
	}
	a.file("/etc/passwd", 0o644, fmt.Appendf(nil, "root:x:0:0:root:/:/sbin/nologin\nlockstep:x:%d:%d:lockstep:/data:/sbin/nologin\n", user, user))
	a.file("/etc/group", 0o644, fmt.Appendf(nil, "root:x:0:\nlockstep:x:%d:\n", user))
	for _, p := range c.programs {
		data, err := os.ReadFile(p.source)
		if err != nil {
			return nil, fmt.Errorf("read program: %w", err)
		}
		a.file(p.target, 0o755, data)
	}
	if a.err == nil {
		a.err = w.Close()
	}
	if a.err != nil {
		return nil, fmt.Errorf("write layer: %w", a.err)
	}
	return files.Bytes(), nil
}

// archiver writes entries until the first error, which it keeps.
type archiver struct {
	w    *tar.Writer
	made map[string]bool // the folders written so far
	err  error
}

func (a *archiver) folder(name string, mode int64, owner int) {
	a.above(name)
	if a.made[name] {
		return
	}
	a.made[name] = true
	a.write(&tar.Header{Typeflag: tar.TypeDir, Name: name[1:] + "/", Mode: mode, Uid: owner, Gid: owner}, nil)
}

func (a *archiver) file(name string, mode int64, data []byte) {
	a.above(name)
	a.write(&tar.Header{Typeflag: tar.TypeReg, Name: name[1:], Mode: mode, Size: int64(len(data))}, data)
}

// above writes the folders that lead to a name, outermost first.
func (a *archiver) above(name string) {
	var missing []string
	for folder := path.Dir(name); !a.made[folder]; folder = path.Dir(folder) {
		missing = append(missing, folder)
		a.made[folder] = true
	}
	for _, folder := range slices.Backward(missing) {
		a.write(&tar.Header{Typeflag: tar.TypeDir, Name: folder[1:] + "/", Mode: 0o755}, nil)
	}
}

func (a *archiver) write(header *tar.Header, data []byte) {
	if a.err != nil {
		return
	}
	if a.err = a.w.WriteHeader(header); a.err == nil {
		_, a.err = a.w.Write(data)
	}
}
