package dataset

import (
	"errors"

	"github.com/lockstep-db/lockstep/server/rdb"
	"github.com/lockstep-db/lockstep/server/store"
)

// encodeStream writes what follows rdb.ShapeStream.
func encodeStream(_ *rdb.Encoder, _ *store.Stream) {}

var errNoStreams = errors.New("streams are not loaded yet")

// loadStream makes the stream, or begins it with its first part.
func (l *Loader) loadStream(_ *store.DB, _ []byte, _ *rdb.Value, _ int64) error {
	return errNoStreams
}

// addStream adds the next part.
func (l *Loader) addStream(_ *rdb.Value) error { return errNoStreams }
