package server

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockstep-db/lockstep/api/instance"
	"github.com/lockstep-db/lockstep/server/admin"
)

const (
	// publishInterval is how old a published status can be while the reactor
	// turns.
	publishInterval = 100 * time.Millisecond
	// publishPause is the shortest time between two publications: a busy
	// server has many changes and nobody reads them all.
	publishPause = 2 * time.Millisecond
)

// statusBoard is where the reactor leaves what others may read at any time. What
// is on it is never changed, only replaced.
type statusBoard struct {
	status  atomic.Pointer[instance.Status]
	numbers atomic.Pointer[admin.Counters]

	mu      sync.Mutex
	changed chan struct{} // guarded by mu; closed when a status differs from the previous one in more than numbers
}

func (b *statusBoard) init() {
	b.changed = make(chan struct{})
	b.status.Store(&instance.Status{Role: instance.RoleUnassigned, Writes: instance.WritesLoading})
	b.numbers.Store(&admin.Counters{})
}

func (b *statusBoard) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

func (b *statusBoard) put(st *instance.Status) {
	previous := b.status.Swap(st)
	if sameStanding(previous, st) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.changed)
	b.changed = make(chan struct{})
}

// counters is what the metrics tell; the memory of the process is read when it is
// asked for.
func (b *statusBoard) counters() admin.Counters {
	c := *b.numbers.Load()
	c.ResidentBytes = residentMemory()
	return c
}

// sameStanding compares what a watcher must learn at once. Numbers that grow with
// every write, and times, it learns with the next heartbeat.
func sameStanding(a, b *instance.Status) bool {
	if a.Role != b.Role || a.Epoch != b.Epoch || a.RoleEpoch != b.RoleEpoch || a.Writes != b.Writes ||
		a.History != b.History || (a.Offset == nil) != (b.Offset == nil) || (a.Loading == nil) != (b.Loading == nil) ||
		a.Window.CapacityBytes != b.Window.CapacityBytes || (a.SavedTail == nil) != (b.SavedTail == nil) ||
		(a.Upstream == nil) != (b.Upstream == nil) || len(a.Replicas) != len(b.Replicas) {
		return false
	}
	if a.Upstream != nil && (a.Upstream.State != b.Upstream.State || a.Upstream.Address != b.Upstream.Address ||
		a.Upstream.FullSyncs != b.Upstream.FullSyncs || a.Upstream.PartialSyncs != b.Upstream.PartialSyncs) {
		return false
	}
	for i := range a.Replicas {
		if a.Replicas[i].InstanceID != b.Replicas[i].InstanceID || a.Replicas[i].State != b.Replicas[i].State ||
			a.Replicas[i].Address != b.Replicas[i].Address {
			return false
		}
	}
	return true
}

// statusChanged has a new status published in this turn of the loop or soon after.
func (s *Server) statusChanged() {
	m := &s.managed
	if m.pending != nil || m.stop == nil {
		return
	}
	wait := max(0, m.published+publishPause-s.clock.elapsed())
	m.pending = s.after(wait, func() { s.publish() })
}

// managedTick runs every publishInterval.
func (s *Server) managedTick() {
	s.noticeFencing()
	s.managed.growth.sample(s.clock.elapsed(), s.repl.offset())
	s.managed.board.numbers.Store(s.counters())
	s.publish()
}

// publish makes a status of this moment and returns a copy that the caller owns.
func (s *Server) publish() *instance.Status {
	m := &s.managed
	m.pending.stop()
	m.pending = nil
	now := s.clock.elapsed()
	m.published = now
	m.beat.Store(int64(now))
	st := s.makeStatus(now)
	m.board.put(st)
	s.awaitLeaseEnd(now)
	return s.currentStatus()
}

// awaitLeaseEnd has the end of the lease told when it comes. The lease is usually
// renewed before; then the timer finds that out and waits again.
func (s *Server) awaitLeaseEnd(now time.Duration) {
	m := &s.managed
	if m.machine == nil || m.leaseEnd != nil {
		return
	}
	if end, ok := m.machine.LeaseEnd(now); ok {
		m.leaseEnd = s.after(end-now, func() {
			m.leaseEnd = nil
			s.publish()
		})
	}
}

func (s *Server) makeStatus(now time.Duration) *instance.Status {
	m := &s.managed
	st := &instance.Status{
		BootID: s.runID, Name: s.config.InstanceName, Cluster: s.config.Cluster, Version: Version(),
	}
	s.replicationStatus(st)
	st.Window.WriteBytesPerSecond = m.growth.perSecond()
	if m.machine != nil {
		s.managedStatus(st, now)
	} else {
		s.standaloneStatus(st)
	}
	if s.loading {
		st.Writes = instance.WritesLoading
		st.Offset = nil
		st.Loading = s.loadProgress()
	}
	keys := int64(0)
	for i := range s.keyspace.Databases() {
		keys += int64(s.keyspace.DB(i).Len())
	}
	st.Keys = &keys
	return st
}

// managedStatus adds what the role machine knows.
func (s *Server) managedStatus(st *instance.Status, now time.Duration) {
	m := s.managed.machine
	st.Seq = m.StatusMade(now)
	st.InstanceID = s.managed.ledger.InstanceID()
	st.Role, st.RoleEpoch, st.Epoch = m.Role(), m.RoleEpoch(), m.Epoch()
	st.Writes = m.Verdict(now)
	if lease, ok := m.Lease(now); ok {
		st.Lease = &lease
	}
	if st.Role != instance.RoleReplica {
		st.Upstream = nil
	} else if st.Upstream == nil {
		// The link is gone, but not the role.
		st.Upstream = &instance.Upstream{State: instance.LinkNone}
	}
}

// standaloneStatus is for a server that nobody manages.
func (s *Server) standaloneStatus(st *instance.Status) {
	s.managed.seq++
	st.Seq = s.managed.seq
	st.InstanceID = s.runID
	st.Role, st.Writes = instance.RolePrimary, instance.WritesAllowed
	if s.isReplica() {
		st.Role, st.Writes = instance.RoleReplica, instance.WritesReplica
	}
}

// currentStatus is the last published one with what can be known without the
// reactor. Any goroutine may call it, and owns what it gets.
func (s *Server) currentStatus() *instance.Status {
	m := &s.managed
	st := *m.board.status.Load()
	now := s.clock.elapsed()
	// A status is due every publishInterval; what is above that is a stall.
	if stall := now - time.Duration(m.beat.Load()) - publishInterval; stall >= 100*time.Millisecond {
		st.ReactorStallMillis = stall.Milliseconds()
	}
	if at := m.lastAck.Load(); at >= 0 {
		age := max(0, now-time.Duration(at)).Milliseconds()
		st.LastAckAgeMillis = &age
	}
	if m.ledger != nil {
		st.Epoch = m.ledger.Stored()
		if st.Role != instance.RoleUnassigned && m.ledger.Seen() > st.RoleEpoch {
			st.Writes = instance.WritesFenced
		}
	}
	return &st
}

// counters gathers what the metrics tell.
func (s *Server) counters() *admin.Counters {
	c := &admin.Counters{
		Commands:            s.stats.commands,
		ConnectionsAccepted: s.stats.connections,
		ConnectionsRefused:  s.stats.rejected,
		Connections:         int64(len(s.conns)),
		BytesIn:             s.stats.netInput,
		BytesOut:            s.stats.netOutput,
		KeysExpired:         s.env.Stats.Expired,
		KeyspaceHits:        s.env.Stats.Hits,
		KeyspaceMisses:      s.env.Stats.Misses,
		DatasetBytes:        int64(s.keyspace.MemoryStats().Used()),
		SyncsFull:           s.repl.stats.syncFull,
		SyncsPartial:        s.repl.stats.syncPartialOK,
		SyncsRefused:        s.repl.stats.syncPartialErr,
		Started:             s.started,
	}
	for i := range s.keyspace.Databases() {
		db := s.keyspace.DB(i)
		if n := db.Len(); n > 0 {
			c.Databases = append(c.Databases, admin.DatabaseCounters{Index: int64(i), Keys: int64(n), Volatile: int64(db.VolatileLen())})
		}
	}
	return c
}

// growth measures how fast the stream grows, over about ten seconds.
type growth struct {
	ends [growthSamples]int64
	at   [growthSamples]time.Duration
	n    int // samples taken so far
}

// growthSamples at one every publishInterval are ten seconds.
const growthSamples = 101

func (g *growth) sample(now time.Duration, end int64) {
	if g.n > 0 && end < g.ends[(g.n-1)%growthSamples] {
		g.n = 0 // another history: what was before says nothing about it
	}
	g.ends[g.n%growthSamples], g.at[g.n%growthSamples] = end, now
	g.n++
}

// perSecond is nil before a second has been measured.
func (g *growth) perSecond() *float64 {
	if g.n == 0 {
		return nil
	}
	newest, oldest := (g.n-1)%growthSamples, 0
	if g.n > growthSamples {
		oldest = g.n % growthSamples
	}
	span := g.at[newest] - g.at[oldest]
	if span < time.Second {
		return nil
	}
	rate := float64(g.ends[newest]-g.ends[oldest]) / span.Seconds()
	return &rate
}
