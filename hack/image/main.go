// Command image packs programs into a container image, as an archive that
// containerd, Docker and kind can load. It needs neither Docker nor a network.
//
// The image is the same, byte for byte, whenever the programs are: nothing in
// it depends on the time or on the machine.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

var (
	errNoName     = errors.New("--name is missing: give the image a name and a tag, for example localhost/lockstep:dev")
	errNoOut      = errors.New("--out is missing: give the archive a path, for example image.tar")
	errNoPrograms = errors.New("no program given: name each as FILE=/PATH/IN/IMAGE")
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// run packs what the arguments name.
func run(arguments []string) error {
	flags := flag.NewFlagSet("image", flag.ExitOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: pack --name NAME:TAG --out FILE.tar [FLAG...] FILE=/PATH/IN/IMAGE...")
		flags.PrintDefaults()
	}
	var c content
	reference := flags.String("name", "", "the image's `NAME:TAG`")
	out := flags.String("out", "", "the archive to write (`FILE.tar`)")
	from := flags.String("from", ".", "the `FOLDER` that relative paths start at")
	flags.StringVar(&c.entrypoint, "entrypoint", "", "the `PROGRAM` that a container runs unless told otherwise")
	flags.StringVar(&c.architecture, "architecture", runtime.GOARCH, "what the programs are built for")
	flags.Func("folder", "a `/FOLDER` that the image's user may write (repeatable)", appendTo(&c.folders))
	flags.Func("label", "a label as `KEY=VALUE` (repeatable)", appendTo(&c.labels))
	if err := flags.Parse(arguments); err != nil {
		return err
	}

	switch {
	case *reference == "":
		return errNoName
	case *out == "":
		return errNoOut
	case flags.NArg() == 0:
		return errNoPrograms
	}
	for _, argument := range flags.Args() {
		source, target, found := strings.Cut(argument, "=")
		if !found || !strings.HasPrefix(target, "/") {
			return fmt.Errorf("program %q: want FILE=/PATH/IN/IMAGE", argument)
		}
		c.programs = append(c.programs, program{source: under(*from, source), target: target})
	}
	return write(under(*from, *out), *reference, c)
}

func appendTo(list *[]string) func(string) error {
	return func(value string) error {
		*list = append(*list, value)
		return nil
	}
}

func under(folder, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}

// write makes the archive, whole or not at all.
func write(path, reference string, c content) error {
	tag, err := name.NewTag(reference, name.StrictValidation)
	if err != nil {
		return fmt.Errorf("image name %q: %w", reference, err)
	}
	image, err := c.image()
	if err != nil {
		return err
	}
	unfinished := path + ".new"
	if err := tarball.WriteToFile(unfinished, tag, image); err != nil {
		return fmt.Errorf("write archive %s: %w", path, err)
	}
	if err := os.Rename(unfinished, path); err != nil {
		return fmt.Errorf("write archive %s: %w", path, err)
	}
	return nil
}
