package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/lockstep-db/lockstep/server/dataset"
	"github.com/lockstep-db/lockstep/server/rdb"
	"github.com/lockstep-db/lockstep/server/replication"
)

// Failures of a load that are not about the bytes.
var (
	errNoSuchDB      = errors.New("database index is out of range")
	errDuplicateKey  = errors.New("key occurs twice")
	errLoadCancelled = errors.New("load was cancelled")
)

// replNotes are the notes of a snapshot about its place in the stream.
type replNotes struct {
	id       string
	offset   int64
	streamDB int
	idSet    bool
	offSet   bool
}

func (n *replNotes) usable() bool { return n.idSet && n.offSet }

func (n *replNotes) take(key, value []byte) {
	v, err := strconv.ParseInt(string(value), 10, 64)
	switch string(key) {
	case "repl-id":
		if n.idSet = replication.ValidID(string(value)); n.idSet {
			n.id = string(value)
		}
	case "repl-offset":
		if n.offSet = err == nil && v >= 0; n.offSet {
			n.offset = v
		}
	case "repl-stream-db":
		if err == nil && v >= 0 && v < 1<<31 {
			n.streamDB = int(v)
		}
	}
}

// load is one data set being read. A goroutine parses; the reactor applies batches
// between its events, and so goes on answering.
type load struct {
	server  *Server
	file    *os.File
	size    int64
	keepOld bool // keys whose time is over are kept: a replica leaves them to its primary
	tokens  chan struct{}
	cancel  context.CancelFunc

	// Owned by the reactor.
	started   time.Duration
	startedAt int64 // unix seconds
	consumed  int64
	keys      int64
	expired   int64
	replaces  bool  // a key that is there already is replaced
	empty     int64 // collections without elements, which are left out
	leftOut   bool  // the entry whose parts come is left out
	loader    dataset.Loader
	onExpired func(db int, key []byte)
	err       error // the reactor's own; the parser stops soon after
	notes     replNotes
	done      func(*load, error)
}

// loadStats is what INFO tells of the last load.
type loadStats struct{ keys, expired int64 }

// startLoad reads a snapshot file into the keyspace, and closes it. The caller has
// opened it, since under its name there may be another one soon. onExpired, unless
// nil, is told of the keys that are left out because their time is over; nil keeps
// them.
func (s *Server) startLoad(file *os.File, onExpired func(db int, key []byte), done func(*load, error)) {
	ctx, cancel := context.WithCancel(s.repl.ctx)
	l := &load{server: s, file: file, keepOld: onExpired == nil, tokens: make(chan struct{}, 2), cancel: cancel,
		started: s.clock.elapsed(), startedAt: s.clock.unix, onExpired: onExpired, done: done}
	s.repl.load = l
	s.repl.work.Add(1)
	go func() {
		defer s.repl.work.Done()
		notes, err := l.parse(ctx)
		s.post(func() { l.end(notes, err) })
	}()
}

func (l *load) parse(ctx context.Context) (notes replNotes, err error) {
	defer l.file.Close()
	path := l.file.Name()
	info, err := l.file.Stat()
	if err != nil {
		return notes, fmt.Errorf("open snapshot: %w", err)
	}
	l.server.post(func() { l.size = info.Size() })
	r := rdb.NewReader(l.file)
	batch := &loadBatch{}
	for {
		rec, err := r.Next()
		if err != nil {
			return notes, fmt.Errorf("read snapshot %s: %w", path, err)
		}
		switch rec.Kind {
		case rdb.KindAux:
			notes.take(rec.Key, rec.Value.Data)
		case rdb.KindEntry, rdb.KindMore, rdb.KindFunction:
			batch.add(&rec)
			if len(batch.items) >= batchItems || len(batch.arena) >= batchBytes {
				if err := l.give(ctx, batch, r.Consumed()); err != nil {
					return notes, err
				}
				batch = &loadBatch{}
			}
		case rdb.KindEnd:
			return notes, l.give(ctx, batch, r.Consumed())
		}
	}
}

// give passes a batch to the reactor, and waits while it has not applied the one
// before the last.
func (l *load) give(ctx context.Context, b *loadBatch, consumed int64) error {
	select {
	case l.tokens <- struct{}{}:
	case <-ctx.Done():
		return errLoadCancelled
	}
	l.server.post(func() {
		<-l.tokens
		if l.server.repl.load == l && l.err == nil {
			l.consumed = consumed
			l.apply(b)
		}
	})
	return nil
}

func (l *load) fail(err error) {
	l.err = err
	l.loader.Abandon()
	l.cancel()
}

func (l *load) end(notes replNotes, err error) {
	s := l.server
	l.cancel()
	if s.repl.load != l {
		return // cancelled, and somebody else has taken over
	}
	if err != nil {
		l.loader.Abandon()
	}
	s.repl.load = nil
	s.dropped += int(l.consumed) // at least: the batches were as large as what they were read from
	if l.err != nil {
		err = l.err
	}
	l.notes = notes
	if err == nil {
		s.repl.loads = loadStats{l.keys, l.expired}
		s.waits.signalAll(-1)
	}
	l.done(l, err)
}

// cancelLoad ends a load under way; its done is not called.
func (s *Server) cancelLoad() {
	if l := s.repl.load; l != nil {
		s.repl.load = nil
		l.cancel()
		l.loader.Abandon()
	}
}

// loadAtStart loads the data set from disk, if there is one, and calls done on
// the reactor (now or later).
func (s *Server) loadAtStart(done func(error)) {
	s.removeLeftovers()
	file, err := os.Open(s.snapshotPath())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.nothingLoaded()
		done(nil)
		return
	case err != nil:
		done(fmt.Errorf("open snapshot: %w", err))
		return
	}
	// Only a server that will be primary by itself drops what has expired; others
	// leave that to a primary.
	var gone []expiredKey
	onExpired := func(db int, key []byte) { gone = append(gone, expiredKey{db, append([]byte(nil), key...)}) }
	if s.config.ReplicaOf != nil || s.config.Managed {
		onExpired = nil
	}
	s.startLoad(file, onExpired, func(l *load, err error) {
		if err != nil {
			done(err)
			return
		}
		s.log.Noticef("DB loaded from disk: %d keys, %d expired, %d without elements, in %.3f seconds",
			l.keys, l.expired, l.empty, (s.clock.elapsed() - l.started).Seconds())
		s.adoptNotes(l.notes, gone)
		done(nil)
	})
}

type expiredKey struct {
	db  int
	key []byte
}

// reloading is the options of DEBUG RELOAD.
type reloading struct {
	save  bool // first
	flush bool // the data set gives way; otherwise the file adds to it
	merge bool // a key that is there already is replaced; otherwise that is an error
}

// reload loads the snapshot file (DEBUG RELOAD). Until it has been checked, nothing
// changes.
func (s *Server) reload(o reloading, done func(error)) {
	path, databases := s.snapshotPath(), s.keyspace.Databases()
	s.loading = true
	end := func(err error) {
		s.loading = false
		done(err)
	}
	s.repl.work.Add(1)
	go func() {
		defer s.repl.work.Done()
		file, err := os.Open(path)
		if err != nil {
			err = fmt.Errorf("open snapshot: %w", err)
		} else if err = checkSnapshot(path, databases); err != nil {
			_ = file.Close() // it was only read
		}
		s.post(func() {
			if err != nil {
				end(err)
				return
			}
			s.reloadFrom(file, o, end)
		})
	}()
}

func (s *Server) reloadFrom(file *os.File, o reloading, done func(error)) {
	var onExpired func(db int, key []byte)
	if !s.repl.hideExpired {
		onExpired = func(int, []byte) {}
	}
	if o.flush {
		if s.env.Emptied != nil {
			for i := range s.keyspace.Databases() {
				s.env.Emptied(i)
			}
		}
		s.functions.flush()
		s.keyspace.FlushAll()
	}
	s.startLoad(file, onExpired, func(_ *load, err error) { done(err) })
	s.repl.load.replaces = o.merge
}

// removeLeftovers deletes the temporary files of a server that did not end in
// order.
func (s *Server) removeLeftovers() {
	names, err := filepath.Glob(filepath.Join(s.dataDir(), "temp-*.rdb"))
	if err != nil {
		return // only a malformed pattern fails
	}
	for _, name := range names {
		if err := os.Remove(name); err != nil {
			s.log.Warningf("Leftover of an earlier run: %v", err)
		}
	}
}

// infoLoading adds to INFO how far a load has come.
func (s *Server) infoLoading(b *infoBuilder) {
	l := s.repl.load
	if l == nil {
		return
	}
	perc, eta := 0.0, int64(1)
	if l.size > 0 && l.consumed > 0 {
		perc = float64(l.consumed) / float64(l.size) * 100
		spent := s.clock.elapsed() - l.started
		eta = seconds(time.Duration(float64(spent) * float64(l.size-l.consumed) / float64(l.consumed)))
	}
	b.field("loading_start_time", l.startedAt)
	b.field("loading_total_bytes", l.size)
	b.field("loading_rdb_used_mem", 0)
	b.field("loading_loaded_bytes", l.consumed)
	b.fieldf("loading_loaded_perc", "%.2f", perc)
	b.field("loading_eta_seconds", eta)
}
