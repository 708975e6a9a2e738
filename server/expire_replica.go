package server

import "time"

// On a replica, keys go when the primary says so. Those that clients have given a
// time themselves, where replica-read-only is off, nobody else knows of: they are
// remembered here and expire by this server's clock.

// ownExpireLimit is how long one look at them may take.
const ownExpireLimit = time.Millisecond

// noteOwn remembers a key that a client of a writable replica has changed, if it has
// a time.
func (s *Server) noteOwn(db int, key []byte) {
	if s.config.ReplicaReadOnly || !s.isReplica() || s.current == nil || s.current.has(flagPrimary) {
		return
	}
	if e, ok := s.keyspace.DB(db).Find(key); ok {
		if _, volatile := e.ExpireAt(); volatile {
			if s.ownExpiring == nil {
				s.ownExpiring = map[watchedKey]struct{}{}
			}
			s.ownExpiring[watchedKey{db, string(key)}] = struct{}{}
		}
	}
}

// expireOwn removes those of them whose time is over, and forgets those that have no
// time any more.
func (s *Server) expireOwn() {
	if len(s.ownExpiring) == 0 || s.expiring.off {
		return
	}
	if !s.isReplica() {
		s.ownExpiring = nil // the ordinary cycle finds them from now on
		return
	}
	start := s.clock.elapsed()
	for k := range s.ownExpiring {
		db := s.keyspace.DB(k.db)
		e, ok := db.Find([]byte(k.key))
		at, volatile := int64(0), false
		if ok {
			at, volatile = e.ExpireAt()
		}
		if volatile && at >= s.clock.unixMs {
			if s.clock.elapsed()-start > ownExpireLimit {
				return
			}
			continue
		}
		delete(s.ownExpiring, k)
		if volatile {
			s.expire(db, []byte(k.key))
		}
	}
}
