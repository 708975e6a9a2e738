package role

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var id = strings.Repeat("0123456789", 4)

func newID() string { return id }

func TestStateSurvives(t *testing.T) {
	dir := t.TempDir()
	f, state, err := OpenFile(dir, newID)
	if err != nil || state != (State{InstanceID: id}) {
		t.Fatalf("first start: %+v, %v", state, err)
	}
	if err := f.Save(State{InstanceID: id, Epoch: 41}); err != nil {
		t.Fatal(err)
	}
	// A crash in the middle of the next save leaves a half-written temporary file.
	if err := os.WriteFile(filepath.Join(dir, FileName+".tmp"), []byte(`{"inst`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, state, err = OpenFile(dir, func() string { t.Error("an ID was drawn again"); return "" })
	if err != nil || state != (State{InstanceID: id, Epoch: 41}) {
		t.Errorf("second start: %+v, %v", state, err)
	}
}

func TestADamagedStateFileStopsTheStart(t *testing.T) {
	tests := []struct{ name, content string }{
		{"an empty file", ""},
		{"half a file", `{"instanceID":"` + id + `","ep`},
		{"no object", `[1]`},
		{"an ID that is none", `{"instanceID":"xyz","epoch":1}`},
		{"an ID in capitals", `{"instanceID":"` + strings.Repeat("A", 40) + `","epoch":1}`},
		{"no ID", `{"epoch":1}`},
		{"a negative epoch", `{"instanceID":"` + id + `","epoch":-1}`},
		{"an unknown field", `{"instanceID":"` + id + `","epoch":1,"role":"primary"}`},
		{"two objects", `{"instanceID":"` + id + `","epoch":1}{}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, FileName)
			if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, _, err := OpenFile(dir, newID)
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v", err)
			}
			if left, _ := os.ReadFile(path); string(left) != tt.content {
				t.Errorf("the file was changed to %q", left)
			}
		})
	}
}

func TestSaveThatFailsLeavesTheOldState(t *testing.T) {
	dir := t.TempDir()
	f, _, err := OpenFile(dir, newID)
	if err != nil {
		t.Fatal(err)
	}
	// A directory in the temporary file's place: nobody can write there, not
	// even root.
	if err := os.Mkdir(filepath.Join(dir, FileName+".tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := f.Save(State{InstanceID: id, Epoch: 9}); err == nil {
		t.Error("saved into a directory")
	}
	if _, state, err := OpenFile(dir, newID); err != nil || state.Epoch != 0 {
		t.Errorf("%+v, %v", state, err)
	}
}

func TestADirectoryThatIsNotThereStopsTheStart(t *testing.T) {
	if _, _, err := OpenFile(filepath.Join(t.TempDir(), "missing"), newID); err == nil {
		t.Error("started without a data directory")
	}
}
