package server

import (
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/server/replication"
)

// What replication does for managed mode. Who may do what is decided there.

// helloAnswer is how a managed server takes another one's introduction.
type helloAnswer uint8

const (
	helloSame  helloAnswer = iota // equal epochs
	helloNewer                    // the other one's is newer: we are fenced now
	helloStale                    // the other one's is outdated
)

// replHooks are what managed mode has to say about replication. All are called on
// the reactor; nil means that there is nothing to say.
type replHooks struct {
	// hello is told of a replica's introduction, and answers with our epoch.
	hello func(epoch uint64, instanceID string) (helloAnswer, uint64)
	// feeds reports whether replicas may take the stream from here.
	feeds func() bool
	// acked is told that a replica has acknowledged something that was sent at
	// sentAt (on clock.mono). linkEpoch is that of its introduction.
	acked func(instanceID string, linkEpoch uint64, sentAt time.Duration)
	// mayAck reports whether this replica may still acknowledge on a link that it
	// opened with linkEpoch. news tells whether it is about bytes that were not
	// acknowledged on this link before.
	mayAck func(linkEpoch uint64, news bool) bool
	// changed is told that a link, in either direction, has changed its state.
	changed func()
}

// replManaged is what replication keeps for managed mode.
type replManaged struct {
	hooks  replHooks
	lease  time.Duration      // 0: no heartbeats
	marks  *replication.Marks // when which byte was sent; nil without a lease
	beat   *timer
	beatAt int64 // the log's end at the last heartbeat
	tail   savedTail
}

// savedTail is what was set aside before a full re-synchronisation replaced it.
type savedTail struct {
	file  string
	bytes int64
}

func (s *Server) linksChanged() {
	if fn := s.repl.managed.hooks.changed; fn != nil {
		fn()
	}
}

// setLease tells how long the lease is. A primary's stream carries a heartbeat at
// every quarter of it, a replica acknowledges as often. 0 ends both, and forgets
// what was sent when.
func (s *Server) setLease(d time.Duration) {
	m := &s.repl.managed
	if d == m.lease {
		return
	}
	m.lease = d
	m.beat.stop()
	m.marks = nil
	if d > 0 {
		m.marks = replication.NewMarks(d)
		m.beatAt = -1
		m.beat = s.after(0, s.heartbeat)
	}
}

// heartbeat keeps the stream moving, so that acknowledgements have something to
// acknowledge.
func (s *Server) heartbeat() {
	r := &s.repl
	m := &r.managed
	m.beat = s.after(m.lease/4, s.heartbeat)
	if u := r.uplink; u != nil {
		u.ack()
		return
	}
	if r.log != nil && len(r.feeds) > 0 && (r.log.End() == m.beatAt || m.beatAt < 0) {
		s.appendToLog(replication.Ping)
	}
	m.beatAt = r.offset()
}

// streamSent notes that everything appended so far is on its way. It is called
// before anything is written, so the time is never later than the sending.
func (s *Server) streamSent() {
	if m := s.repl.managed.marks; m != nil && s.repl.uplink == nil {
		m.Sent(s.repl.log.End(), s.clock.mono)
	}
}

// takeLeaseAck passes a lease acknowledgement on to the role.
func (s *Server) takeLeaseAck(f *feed, received int64) {
	m := &s.repl.managed
	if m.marks == nil || f.hello == nil || m.hooks.acked == nil {
		return
	}
	if at, ok := m.marks.SentAt(received); ok {
		m.hooks.acked(f.hello.InstanceID, f.hello.Epoch, at)
	}
}

// replicationView is what others need to know of replication at this moment.
type replicationView struct {
	Offset int64
	Known  bool // Offset is that of a complete data set
}

func (s *Server) viewReplication() replicationView {
	return replicationView{Offset: s.repl.offset(), Known: s.repl.load == nil && !s.loading && !s.repl.incomplete}
}

// promoteHistory makes this server a primary: the stream goes on under a new name,
// and those who followed the old one can continue from what they have.
func (s *Server) promoteHistory() {
	r := &s.repl
	s.dropUplink("it is primary now")
	s.createLog()
	r.history = r.history.Promoted(randomID(), r.offset())
	r.resumable = true
	r.ownFrom = r.offset() + 1
	r.hideExpired, r.stale = false, false
	r.quietSince = s.clock.mono
	s.effects.forceSelect()
	s.log.setRole('M')
	s.dropReplicas("the history has a new name")
	s.linksChanged()
}

// followOptions are what managed mode adds to following a primary.
type followOptions struct {
	Hello  *replication.Hello
	Source *target // take a full re-synchronisation from here, should one be needed
	Full   bool    // forget what is known of the history
}

// followPrimary drops whatever link there is and makes this server a replica. When
// the data is of the primary's history the link begins with a partial
// re-synchronisation.
func (s *Server) followPrimary(host string, port int, o followOptions) {
	if o.Full {
		s.repl.resumable = false
	}
	if o.Source != nil {
		o.Source.hello = o.Hello
	}
	s.startFollowing(target{host: host, port: port, hello: o.Hello, source: o.Source})
}

// stopFollowing drops the link and follows nobody; data, history and offset stay.
func (s *Server) stopFollowing() {
	s.dropUplink("it follows nobody now")
	s.repl.hideExpired = true
	s.linksChanged()
}

// replicationStatus fills in History, Offset (nil when not known), Window (without
// the write rate), Upstream, Replicas and SavedTail.
func (s *Server) replicationStatus(st *instance.Status) {
	r := &s.repl
	now := s.clock.elapsed()
	st.History = instance.History{ReplicationID: r.history.ID, SecondValidThrough: -1}
	if r.history.Second != replication.NoHistory {
		st.History.SecondReplicationID = r.history.Second
		st.History.SecondValidThrough = r.history.SecondNext - 1
	}
	if s.viewReplication().Known {
		offset := r.offset()
		st.Offset = &offset
	}
	st.Window.CapacityBytes = s.config.ReplBacklogSize
	if r.log != nil {
		st.Window.Bytes, st.Window.CapacityBytes = r.log.Len(), r.log.Capacity()
		if r.log.Len() > 0 {
			st.Window.FirstOffset = r.log.First()
		}
	}
	if r.uplink != nil {
		st.Upstream = r.uplink.status(now)
	}
	for _, f := range r.feeds {
		st.Replicas = append(st.Replicas, f.status(now))
	}
	if t := r.managed.tail; t.file != "" {
		st.SavedTail = &instance.SavedTail{File: t.file, Bytes: t.bytes}
	}
}

// loadProgress is how far the load of the data set at the start has come.
func (s *Server) loadProgress() *instance.Progress {
	p := &instance.Progress{}
	if l := s.repl.load; l != nil {
		p.DoneBytes = l.consumed
		if l.size > 0 {
			size := l.size
			p.TotalBytes = &size
		}
	}
	return p
}

func millis(d time.Duration) *int64 {
	ms := max(0, d.Milliseconds())
	return &ms
}

func (f *feed) status(now time.Duration) instance.Replica {
	st := instance.Replica{Address: f.String(), State: instance.FeedOnline}
	switch f.progress.Phase {
	case replication.WaitingSnapshot:
		st.State = instance.FeedWaitingSnapshot
	case replication.SendingSnapshot:
		st.State = instance.FeedSendingSnapshot
	}
	if f.hello != nil {
		st.InstanceID = f.hello.InstanceID
	}
	if f.cursor != nil {
		st.SentOffset = f.cursor.Next() - 1
	}
	if f.progress.HasAcked {
		acked := f.progress.Confirmed
		st.AckedOffset = &acked
		st.LastAckAgeMillis = millis(now - f.progress.AckedAt)
	}
	return st
}
