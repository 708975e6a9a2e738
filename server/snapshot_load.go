package server

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// loadBatch is a run of entries on its way from the parser to the reactor. The
// bytes of all of them are in one arena, so that a batch is two allocations.
type loadBatch struct {
	arena []byte
	items []loadItem
}

type loadItem struct {
	kind     rdb.Kind // entry, more of it, or function
	db       int
	keyEnd   int       // in the arena; the key begins where the previous item ended
	valueEnd int       // in the arena
	value    rdb.Value // without its bytes
	expireAt int64
}

// A batch is applied in one turn of the loop, so its size is what bounds the turn.
const (
	batchItems = 1024
	batchBytes = 256 << 10
)

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

func (b *loadBatch) add(rec *rdb.Record) {
	it := loadItem{kind: rec.Kind, db: rec.DB, value: rec.Value, expireAt: rec.ExpireAt}
	b.arena = append(b.arena, rec.Key...)
	it.keyEnd = len(b.arena)
	b.arena = append(b.arena, rec.Value.Data...)
	it.valueEnd = len(b.arena)
	it.value.Data = nil
	b.items = append(b.items, it)
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

func (l *load) apply(b *loadBatch) {
	from := 0
	for i := range b.items {
		it := &b.items[i]
		key := b.arena[from:it.keyEnd]
		it.value.Data = b.arena[it.keyEnd:it.valueEnd]
		from = it.valueEnd
		if err := l.applyItem(it, key); err != nil {
			l.fail(err)
			return
		}
	}
}

func (l *load) applyItem(it *loadItem, key []byte) error {
	ks := l.server.keyspace
	switch {
	case it.kind == rdb.KindFunction:
		if err := l.server.functions.load(it.value.Data, false); err != nil {
			return fmt.Errorf("load function library: %w", err)
		}
		return nil
	case it.db >= ks.Databases():
		return fmt.Errorf("load key %q into database %d: %w (0 to %d; see the directive databases)", key, it.db, errNoSuchDB, ks.Databases()-1)
	case it.kind == rdb.KindEntry:
		return l.applyEntry(it, key)
	case l.leftOut: // with the first part
		return nil
	}
	if err := l.loader.More(&it.value); err != nil {
		return fmt.Errorf("load key %q into database %d: %w", key, it.db, err)
	}
	return nil
}

// applyEntry loads a value, or the first part of it.
func (l *load) applyEntry(it *loadItem, key []byte) error {
	db := l.server.keyspace.DB(it.db)
	l.leftOut = true
	switch {
	case it.value.Empty():
		l.empty++
		return nil
	case !l.keepOld && it.expireAt != 0 && it.expireAt <= l.server.clock.unixMs:
		l.expired++
		l.onExpired(it.db, key)
		return nil
	}
	l.leftOut = false
	var err error
	if _, exists := db.Find(key); exists {
		err = errDuplicateKey
	} else {
		err = l.loader.Load(db, key, &it.value, it.expireAt)
	}
	if err != nil {
		return fmt.Errorf("load key %q into database %d: %w", key, it.db, err)
	}
	l.keys++
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

// checkSnapshot reads a snapshot from beginning to end without keeping anything:
// what it holds that can not be loaded is found before the old data is given up.
func checkSnapshot(path string, databases int) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open snapshot: %w", err)
	}
	defer f.Close()
	r := rdb.NewReader(f)
	for {
		rec, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("check snapshot: %w", err)
		case rec.Kind == rdb.KindEntry && rec.DB >= databases:
			return fmt.Errorf("check snapshot: key %q is in database %d: %w (0 to %d; see the directive databases)", rec.Key, rec.DB, errNoSuchDB, databases-1)
		}
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

// reload replaces the data set by what is in the snapshot file (DEBUG RELOAD).
func (s *Server) reload(done func(error)) {
	var onExpired func(db int, key []byte)
	if !s.repl.hideExpired {
		onExpired = func(int, []byte) {}
	}
	file, err := os.Open(s.snapshotPath())
	if err != nil {
		done(fmt.Errorf("open snapshot: %w", err))
		return
	}
	s.loading = true
	s.keyspace.FlushAll()
	s.startLoad(file, onExpired, func(l *load, err error) {
		s.loading = false
		done(err)
	})
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
