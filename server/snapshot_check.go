package server

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/lockstep-db/lockstep/server/rdb"
	"github.com/lockstep-db/lockstep/server/script"
)

// checkSnapshot reads a snapshot from beginning to end without keeping anything:
// what it holds that can not be loaded is found before the old data is given up.
func checkSnapshot(path string, databases int) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open snapshot: %w", err)
	}
	defer f.Close()
	r := rdb.NewReader(f)
	libraries := newLibraryTrial()
	for {
		rec, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("check snapshot: %w", err)
		case rec.Kind == rdb.KindEntry && rec.DB >= databases:
			return fmt.Errorf("check snapshot: key %q is in database %d: %w (0 to %d; see the directive databases)", rec.Key, rec.DB, errNoSuchDB, databases-1)
		case rec.Kind == rdb.KindFunction:
			if err := libraries.load(string(rec.Value.Data)); err != nil {
				return fmt.Errorf("check snapshot: function library: %w", err)
			}
		}
	}
}

// libraryTrial loads function libraries apart from the server, to see whether they
// can be loaded. It belongs to whoever made it.
type libraryTrial struct {
	functions functions
	begun     time.Time
}

func newLibraryTrial() *libraryTrial {
	t := &libraryTrial{}
	t.functions.engine = script.NewLibraries(t, scriptVersions())
	return t
}

func (t *libraryTrial) load(code string) error {
	name, err := libraryName(code)
	if err != nil {
		return err
	}
	t.begun = time.Now()
	lib, err := t.functions.engine.LoadLibrary(name, code)
	if err != nil {
		return err
	}
	return t.functions.admit([]*script.Library{lib}, false)
}

// A library that is being loaded calls no commands.

// Call is part of script.Host.
func (t *libraryTrial) Call([][]byte, int) (reply []byte, refused string) { return nil, "not now" }

// Allowed is part of script.Host.
func (t *libraryTrial) Allowed([][]byte) (allowed, known bool) { return false, false }

// SetReplication is part of script.Host.
func (t *libraryTrial) SetReplication(int) {}

// CountError is part of script.Host.
func (t *libraryTrial) CountError(string) {}

// Log is part of script.Host: the library speaks when it is loaded in earnest.
func (t *libraryTrial) Log(int, string) {}

// Interrupt is part of script.Host.
func (t *libraryTrial) Interrupt() string {
	if time.Since(t.begun) > trialTime {
		return "it takes too long to load"
	}
	return ""
}

// trialTime is longer than a library may take in earnest: the check runs beside
// everything else.
const trialTime = 10 * libraryTime
