package server

import (
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/dataset"
	"github.com/lockstep-db/lockstep/server/rdb"
	"github.com/lockstep-db/lockstep/server/replication"
	"github.com/lockstep-db/lockstep/server/store"
)

// sliceTime is how long one slice of a snapshot keeps the reactor: no client
// waits longer for that than for an ordinary slow command.
const sliceTime = 500 * time.Microsecond

// sliceEntries is how many entries are taken between two looks at the clock.
const sliceEntries = 64

// snapshotChunk is how many bytes are collected before they are handed on; buffers
// have room for what comes on top of that.
const (
	snapshotChunk  = 128 << 10
	snapshotBuffer = snapshotChunk + 4096
)

// snapshot is one walk over the data set as it was at the moment of its cut. There
// is at most one at a time.
type snapshot struct {
	server *Server
	cut    *store.Cut
	file   *fileWriter // to disk; nil when it goes straight to replicas
	feeds  []*feed     // diskless: who takes it
	mark   string      // diskless: what ends it
	sum    uint64      // diskless: the checksum so far
	offset int64       // of the stream at the cut

	enc    rdb.Encoder
	handed int  // bytes
	idle   bool // the eviction policy goes by idle times
	large  int  // bytes of large values; the others are too small to matter
	db     int  // the database that the encoder is in; -1 before the first

	// A large entry is being written in parts, and what else is emitted meanwhile.
	inParts bool
	aside   rdb.Encoder
	asideDB int // the database that aside is in; -1 when it is empty

	started time.Duration
	keys    int64
	total   int64 // keys at the cut
	walked  bool  // everything is handed on
	paused  bool  // the disk or a socket is behind
	timer   *timer
	done    func(error) // told on the reactor, once
	forRepl bool        // begun for replicas, not by SAVE, BGSAVE or a save rule
}

// beginSnapshot makes the cut: what is in the data set now is what the snapshot
// will hold, at the stream's present offset. The caller sets where it goes and then
// calls walk.
func (s *Server) beginSnapshot(done func(error)) (*snapshot, error) {
	sn := &snapshot{server: s, db: -1, offset: s.repl.offset(), started: s.clock.elapsed(), done: done}
	sn.idle = strings.HasSuffix(s.config.MaxmemoryPolicy, "-lru")
	cut, err := s.keyspace.Cut(sn.emit)
	if err != nil {
		return nil, err
	}
	sn.cut = cut
	cut.Parts = sn.emitParts
	sn.enc = rdb.Encoder{Compress: s.config.RDBCompression, HandOver: sn.handOn, Full: snapshotChunk}
	sn.aside.Compress = sn.enc.Compress
	sn.enc.Buf = s.appendSnapshotHeader(make([]byte, 0, snapshotBuffer))
	for i := range s.keyspace.Databases() {
		sn.total += int64(s.keyspace.DB(i).Len())
	}
	// Whoever continues from here has selected nothing yet. A replica can not put a
	// SELECT into its primary's stream; there the note in the file tells.
	if !s.isReplica() {
		s.effects.forceSelect()
	}
	s.repl.snapshot = sn
	return sn, nil
}

// appendSnapshotHeader notes where in the stream the data set stands, which is
// what lets a restarted server ask for the rest only.
func (s *Server) appendSnapshotHeader(dst []byte) []byte {
	dst = rdb.AppendHeader(dst)
	dst = rdb.AppendAux(dst, "redis-ver", compatVersion)
	dst = rdb.AppendAux(dst, "redis-bits", "64")
	dst = rdb.AppendAux(dst, "ctime", strconv.FormatInt(s.clock.unix, 10))
	if r := &s.repl; r.log != nil && r.resumable {
		dst = rdb.AppendAux(dst, "repl-stream-db", strconv.Itoa(max(0, s.streamDB())))
		dst = rdb.AppendAux(dst, "repl-id", r.history.ID)
		dst = rdb.AppendAux(dst, "repl-offset", strconv.FormatInt(r.offset(), 10))
	}
	dst = rdb.AppendAux(dst, "aof-base", "0")
	for _, source := range s.functions.sources() {
		dst = rdb.AppendFunction(dst, source)
	}
	return dst
}

// emit is called by the keyspace for every entry of the moment of the cut. While a
// large entry is being written in parts, others wait aside.
func (sn *snapshot) emit(db int, e store.Entry) {
	sn.keys++
	if sn.inParts {
		sn.asideDB = sn.selectDB(&sn.aside, sn.asideDB, db)
		dataset.Encode(&sn.aside, e, sn.access(e))
		return
	}
	sn.db = sn.selectDB(&sn.enc, sn.db, db)
	before := sn.handed
	dataset.Encode(&sn.enc, e, sn.access(e))
	sn.noteLarge(before)
}

// emitParts is called by the keyspace for entries that may be written in parts.
func (sn *snapshot) emitParts(db int, e store.Entry) func(n int) bool {
	if !dataset.Large(e) {
		return nil
	}
	sn.keys++
	sn.db = sn.selectDB(&sn.enc, sn.db, db)
	before := sn.handed
	more := dataset.Begin(&sn.enc, e, sn.access(e))
	sn.inParts, sn.asideDB = true, -1
	return func(n int) bool {
		if !more(n) {
			return false
		}
		sn.inParts = false
		if sn.asideDB >= 0 {
			sn.enc.Raw(sn.aside.Buf)
			sn.db, sn.aside.Buf = sn.asideDB, nil
		}
		sn.noteLarge(before)
		return true
	}
}

// selectDB says that what follows is in a database, unless the last one was. It
// returns the database.
func (sn *snapshot) selectDB(enc *rdb.Encoder, last, db int) int {
	if db != last {
		d := sn.server.keyspace.DB(db)
		enc.Buf = rdb.AppendSelectDB(enc.Buf, db, d.Len(), d.VolatileLen())
	}
	return db
}

// noteLarge counts what an entry has left to the collector, if it was a large one.
// before is what had been handed on before it.
func (sn *snapshot) noteLarge(before int) {
	if n := sn.handed - before; n > 2*snapshotChunk {
		sn.large += n
	}
}

// access is what the eviction policy goes by, so that it goes on where the file is
// loaded.
func (sn *snapshot) access(e store.Entry) rdb.Access {
	used := rdb.NoAccess
	switch s := sn.server; {
	case s.env.LFU:
		used.Frequency = int(s.env.Frequency(e.Access(), s.clock.unixMs))
	case sn.idle:
		used.IdleSeconds = command.IdleSeconds(e, s.clock.unixMs)
	}
	return used
}

// handOn passes the collected bytes to the file or to the replicas.
func (sn *snapshot) handOn() {
	p := sn.enc.Buf
	if len(p) == 0 {
		return
	}
	sn.enc.Buf = make([]byte, 0, snapshotBuffer)
	sn.cut.Enough() // for a slice: to spell so much takes as long as many small entries
	sn.handed += len(p)
	if sn.file != nil {
		sn.file.write(p)
		return
	}
	sn.sum = rdb.Checksum(sn.sum, p)
	for _, f := range sn.feeds {
		f.body = append(f.body, p)
		f.bodyBytes += int64(len(p))
		f.large = sn.large
	}
}

// walk takes one slice and arranges for the next.
func (sn *snapshot) walk() {
	sn.timer = nil
	if sn.server.repl.snapshot != sn || sn.walked {
		return
	}
	if sn.paused = sn.behind(); sn.paused {
		return
	}
	begin := sn.server.clock.elapsed()
	for sn.server.clock.elapsed()-begin < sliceTime {
		if sn.cut.Step(sliceEntries) {
			sn.complete()
			return
		}
	}
	sn.kickFeeds()
	sn.timer = sn.server.after(0, sn.walk)
}

// resume goes on after the disk or a socket has caught up.
func (sn *snapshot) resume() {
	if sn.paused && sn.server.repl.snapshot == sn {
		sn.paused = false
		sn.timer = sn.server.after(0, sn.walk)
	}
}

// feedQueue bounds the snapshot's bytes that wait for one replica's socket.
const feedQueue = 4 << 20

func (sn *snapshot) behind() bool {
	if sn.file != nil {
		return sn.file.full(sn.resume)
	}
	for _, f := range sn.feeds {
		if f.bodyBytes > feedQueue {
			return true
		}
	}
	return false
}

// kickFeeds writes what has become available for sockets that are not blocked.
func (sn *snapshot) kickFeeds() {
	for i := len(sn.feeds) - 1; i >= 0 && i < len(sn.feeds); i-- {
		if f := sn.feeds[i]; !f.blocked {
			sn.server.writeFeed(f)
		}
	}
}

// complete is called when the last entry has been emitted.
func (sn *snapshot) complete() {
	sn.walked = true
	sn.handOn()
	if sn.file != nil {
		sn.file.finish(func(err error) { sn.end(err) })
		return
	}
	last := append(rdb.AppendEOF(nil, sn.sum), sn.mark...)
	feeds := append([]*feed(nil), sn.feeds...)
	for _, f := range feeds {
		f.body = append(f.body, last)
		f.bodyBytes += int64(len(last))
		f.bodyDone = true
	}
	sn.end(nil)
	for _, f := range feeds {
		if !f.blocked {
			sn.server.writeFeed(f)
		}
	}
}

// end releases everything and tells the outcome.
func (sn *snapshot) end(err error) {
	s := sn.server
	if s.repl.snapshot != sn {
		return // aborted meanwhile
	}
	s.repl.snapshot = nil
	s.dropped += sn.large
	sn.timer.stop()
	s.noteSnapshot(sn, err)
	if sn.forRepl || len(s.repl.feeds) > 0 {
		s.snapshotEnded(sn, err)
	}
	if sn.done != nil {
		sn.done(err)
	}
}

// abort ends the snapshot without a result; what is on the disk stays the old
// file.
func (sn *snapshot) abort(err error) {
	if sn.server.repl.snapshot != sn {
		return
	}
	sn.cut.Abort()
	if sn.file != nil {
		sn.file.abandon()
	}
	sn.end(err)
}

// newEndMark draws what ends a snapshot of unknown size.
func newEndMark() string { return randomID()[:replication.MarkLen] }
