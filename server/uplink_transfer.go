package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/server/replication"
)

// fullSync is one full re-synchronisation, from the primary's announcement to the
// loaded data set. Until the snapshot is complete, on disk and checked, the old
// data and the old history are untouched: a transfer that is cut costs nothing but
// its time.
type fullSync struct {
	id       string // the primary's history; empty when it has told none
	offset   int64
	peer     *replication.Lineage
	transfer *replication.Transfer
	file     *fileWriter
	received bool // all of it is here; it is being checked or loaded
	paused   bool // the disk is behind
}

func (f *fullSync) abandon() {
	if f.file != nil && !f.received {
		f.file.abandon()
	}
	*f = fullSync{}
}

func (f *fullSync) progress() *instance.Progress {
	p := &instance.Progress{}
	if t := f.transfer; t != nil {
		p.DoneBytes = t.Received
		if t.Total >= 0 {
			total := t.Total
			p.TotalBytes = &total
		}
	}
	return p
}

// beginTransfer opens the file for the snapshot that comes now.
func (u *uplink) beginTransfer(t *replication.Transfer) {
	s := u.server
	file, err := s.startFile(s.snapshotPath(), false, false)
	if err != nil {
		u.lost(replication.SnapshotRejected, err)
		return
	}
	u.sync.transfer, u.sync.file = t, file
	u.phase = linkTransfer
	if t.Total >= 0 {
		s.log.Noticef("MASTER <-> REPLICA sync: receiving %d bytes from master to disk", t.Total)
	} else {
		s.log.Noticef("MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF to disk")
	}
	s.linksChanged()
	rest := u.in
	u.in = nil
	u.receive(rest)
}

// receive takes bytes of the snapshot; what follows it belongs to the stream.
func (u *uplink) receive(p []byte) {
	t := u.sync.transfer
	payload, n := t.Consume(p)
	if len(payload) > 0 {
		u.sync.file.write(append([]byte(nil), payload...))
	}
	if t.Done() {
		u.in = append(u.in, p[n:]...)
		u.received()
		return
	}
	if u.sync.file.full(func() { u.resumeTransfer() }) {
		u.sync.paused = true
		u.stopReading()
	}
}

func (u *uplink) resumeTransfer() {
	if u.sync.paused && u.fd >= 0 {
		u.sync.paused = false
		u.readOn()
	}
}

func (u *uplink) stopReading() {
	if err := u.server.setReadable(u.fd, nil); err != nil {
		u.lost(replication.TransferAborted, err)
	}
}

func (u *uplink) readOn() {
	if err := u.server.setReadable(u.fd, u.readable); err != nil {
		u.lost(replication.TransferAborted, err)
	}
}

// received has the complete snapshot made durable and checked beside the reactor.
// Meanwhile the stream waits in the socket.
func (u *uplink) received() {
	u.sync.received = true
	u.stopReading()
	if u.phase != linkTransfer {
		return
	}
	sync := u.sync
	u.sync.file.finish(func(err error) {
		if err != nil {
			u.rejected(sync, err)
			return
		}
		u.check(sync)
	})
}

// check finds out whether the snapshot can be loaded, while there is still something
// to fall back to.
func (u *uplink) check(sync fullSync) {
	s := u.server
	if u.closed || u.sync.file != sync.file {
		_ = os.Remove(sync.file.temp) // nobody wants it any more
		return
	}
	tail := s.divergentTail(sync.peer)
	databases := s.keyspace.Databases()
	s.repl.work.Add(1)
	go func() {
		defer s.repl.work.Done()
		var file *os.File
		err := checkSnapshot(sync.file.temp, databases)
		if err == nil {
			err = tail.save(filepath.Dir(sync.file.path))
		}
		if err == nil {
			file, err = os.Open(sync.file.temp)
		}
		s.post(func() { u.checked(sync, tail, file, err) })
	}()
}

// checked takes the snapshot over, if it is good and still wanted: whoever follows
// nobody any more must not find another server's data set at its next start. There
// is no need to wait for the disk to know the name; if it forgets, the older snapshot
// is there, with the place in the stream that belongs to it.
func (u *uplink) checked(sync fullSync, tail divergentTail, file *os.File, err error) {
	s := u.server
	wanted := !u.closed && u.sync.file == sync.file
	if err == nil && wanted {
		s.abortSnapshot() // a save that ended later would take the name back
		if tail.name == "" {
			s.keepDivergedSnapshot(sync.peer)
		}
		if err = os.Rename(sync.file.temp, sync.file.path); err == nil {
			s.replaceData(u, sync, tail, file)
			return
		}
	}
	if file != nil {
		_ = file.Close() // it was only read
	}
	_ = os.Remove(sync.file.temp) // of no use; the error says why
	if err != nil {
		u.rejected(sync, err)
	}
}

// rejected goes on with the old data.
func (u *uplink) rejected(sync fullSync, err error) {
	if u.closed || u.sync.file != sync.file {
		return
	}
	u.server.log.Warningf("The snapshot from the primary can not be used, the old data set is kept: %v", err)
	u.lost(replication.SnapshotRejected, err)
}

// replaceData gives up the old data set for the one in the snapshot file. From here
// on there is no way back, so our replicas have to go: their data is of another
// history now.
func (s *Server) replaceData(u *uplink, sync fullSync, tail divergentTail, file *os.File) {
	r := &s.repl
	if tail.name != "" {
		r.managed.tail = savedTail{tail.name, int64(len(tail.bytes))}
		s.log.Warningf("Saved %d bytes that this instance had written and its new primary has not, as %s", len(tail.bytes), tail.name)
	}
	s.dropReplicas("the data set is replaced by the primary's")
	s.log.Noticef("MASTER <-> REPLICA sync: Flushing old data")
	s.loading = true
	r.incomplete = true
	r.resumable = false
	if s.env.Emptied != nil {
		for i := range s.keyspace.Databases() {
			s.env.Emptied(i)
		}
	}
	s.forgetAll()
	s.ownExpiring = nil
	s.functions.flush()
	s.keyspace.FlushAll()
	s.log.Noticef("MASTER <-> REPLICA sync: Loading DB in memory")
	s.startLoad(file, nil, func(l *load, err error) { s.replaced(u, sync, l, err) })
	s.linksChanged()
}

// replaced takes over the primary's history with its data.
func (s *Server) replaced(u *uplink, sync fullSync, l *load, err error) {
	r := &s.repl
	s.loading = false
	if err != nil {
		s.functions.flush()
		s.keyspace.FlushAll()
		s.log.Warningf("Failed trying to load the MASTER synchronization DB: %v", err)
		if !u.closed {
			u.lost(replication.SnapshotRejected, err)
		}
		return
	}
	r.incomplete, r.ownFrom = false, 0
	id := sync.id
	if r.resumable = id != ""; !r.resumable {
		id = randomID() // nothing can be continued later, but our own replicas need a name
	}
	r.history = replication.NewHistory(id)
	r.base = max(0, sync.offset)
	if r.log != nil {
		r.log.Reset(r.base)
	}
	s.createLog()
	s.effects.db = l.notes.streamDB
	r.stats.upFull++
	s.log.Noticef("MASTER <-> REPLICA sync: Finished with success: %d keys at offset %d", l.keys, r.base)
	if u.closed || u.phase != linkTransfer {
		return // the data is good; the link is gone
	}
	rest := u.in
	u.in = nil
	u.sync = fullSync{}
	u.lastSync = instance.SyncFull
	u.beginStream(rest)
	if u.connected() { // not when only the snapshot was wanted from there
		u.ack()
		u.readOn()
	}
}

// divergentTail is what this server has written itself and the primary that it
// joins does not have.
type divergentTail struct {
	name  string // empty: there is none
	bytes []byte
}

// divergentTail finds it in the log. What is no longer in the log can not be saved;
// the name tells which bytes are.
func (s *Server) divergentTail(peer *replication.Lineage) divergentTail {
	r := &s.repl
	if !s.config.Managed || r.ownFrom == 0 || r.log == nil {
		return divergentTail{}
	}
	from, through := max(r.ownFrom, r.log.First()), r.log.End()
	if peer != nil {
		if shared, known := peer.SharedThrough(r.history.ID, through); known {
			from = max(from, shared+1)
		}
	}
	if from > through {
		return divergentTail{}
	}
	p, err := r.log.Copy(from, through)
	if err != nil {
		s.log.Warningf("The divergent tail can not be saved: %v", err) // can not happen: the bounds are the log's
		return divergentTail{}
	}
	return divergentTail{name: fmt.Sprintf("diverged-%s-%d-%d.resp", r.history.ID, from, through), bytes: p}
}

// keepDivergedSnapshot gives the snapshot that is about to be replaced a second name,
// if it is all that is left of a divergent tail: a server that was restarted has the
// effects of what it had written alone, but not the bytes. Only the newest is kept,
// since each is as large as the data set.
func (s *Server) keepDivergedSnapshot(peer *replication.Lineage) {
	r := &s.repl
	if !s.config.Managed || peer == nil || !r.resumable || r.log == nil {
		return
	}
	shared, known := peer.SharedThrough(r.history.ID, r.offset())
	if !known || r.offset() <= shared || r.log.First() <= shared+1 {
		return
	}
	older, _ := filepath.Glob(filepath.Join(s.dataDir(), "diverged-*.rdb")) // fails only for a wrong pattern
	for _, name := range older {
		_ = os.Remove(name) // best effort: it costs space only
	}
	name := fmt.Sprintf("diverged-%s-%d-%d.rdb", r.history.ID, shared+1, r.offset())
	switch err := os.Link(s.snapshotPath(), filepath.Join(s.dataDir(), name)); {
	case errors.Is(err, fs.ErrNotExist):
		return // there never was one
	case err != nil:
		s.log.Warningf("The snapshot with %d bytes that the new primary has not can not be kept: %v", r.offset()-shared, err)
	default:
		r.managed.tail = savedTail{name, r.offset() - shared}
		s.log.Warningf("Kept the snapshot with %d bytes that the new primary has not, as %s", r.offset()-shared, name)
	}
}

// save writes the tail durably into dir.
func (t divergentTail) save(dir string) error {
	if t.name == "" {
		return nil
	}
	path := filepath.Join(dir, t.name)
	f, err := os.OpenFile(path+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("save divergent tail: %w", err)
	}
	_, err = f.Write(t.bytes)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("save divergent tail: %w", err)
	}
	return nil
}
