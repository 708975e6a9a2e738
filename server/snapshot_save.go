package server

import (
	"errors"
	"path/filepath"
	"slices"
	"time"
)

// Refusals of a save.
var (
	errSaveRunning   = errors.New("Background save already in progress") //nolint:staticcheck // the wire's text
	errSaveCancelled = errors.New("snapshot was cancelled")
	errIncomplete    = errors.New("the data set is not complete: the last full re-synchronization was not loaded whole")
)

// dataDir is where the files of this server are. A relative one that CONFIG SET has
// named is the working directory by now, unless the server has none of its own.
func (s *Server) dataDir() string {
	if s.embedded || filepath.IsAbs(s.config.Dir) {
		return s.config.Dir
	}
	return "."
}

func (s *Server) snapshotPath() string { return filepath.Join(s.dataDir(), s.config.DBFilename) }

// saveInBackground starts a snapshot and calls done on the reactor when it is
// on disk or has failed.
func (s *Server) saveInBackground(done func(error)) error {
	if s.effects.depth > 0 {
		// Inside a transaction the data is ahead of the stream: the snapshot would note
		// an offset that it is not at.
		s.after(0, func() {
			if err := s.saveInBackground(done); err != nil {
				done(err)
			}
		})
		return nil
	}
	_, err := s.snapshotToDisk(done)
	return err
}

// snapshotToDisk makes the cut now and writes it beside everything else.
func (s *Server) snapshotToDisk(done func(error)) (*snapshot, error) {
	switch {
	case s.snapshotRunning():
		return nil, errSaveRunning
	case s.repl.incomplete:
		return nil, errIncomplete // it would replace a good file
	}
	file, err := s.startFile(s.snapshotPath(), true, true)
	if err != nil {
		return nil, err
	}
	sn, err := s.beginSnapshot(done)
	if err != nil {
		file.abandon()
		return nil, err
	}
	sn.file = file
	sn.timer = s.after(0, sn.walk)
	return sn, nil
}

// saveNow writes a snapshot to dir/dbfilename and returns when it is there. It
// stops the reactor meanwhile: that is what SAVE and a shutdown ask for.
func (s *Server) saveNow() error {
	switch {
	case s.snapshotRunning():
		return errSaveRunning
	case s.repl.incomplete:
		return errIncomplete
	}
	file, err := s.startFile(s.snapshotPath(), true, true)
	if err != nil {
		return err
	}
	sn, err := s.beginSnapshot(nil)
	if err != nil {
		file.abandon()
		return err
	}
	sn.file = file
	for !sn.cut.Step(4096) {
		for file.queued.Load() > fileQueue {
			time.Sleep(time.Millisecond) // only the disk can do something now
		}
	}
	sn.walked = true
	sn.handOn()
	err = file.finishNow()
	sn.end(err)
	return err
}

// snapshotRunning says whether a snapshot is being written.
func (s *Server) snapshotRunning() bool { return s.repl.snapshot != nil }

// abortSnapshot ends the one being written, if any.
func (s *Server) abortSnapshot() {
	if sn := s.repl.snapshot; sn != nil {
		sn.abort(errSaveCancelled)
	}
}

// flushingAll is told before FLUSHALL does its work.
func (s *Server) flushingAll() {
	s.ownExpiring = nil
	s.forgetSnapshot()
}

// forgetSnapshot has the file follow a FLUSHALL soon, if there are save rules: nobody
// wants back after a crash what was thrown away. A save of the old data is given up
// unless a replica waits for it.
func (s *Server) forgetSnapshot() {
	if len(s.config.Save) == 0 {
		return
	}
	if sn := s.repl.snapshot; sn != nil && s.saving.running && !sn.forRepl && sn.total > 0 {
		awaited := slices.ContainsFunc(s.repl.feeds, func(f *feed) bool { return f.snapshot == sn })
		if !awaited {
			s.abortSnapshot()
		}
	}
	s.saving.scheduled = true
}

// noteSnapshot keeps account of one that has ended.
func (s *Server) noteSnapshot(sn *snapshot, err error) {
	took := s.clock.elapsed() - sn.started
	switch {
	case errors.Is(err, errSaveCancelled):
		s.log.Noticef("Snapshot cancelled after %d of %d keys", sn.keys, sn.total)
		return
	case err != nil:
		s.log.Warningf("Background saving error: %v; the previous snapshot is untouched", err)
		return
	case sn.file == nil:
		s.log.Noticef("Snapshot sent to %d replicas: %d keys in %v", len(sn.feeds), sn.keys, took.Round(time.Millisecond))
		return
	}
	s.log.Noticef("DB saved on disk: %d keys, %d bytes in %v", sn.keys, sn.file.written, took.Round(time.Millisecond))
}

// snapshotProgress tells how many keys the snapshot under way has, and how many it
// will have.
func (s *Server) snapshotProgress() (keys, total int64) {
	if sn := s.repl.snapshot; sn != nil {
		return sn.keys, sn.total
	}
	return 0, 0
}
