package server

import (
	"time"

	"github.com/lockstep-db/lockstep/server/command"
	"github.com/lockstep-db/lockstep/server/store"
)

// The active expiry cycle finds keys whose time is over without anybody asking
// for them: it samples keys that have a time, deletes those that are due, and
// goes on in the same database for as long as many of the sample were.

const (
	expireSample    = 20               // keys per round at effort 1, a quarter more per step of effort
	expireStale     = 10               // percent of a sample that may be due before another round is worth it
	expireShare     = 25               // percent of the time that the slow cycle may take
	expireFastLimit = time.Millisecond // for one fast cycle
)

// expireCycle is the state between cycles.
type expireCycle struct {
	off      bool // DEBUG SET-ACTIVE-EXPIRE 0
	nextDB   int
	cut      bool // the last cycle ended for lack of time
	lastFast time.Duration
	due      [][]byte // keys of one sample, reused
	arena    []byte

	timeCapReached int64
	cycles         int64
	spent          time.Duration
	averageTTL     []int64 // running estimate by database, in milliseconds
	stalePercent   float64 // running estimate of how many keys with a time are due
}

// slow runs from the cron with a share of its interval.
func (e *expireCycle) slow(s *Server) {
	effort := s.config.ActiveExpireEffort - 1
	share := expireShare + 2*effort
	e.run(s, time.Second/time.Duration(max(1, s.config.Hz))*time.Duration(share)/100)
}

// fast runs between batches when the last cycle left work behind, so that many
// keys that expire together do not pile up.
func (e *expireCycle) fast(s *Server) {
	now := s.clock.elapsed()
	if !e.cut || now-e.lastFast < 2*expireFastLimit {
		return
	}
	e.lastFast = now
	e.run(s, expireFastLimit+expireFastLimit/4*time.Duration(s.config.ActiveExpireEffort-1))
}

func (e *expireCycle) run(s *Server, budget time.Duration) {
	// Only a primary that may change its data expires on its own.
	if e.off || s.stopped || s.loading || s.writesHeld() || s.repl.hideExpired || s.importing() || !s.mayExpire() {
		return
	}
	start := s.clock.elapsed()
	defer func() {
		took := s.clock.elapsed() - start
		e.spent += took
		s.spike("expire-cycle", took)
	}()
	e.cut = false
	e.cycles++
	if e.averageTTL == nil {
		e.averageTTL = make([]int64, s.keyspace.Databases())
	}
	sampled, due := 0, 0
	for range s.keyspace.Databases() {
		db := s.keyspace.DB(e.nextDB)
		e.nextDB = (e.nextDB + 1) % s.keyspace.Databases()
		if db.VolatileLen() == 0 {
			e.averageTTL[db.Index()] = 0
		}
		for db.VolatileLen() > 0 {
			n, d := e.round(s, db)
			sampled, due = sampled+n, due+d
			if s.clock.elapsed()-start > budget {
				e.cut = true
				e.timeCapReached++
				e.nextDB = db.Index() // go on here the next time
				e.estimate(sampled, due)
				return
			}
			if n == 0 || d*100 <= n*(expireStale-(s.config.ActiveExpireEffort-1)) {
				break
			}
		}
	}
	e.estimate(sampled, due)
}

func (e *expireCycle) estimate(sampled, due int) {
	now := 0.0
	if sampled > 0 {
		now = float64(due) / float64(sampled)
	}
	e.stalePercent = now*0.05 + e.stalePercent*0.95
}

// round samples one database once.
func (e *expireCycle) round(s *Server, db *store.DB) (sampled, due int) {
	e.due, e.arena = e.due[:0], e.arena[:0]
	n := expireSample + expireSample/4*(s.config.ActiveExpireEffort-1)
	now := s.clock.unixMs
	left, living := int64(0), int64(0)
	sampled = db.SampleVolatile(s.env.Rand(), n, func(entry store.Entry) {
		at, volatile := entry.ExpireAt()
		if !volatile {
			return
		}
		if at > now {
			left += at - now
			living++
			return
		}
		from := len(e.arena)
		e.arena = append(e.arena, entry.Key()...)
		e.due = append(e.due, e.arena[from:len(e.arena):len(e.arena)])
	})
	for _, key := range e.due {
		s.expire(db, key)
	}
	if living > 0 {
		e.learnTTL(db.Index(), left/living)
	}
	return sampled, len(e.due)
}

// learnTTL moves the estimate of a database towards what a sample says. It forgets
// slowly, since a sample is small.
func (e *expireCycle) learnTTL(db int, sample int64) {
	if old := e.averageTTL[db]; old != 0 {
		sample = old/50*49 + sample/50
	}
	e.averageTTL[db] = sample
}

// averageOf is an estimate of how long keys of a database have yet to live, in
// milliseconds; 0 when it is not known, as on a replica.
func (e *expireCycle) averageOf(db int) int64 {
	if e.averageTTL == nil {
		return 0
	}
	return e.averageTTL[db]
}

// expire deletes a key whose time is over, and has replicas do the same.
func (s *Server) expire(db *store.DB, key []byte) {
	db.Delete(key)
	s.env.Stats.Expired++
	if s.env.Notify != nil {
		s.env.Notify(command.EventExpired, "expired", db.Index(), key)
	}
	if s.env.Touched != nil {
		s.env.Touched(db.Index(), key)
	}
	s.effects.Effect(db.Index(), [][]byte{command.RemovalWord(s.env.LazyExpire), key})
}
