package server

import (
	"math"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/store"
)

// Eviction removes keys while more than maxmemory is in use. It does not keep the
// keys in order of their use: it samples some, remembers the best candidates of all
// samples so far, and removes the best of these (as Redis does, whose directives
// tune it).
type eviction struct {
	policy evictionPolicy
	pool   evictionPool

	turn    int64 // the turn of the loop in which fixed was computed
	fixed   int64 // bytes in use beside the entries
	nextDB  int   // where random policies go on
	waiting bool  // a timer is going to continue

	evicted  int64
	since    time.Duration // when more than maxmemory came into use; 0: it is not
	exceeded time.Duration // all times in which it was, but for the present one
}

type evictionPolicy struct {
	volatile bool                                  // only keys that have an expiry time
	none     bool                                  // noeviction
	choose   func(s *Server, e store.Entry) uint64 // the higher, the better a candidate; nil: at random
}

// applyEviction follows the configuration.
func (s *Server) applyEviction() {
	name := s.config.MaxmemoryPolicy
	p := evictionPolicy{volatile: strings.HasPrefix(name, "volatile-"), none: name == "noeviction"}
	switch {
	case strings.HasSuffix(name, "-lru"):
		p.choose = (*Server).idleness
	case strings.HasSuffix(name, "-lfu"):
		p.choose = (*Server).rareness
	case strings.HasSuffix(name, "-ttl"):
		p.choose = (*Server).nearness
	}
	s.env.LFU = strings.HasSuffix(name, "-lfu")
	s.env.LFULogFactor, s.env.LFUDecay = s.config.LFULogFactor, s.config.LFUDecayTime
	s.eviction.policy = p
	s.eviction.pool = evictionPool{} // scores of different policies do not compare
	s.eviction.turn = -1
	if s.config.Maxmemory == 0 {
		s.eviction.within(s.clock.elapsed()) // nobody looks any more
	}
}

func (s *Server) idleness(e store.Entry) uint64 {
	return uint64(command.IdleSeconds(e, s.clock.unixMs))
}

func (s *Server) rareness(e store.Entry) uint64 {
	return uint64(255 - s.env.Frequency(e.Access(), s.clock.unixMs))
}

func (s *Server) nearness(e store.Entry) uint64 {
	at, _ := e.ExpireAt()
	return math.MaxUint64 - uint64(max(0, at))
}

// memoryToFree is how many bytes more than maxmemory are in use; not positive when
// all is well. The replication log does not count: evicting keys makes it longer.
// What changes from one command to the next are the entries; the rest is looked at
// once per turn of the loop.
func (s *Server) memoryToFree() int64 {
	v := &s.eviction
	entries := int64(s.keyspace.Entries())
	if v.turn != s.stats.turns {
		v.turn = s.stats.turns
		v.fixed = int64(s.keyspace.MemoryStats().Used()) - entries + s.memory.clients + s.scriptMemory() + baseMemory
	}
	return entries + v.fixed - s.config.Maxmemory
}

// outOfMemory makes room when more than maxmemory is in use, and says whether
// commands that need memory must be refused because there is none.
func (s *Server) outOfMemory() bool {
	v := &s.eviction
	if s.memoryToFree() <= 0 {
		v.within(s.clock.elapsed())
		return false
	}
	if v.since == 0 {
		v.since = s.clock.elapsed()
	}
	return !s.evict()
}

// within notes that from now on, which is a time since the start, no more than
// maxmemory is in use.
func (v *eviction) within(now time.Duration) {
	if v.since != 0 {
		v.exceeded += now - v.since
		v.since = 0
	}
}

// evict removes keys until no more than maxmemory is in use or the time for it is
// up; then a timer goes on. It returns false when nothing can be removed.
func (s *Server) evict() bool {
	if s.isReplica() && s.config.ReplicaIgnoreMaxmemory {
		return true // holds what its primary holds
	}
	if s.loading || s.importing() || s.writesHeld() || !s.isReplica() && !s.mayExpire() {
		return true // not now; what must not be written is refused for that reason
	}
	v := &s.eviction
	start := s.clock.elapsed()
	defer func() { s.spike("eviction-cycle", s.clock.elapsed()-start) }()
	limit := evictionTime(s.config.MaxmemoryTenacity)
	for n := 0; s.memoryToFree() > 0; n++ {
		// What has been deleted must be free before more is.
		if s.keyspace.Reclaim(evictionReclaim) < evictionReclaim {
			v.turn = -1 // tables may have become smaller, too
		} else if v.policy.none || !s.evictOne() {
			return false
		}
		if n%16 == 15 && s.clock.elapsed()-start > limit {
			s.evictLater()
			return true
		}
	}
	return true
}

// evictionReclaim is how much is freed between two looks at the clock, in units of
// the store's Step.
const evictionReclaim = 1000

// evictionTime is how long one command may be kept waiting, which
// maxmemory-eviction-tenacity (0 to 100) says on a scale of Redis' making: half a
// millisecond at 10, growing by 15 % a step, without end at 100.
func evictionTime(tenacity int) time.Duration {
	switch {
	case tenacity >= 100:
		return math.MaxInt64
	case tenacity <= 10:
		return 50 * time.Microsecond * time.Duration(tenacity)
	}
	return time.Duration(500 * math.Pow(1.15, float64(tenacity-10)) * float64(time.Microsecond))
}

func (s *Server) evictLater() {
	if s.eviction.waiting {
		return
	}
	s.eviction.waiting = true
	s.after(0, func() {
		s.eviction.waiting = false
		if s.config.Maxmemory > 0 && !s.stopped {
			s.outOfMemory()
		}
	})
}

// evictOne removes the best candidate, if there is one.
func (s *Server) evictOne() bool {
	db, key, ok := s.evictionCandidate()
	if !ok {
		return false
	}
	if s.env.Touched != nil {
		s.env.Touched(db.Index(), key)
	}
	db.Delete(key)
	s.eviction.evicted++
	s.effects.Effect(db.Index(), [][]byte{command.RemovalWord(s.config.LazyfreeLazyEviction), key})
	if s.env.Notify != nil {
		s.env.Notify(command.EventEvicted, "evicted", db.Index(), key)
	}
	return true
}

func (s *Server) evictionCandidate() (db *store.DB, key []byte, ok bool) {
	v := &s.eviction
	if v.policy.choose == nil {
		return s.randomCandidate()
	}
	for range maxSampleRounds {
		total := 0
		for i := range s.keyspace.Databases() {
			d := s.keyspace.DB(i)
			total += s.sampleForEviction(d, s.config.MaxmemorySamples, func(e store.Entry) {
				v.pool.offer(i, e.Key(), v.policy.choose(s, e))
			})
		}
		if total == 0 {
			return nil, nil, false
		}
		for {
			c, any := v.pool.take()
			if !any {
				break // all were gone; sample again
			}
			d := s.keyspace.DB(c.db)
			if e, exists := d.Find(c.key); exists {
				if _, volatile := e.ExpireAt(); volatile || !v.policy.volatile {
					return d, c.key, true
				}
			}
		}
	}
	return nil, nil, false
}

// maxSampleRounds bounds the search: a round offers at least one key that exists, so
// the second one finds a candidate.
const maxSampleRounds = 4

func (s *Server) sampleForEviction(db *store.DB, n int, visit func(store.Entry)) int {
	if s.eviction.policy.volatile {
		return db.SampleVolatile(s.env.Rand(), n, visit)
	}
	return db.Sample(s.env.Rand(), n, visit)
}

// randomCandidate takes the databases in turn.
func (s *Server) randomCandidate() (db *store.DB, key []byte, ok bool) {
	v := &s.eviction
	for range s.keyspace.Databases() {
		v.nextDB = (v.nextDB + 1) % s.keyspace.Databases()
		db = s.keyspace.DB(v.nextDB)
		if v.policy.volatile {
			db.SampleVolatile(s.env.Rand(), 1, func(e store.Entry) { key = append(key[:0], e.Key()...) })
		} else if e, any := db.RandomEntry(s.env.Rand()); any {
			key = append(key[:0], e.Key()...)
		}
		if key != nil {
			return db, key, true
		}
	}
	return nil, nil, false
}

// evictionPool holds the best candidates of all samples, the best one last.
type evictionPool struct {
	entries [evictionPoolSize]candidate
	n       int
}

const evictionPoolSize = 16

type candidate struct {
	db    int
	key   []byte // the pool's own
	score uint64
}

// offer keeps a key if it is better than one that the pool holds, or if there is room.
func (p *evictionPool) offer(db int, key []byte, score uint64) {
	if p.n == evictionPoolSize && score <= p.entries[0].score {
		return
	}
	for i := range p.n {
		if p.entries[i].db == db && string(p.entries[i].key) == string(key) {
			return
		}
	}
	if p.n == evictionPoolSize { // the worst one makes room, and lends its memory
		worst := p.entries[0].key
		copy(p.entries[:], p.entries[1:])
		p.n--
		p.entries[p.n] = candidate{key: worst}
	}
	at := p.n
	spare := p.entries[at].key
	for at > 0 && p.entries[at-1].score > score {
		p.entries[at] = p.entries[at-1]
		at--
	}
	p.entries[at] = candidate{db: db, key: append(spare[:0], key...), score: score}
	p.n++
}

// take removes the best candidate. Its key is valid until the next offer.
func (p *evictionPool) take() (candidate, bool) {
	if p.n == 0 {
		return candidate{}, false
	}
	p.n--
	return p.entries[p.n], true
}

func (s *Server) infoEviction(b *infoBuilder) {
	v := &s.eviction
	now := time.Duration(0)
	if v.since != 0 {
		now = s.clock.elapsed() - v.since
	}
	b.field("total_eviction_exceeded_time", (v.exceeded + now).Milliseconds())
	b.field("current_eviction_exceeded_time", now.Milliseconds())
}
