package role

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// FileName is the name of the state file within the data directory.
const FileName = "lockstep-state.json"

// ErrCorrupt says that the state file is there and can not be understood. The
// instance must not start with an epoch that is perhaps too low.
var ErrCorrupt = errors.New("state file is damaged")

// File keeps a State as a JSON file.
type File struct{ dir string }

// OpenFile reads the state file in dir, or makes it when there is none, with an
// instance ID from newID (40 hex digits).
func OpenFile(dir string, newID func() string) (*File, State, error) {
	f := &File{dir: dir}
	path := filepath.Join(dir, FileName)
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		state := State{InstanceID: newID()}
		return f, state, f.Save(state)
	}
	if err != nil {
		return nil, State{}, fmt.Errorf("read state file: %w", err)
	}
	state, err := decodeState(content)
	if err != nil {
		return nil, State{}, fmt.Errorf("%s: %w: %v; if another instance of the cluster has the data, empty this data directory and start again", path, ErrCorrupt, err)
	}
	return f, state, nil
}

func decodeState(content []byte) (State, error) {
	var state State
	d := json.NewDecoder(strings.NewReader(string(content)))
	d.DisallowUnknownFields()
	if err := d.Decode(&state); err != nil {
		return State{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return State{}, errors.New("something follows the object")
	}
	if !validID(state.InstanceID) {
		return State{}, fmt.Errorf("instanceID %q is not 40 hex digits", state.InstanceID)
	}
	return state, nil
}

func validID(id string) bool {
	return len(id) == 40 && strings.Trim(id, "0123456789abcdef") == ""
}

// Save replaces the file. It returns when a power loss can no longer bring the
// old content back.
func (f *File) Save(state State) error {
	content, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	temp := filepath.Join(f.dir, FileName+".tmp")
	if err := writeDurably(temp, append(content, '\n')); err != nil {
		return fmt.Errorf("write state file: %w", err)
	}
	if err := os.Rename(temp, filepath.Join(f.dir, FileName)); err != nil {
		return fmt.Errorf("replace state file: %w", err)
	}
	// The rename is durable only when the directory is.
	if err := syncDir(f.dir); err != nil {
		return fmt.Errorf("replace state file: %w", err)
	}
	return nil
}

func writeDurably(path string, content []byte) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.Write(content); err != nil {
		return err
	}
	return file.Sync()
}

// syncDir makes the names in a directory durable.
func syncDir(path string) (err error) {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	return dir.Sync()
}
