package server

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestAnAbandonedSnapshotNeverTakesTheName: while the disk was busy with the last
// bytes of a save, a newer snapshot got the file's name, at a shutdown or from the
// primary; then the older one replaced it.
func TestAnAbandonedSnapshotNeverTakesTheName(t *testing.T) {
	for _, row := range []struct {
		name      string
		abandoned bool
		holds     string
		err       error
	}{
		{"a save that goes on replaces the file", false, "old data set", nil},
		{"a save that was given up leaves the newer file alone", true, "newer", errAbandoned},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "dump.rdb")
			file, err := os.Create(filepath.Join(dir, "temp.rdb"))
			if err != nil {
				t.Fatal(err)
			}
			w := newFileWriter(path, file)
			w.rename = true
			w.put([]byte("old data set"))
			if err := os.WriteFile(path, []byte("newer"), 0o600); err != nil {
				t.Fatal(err)
			}
			if row.abandoned {
				w.abandon() // its goroutine has seen the end of the queue before
			}
			if err := w.close(); !errors.Is(err, row.err) {
				t.Errorf("closing: %v, want %v", err, row.err)
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != row.holds {
				t.Errorf("the file holds %q (%v), want %q", got, err, row.holds)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "temp*")); len(left) > 0 {
				t.Errorf("left over: %v", left)
			}
		})
	}
}

// TestACancelledSaveIsNotAFailedOne: a save that a re-synchronization had ended
// stopped the writes of the replica when it was promoted.
func TestACancelledSaveIsNotAFailedOne(t *testing.T) {
	for _, row := range []struct {
		name   string
		before bool
		err    error
		after  bool
	}{
		{"a save that fails", false, errors.New("no space left on device"), true},
		{"a cancelled save after a good one", false, errSaveCancelled, false},
		{"a cancelled save after a failed one", true, errSaveCancelled, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := savePoint{running: true, failed: row.before}
			p.ended(&Server{clock: newClock()}, row.err)
			if p.failed != row.after || p.running {
				t.Errorf("failed %v, running %v", p.failed, p.running)
			}
		})
	}
}
