package server

import (
	"context"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/config"
	"github.com/lockstep-db/lockstep/server/log"
	"github.com/lockstep-db/lockstep/server/replication"
)

// replState is everything that replication keeps. The reactor owns it, but for
// work and ctx.
//
// Invariant: while log is not nil the stream's offset is log.End(), otherwise it
// is base. On a replica the log holds exactly the applied bytes of its primary's
// stream.
type replState struct {
	ctx    context.Context // ends with the server
	cancel context.CancelFunc
	work   sync.WaitGroup // goroutines that dial, parse or write files

	stale       bool // a replica whose link is down, for replica-serve-stale-data
	hideExpired bool // expired keys are hidden, somebody else deletes them

	history replication.History
	log     *log.Log // nil: no stream is kept, because nobody has ever needed it
	base    int64
	// resumable: history and offset describe the data set, so a PSYNC may ask to
	// continue from them, and a snapshot may note them.
	resumable bool
	// incomplete: the data set was given up for one that has not been loaded whole.
	incomplete bool
	// ownFrom is the number of the first byte that this server wrote itself as a
	// primary and that no primary has confirmed since; 0 when there is none.
	ownFrom int64

	feeds      []*feed
	quietSince time.Duration // since when there is no replica
	pingedAt   time.Duration // 0, the start, counts as one: an hour between pings is an hour without one
	wantAcks   bool          // a GETACK goes into the stream at the end of this batch
	waiters    []*waiter

	planTimer *timer    // when the replicas that wait for a snapshot have waited long enough
	snapshot  *snapshot // being written
	load      *load     // being read
	loads     loadStats

	uplink   *uplink // nil: not a replica
	failover failover

	managed replManaged
	stats   replStats
}

// replStats are the counters of INFO.
type replStats struct {
	syncFull, syncPartialOK, syncPartialErr int64
	input, output                           int64 // bytes of replication links
	upFull, upPartial                       int64 // as a replica, since the start
}

func (s *Server) initReplication() error {
	r := &s.repl
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.history = replication.NewHistory(randomID())
	r.hideExpired = s.config.ReplicaOf != nil || s.config.Managed
	if s.config.ReplicaOf != nil {
		s.log.setRole('S')
	}
	return nil
}

// nothingLoaded: the server begins empty.
func (s *Server) nothingLoaded() {
	if s.config.Managed {
		s.createLog()
	}
}

// adoptNotes takes over the place in the stream that the loaded snapshot notes.
// gone are the keys that were left out because their time is over: replicas that
// continue from the noted place still have them.
func (s *Server) adoptNotes(n replNotes, gone []expiredKey) {
	r := &s.repl
	if !n.usable() {
		s.nothingLoaded()
		return
	}
	r.base = n.offset
	s.effects.forceSelect()
	if s.config.ReplicaOf != nil || s.config.Managed {
		// Who we follow, or whether we lead, is decided later; until then this is the
		// same server that wrote the snapshot.
		r.history.ID = n.id
		r.resumable = true
		s.createLog()
		s.effects.db = n.streamDB // after createLog, which forgets it
		return
	}
	// A primary that was restarted may have lost what it wrote last: it goes on
	// under a new name, from which those who had less can continue.
	r.history = replication.NewHistory(n.id).Promoted(randomID(), n.offset)
	r.resumable = true
	s.createLog()
	for _, k := range gone {
		s.effects.Effect(k.db, [][]byte{command.RemovalWord(s.env.LazyExpire), k.key})
	}
}

// startReplication begins once the data set is there.
func (s *Server) startReplication() {
	s.repl.quietSince = s.clock.mono
	s.every(time.Second, s.replicationCron)
	if a := s.config.ReplicaOf; a != nil && !s.config.Managed {
		s.startFollowing(target{host: a.Host, port: a.Port})
	}
}

// stopReplication drops every link and waits for the goroutines.
func (s *Server) stopReplication() {
	r := &s.repl
	r.cancel()
	s.cancelLoad()
	s.abortSnapshot()
	s.dropUplink("the server stops")
	s.dropReplicas("the server stops")
	r.work.Wait()
}

// createLog begins to keep the stream.
func (s *Server) createLog() {
	r := &s.repl
	if r.log != nil {
		return
	}
	r.log = log.New(s.config.ReplBacklogSize)
	r.log.Reset(r.base)
	s.effects.forceSelect()
}

// freeLog stops keeping the stream. What is written from now on is not counted, so
// nobody may continue from here: the history ends.
func (s *Server) freeLog() {
	r := &s.repl
	r.base = r.log.End()
	r.log = nil
	r.history = replication.NewHistory(randomID())
	r.resumable = false
}

// offset is the number of stream bytes produced, or applied by a replica.
func (r *replState) offset() int64 {
	if r.log != nil {
		return r.log.End()
	}
	return r.base
}

func (r *replState) window() replication.Window {
	if r.log == nil {
		return replication.Window{}
	}
	return replication.Window{Exists: true, First: r.log.First(), End: r.log.End()}
}

// resizeWindow changes repl-backlog-size while running.
func (s *Server) resizeWindow(capacity int64) {
	s.config.ReplBacklogSize = capacity
	if s.repl.log != nil {
		s.repl.log.Resize(capacity)
	}
}

// streamDB is the database that the stream has selected; -1 when the next effect
// will select one anyhow.
func (s *Server) streamDB() int {
	if u := s.repl.uplink; u != nil {
		return u.db()
	}
	return s.effects.db
}

// isReplica says whether the server follows another one.
func (s *Server) isReplica() bool { return s.repl.uplink != nil }

// keepsLog says whether effects are recorded at all: only when there is a
// backlog, and never what is done to a replica, whose stream is its primary's.
func (s *Server) keepsLog() bool { return s.repl.log != nil && s.repl.uplink == nil }

// appendToLog appends whole commands to the replication log.
func (s *Server) appendToLog(p []byte) {
	r := &s.repl
	if r.log == nil || r.uplink != nil {
		return
	}
	r.log.Append(p)
	if s.current != nil {
		s.current.writeOffset = r.log.End()
	}
}

func hostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// replicationCron is what replication does once a second, and ten times a second
// while it fails over.
func (s *Server) replicationCron() {
	if u := s.repl.uplink; u != nil {
		u.cron()
	}
	s.feedCron()
	s.failoverCron()
	s.expireLog()
}

// expireLog frees a primary's log that nobody has needed for repl-backlog-ttl. A
// replica keeps its own: it needs it when it is promoted.
func (s *Server) expireLog() {
	r := &s.repl
	ttl := time.Duration(s.config.ReplBacklogTTL) * time.Second
	if r.log == nil || ttl == 0 || len(r.feeds) > 0 || r.uplink != nil || s.config.Managed || r.snapshot != nil {
		return
	}
	if s.clock.mono-r.quietSince > ttl {
		s.freeLog()
		s.log.Noticef("Replication backlog freed after %d seconds without connected replicas.", s.config.ReplBacklogTTL)
	}
}

// applyReplication makes a changed directive effective for replication. Most are
// read when they are needed.
func (s *Server) applyReplication(name string, _ *config.Config) error {
	switch name {
	case "repl-backlog-size":
		s.resizeWindow(s.config.ReplBacklogSize)
	case "repl-diskless-sync", "repl-diskless-sync-delay", "repl-diskless-sync-max-replicas":
		s.after(0, s.planSnapshot)
	}
	return nil
}

// changeReplicationID is DEBUG CHANGE-REPL-ID: nobody can continue from here.
func (s *Server) changeReplicationID() {
	s.repl.history = replication.NewHistory(randomID())
}
