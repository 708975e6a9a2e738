package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// packed packs a small program, with further arguments, and returns the archive's path.
func packed(t *testing.T, arguments ...string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "hello"), []byte("not really a program"), 0o600); err != nil {
		t.Fatal(err)
	}
	arguments = append([]string{"--from", folder, "--name", "localhost/hello:1", "--out", "hello.tar"}, arguments...)
	if err := run(append(arguments, "hello=/usr/local/bin/hello")); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, "hello.tar")
}

func TestImageRunsItsProgramWithoutRoot(t *testing.T) {
	image, err := tarball.ImageFromPath(packed(t, "--entrypoint", "/usr/local/bin/hello", "--label", "a=b"), nil)
	if err != nil {
		t.Fatal(err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if want := "65532:65532"; file.Config.User != want {
		t.Errorf("user %q, want %q", file.Config.User, want)
	}
	if want := []string{"/usr/local/bin/hello"}; !slices.Equal(file.Config.Entrypoint, want) {
		t.Errorf("entry point %q, want %q", file.Config.Entrypoint, want)
	}
	if got := file.Config.Labels["a"]; got != "b" {
		t.Errorf("label a is %q, want b", got)
	}
}

func TestLayerHasEachFolderBeforeWhatIsInIt(t *testing.T) {
	image, err := tarball.ImageFromPath(packed(t, "--folder", "/data"), nil)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers (%v), want 1", len(layers), err)
	}
	stream, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	entries := map[string]*tar.Header{}
	for r := tar.NewReader(stream); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if above := filepath.Dir(filepath.Clean(header.Name)); above != "." && entries[above+"/"] == nil {
			t.Errorf("%s comes before its folder", header.Name)
		}
		entries[header.Name] = header
	}
	for _, want := range []struct {
		name  string
		mode  int64
		owner int
	}{
		{"usr/local/bin/hello", 0o755, 0},
		{"data/", 0o755, 65532},
		{"tmp/", 0o1777, 0},
	} {
		got := entries[want.name]
		if got == nil {
			t.Errorf("%s is missing", want.name)
			continue
		}
		if got.Mode != want.mode || got.Uid != want.owner || got.Gid != want.owner {
			t.Errorf("%s has mode %o and owner %d:%d, want %o and %d", want.name, got.Mode, got.Uid, got.Gid, want.mode, want.owner)
		}
	}
}

func TestSamePackageIsSameBytes(t *testing.T) {
	one, err := os.ReadFile(packed(t))
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(packed(t))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one, other) {
		t.Error("two archives of the same content differ")
	}
}

func TestMissingArgumentsAreNamed(t *testing.T) {
	for _, c := range []struct {
		name      string
		arguments []string
		want      error
	}{
		{"an image without a name", []string{"--out", "x.tar", "a=/a"}, errNoName},
		{"an image without an archive", []string{"--name", "a:1", "a=/a"}, errNoOut},
		{"an image without a program", []string{"--name", "a:1", "--out", "x.tar"}, errNoPrograms},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := run(c.arguments); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}
