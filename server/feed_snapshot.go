package server

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/lockstep-db/lockstep/server/rdb"
	"github.com/lockstep-db/lockstep/server/replication"
)

// errReplaced says that a snapshot's name belongs to another one by now, of another
// moment of the stream.
var errReplaced = errors.New("another snapshot has taken its place")

// waitForSnapshot puts a replica that needs everything in the queue. Its answer is
// given at the moment of the snapshot, because only then its offset is known.
func (s *Server) waitForSnapshot(f *feed) {
	r := &s.repl
	r.stats.syncFull++
	if r.log == nil {
		// Nothing that was written so far was counted: the history begins here.
		r.history = replication.NewHistory(randomID())
		r.resumable = true
		s.createLog()
	}
	f.since = s.clock.mono
	f.progress.Phase = replication.WaitingSnapshot
	s.attach(f)
	if f.noData {
		s.sendEmptySnapshot(f)
		return
	}
	if s.joinSnapshot(f) {
		return
	}
	s.planSnapshot()
}

// joinSnapshot lets a replica take part in a snapshot that is already being written
// to disk: its moment is past, but the stream since then may still be there, at the
// latest because somebody else waits for the same snapshot.
func (s *Server) joinSnapshot(f *feed) bool {
	sn := s.repl.snapshot
	if sn == nil || sn.file == nil || !s.repl.log.Has(sn.offset+1) {
		return false
	}
	cursor, err := s.repl.log.Cursor(sn.offset + 1)
	if err != nil {
		return false
	}
	f.cursor = cursor
	s.announceSnapshot(f, sn)
	return true
}

// announceSnapshot gives the deferred answer to PSYNC.
func (s *Server) announceSnapshot(f *feed, sn *snapshot) {
	f.progress.Phase = replication.SendingSnapshot
	f.snapshot = sn
	if !f.legacy {
		f.head = replication.AppendFullResync(f.head, s.repl.history, sn.offset)
	}
}

func (s *Server) waitingFeeds() (feeds []*feed, waiters []replication.Waiter) {
	for _, f := range s.repl.feeds {
		if f.progress.Phase == replication.WaitingSnapshot {
			feeds = append(feeds, f)
			waiters = append(waiters, replication.Waiter{TakesMark: f.eof, Since: f.since})
		}
	}
	return feeds, waiters
}

// planSnapshot begins the snapshot that the waiting replicas share, when it is
// time.
func (s *Server) planSnapshot() {
	r := &s.repl
	feeds, waiters := s.waitingFeeds()
	if len(feeds) == 0 || r.snapshot != nil || r.load != nil || s.effects.depth > 0 {
		return
	}
	if r.uplink != nil && !r.uplink.connected() {
		return // our own data is about to change or is not whole
	}
	plan, after := replication.PlanSnapshot(waiters, replication.SnapshotPolicy{
		Diskless:    s.config.ReplDisklessSync,
		Delay:       time.Duration(s.config.ReplDisklessSyncDelay) * time.Second,
		MaxReplicas: s.config.ReplDisklessMaxReplica,
	}, s.clock.mono)
	switch plan {
	case replication.WaitForMore:
		r.planTimer.stop()
		r.planTimer = s.after(after, s.planSnapshot)
	case replication.BeginDiskless:
		s.snapshotToSockets(feeds)
	case replication.BeginToDisk:
		s.snapshotToDiskFor(feeds)
	}
}

// snapshotToSockets cuts now, and sends the data set straight to the replicas.
func (s *Server) snapshotToSockets(feeds []*feed) {
	sn, err := s.beginSnapshot(nil)
	if err != nil {
		s.snapshotNotBegun(feeds, err)
		return
	}
	sn.forRepl, sn.mark = true, newEndMark()
	for _, f := range feeds {
		if !s.attachToCut(f, sn) {
			continue
		}
		f.head = replication.AppendMarkedHeader(f.head, sn.mark)
		f.framed = true
		f.progress.Gated = true
		sn.feeds = append(sn.feeds, f)
	}
	s.log.Noticef("Starting a snapshot for %d replicas, straight to their sockets, at offset %d", len(sn.feeds), sn.offset)
	sn.timer = s.after(0, sn.walk)
}

// snapshotToDiskFor cuts now, and sends the file once it is complete.
func (s *Server) snapshotToDiskFor(feeds []*feed) {
	sn, err := s.snapshotToDisk(nil)
	if err != nil {
		s.snapshotNotBegun(feeds, err)
		return
	}
	sn.forRepl = true
	for _, f := range feeds {
		s.attachToCut(f, sn)
	}
	s.log.Noticef("Starting a snapshot for %d replicas, to disk, at offset %d", len(feeds), sn.offset)
}

// attachToCut ties a replica to the stream at exactly the cut.
func (s *Server) attachToCut(f *feed, sn *snapshot) bool {
	cursor, err := s.repl.log.Cursor(sn.offset + 1)
	if err != nil {
		s.dropFeed(f, err.Error()) // can not happen: the cut is at the log's end
		return false
	}
	f.cursor = cursor
	s.announceSnapshot(f, sn)
	if !f.blocked {
		s.writeFeed(f)
	}
	return !f.c.has(flagClosed)
}

func (s *Server) snapshotNotBegun(feeds []*feed, err error) {
	s.log.Warningf("No snapshot for %d replicas: %v", len(feeds), err)
	for _, f := range feeds {
		f.head = append(f.head, "-ERR Unable to perform background save, replication can't continue\r\n"...)
		s.writeFeed(f)
		s.dropFeed(f, "its snapshot could not be begun")
	}
}

// snapshotEnded sends a file that is complete to those who wait for it, and gives
// up those whose snapshot has failed.
func (s *Server) snapshotEnded(sn *snapshot, err error) {
	feeds := append([]*feed(nil), s.repl.feeds...)
	for _, f := range feeds {
		if f.snapshot != sn {
			continue
		}
		f.snapshot = nil
		switch {
		case err != nil:
			s.dropFeed(f, fmt.Sprintf("its snapshot failed: %v", err))
		case sn.file != nil:
			s.beginFile(f, sn.file)
		}
	}
	s.after(0, s.planSnapshot) // for those who came too late for this one
}

func (s *Server) beginFile(f *feed, snapshot *fileWriter) {
	file, err := os.Open(snapshot.path)
	if err != nil {
		s.dropFeed(f, fmt.Sprintf("open its snapshot: %v", err))
		return
	}
	info, err := file.Stat()
	if err == nil && !os.SameFile(info, snapshot.info) {
		err = errReplaced
	}
	if err != nil {
		_ = file.Close() // it was only read
		s.dropFeed(f, fmt.Sprintf("open its snapshot: %v", err))
		return
	}
	f.file, f.fileLeft = file, info.Size()
	f.head = replication.AppendSizedHeader(f.head, f.fileLeft)
	f.framed = true
	f.movedAt = s.clock.mono
	if !f.blocked {
		s.writeFeed(f)
	}
}

// sendEmptySnapshot serves a client that wants only what there is none of, such as
// function libraries.
func (s *Server) sendEmptySnapshot(f *feed) {
	f.progress.Phase = replication.SendingSnapshot
	if !f.legacy {
		f.head = replication.AppendFullResync(f.head, s.repl.history, s.repl.offset())
	}
	p := s.appendSnapshotHeader(nil)
	p = rdb.AppendEOF(p, rdb.Checksum(0, p))
	f.head = append(replication.AppendSizedHeader(f.head, int64(len(p))), p...)
	f.framed, f.bodyDone = true, true
	if f.cursor, _ = s.repl.log.Cursor(s.repl.offset() + 1); !f.blocked {
		s.writeFeed(f)
	}
}
