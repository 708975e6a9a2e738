package server

import (
	"cmp"
	"math/bits"
	"slices"
)

// Client eviction (maxmemory-clients): while all clients together occupy more than
// the limit, those who occupy most are disconnected. What each occupies is weighed
// where it changes, and only while there is a limit.

// clientWeights is what the clients that count occupied when last weighed.
type clientWeights struct {
	limit int64 // bytes; 0: none, and nothing is weighed
	total int64
}

// applyClientLimit makes maxmemory-clients effective, which may be a share of
// maxmemory.
func (s *Server) applyClientLimit() {
	limit := s.config.ClientMemoryLimit()
	if limit == s.weights.limit {
		return
	}
	s.weights = clientWeights{limit: limit}
	for _, c := range s.conns {
		c.weight = 0
		s.weigh(c)
	}
}

// weigh brings what c occupies up to date.
func (s *Server) weigh(c *conn) {
	if s.weights.limit == 0 || c.flags&(flagClosed|flagPrimary|flagReplica) != 0 {
		return
	}
	now := int64(c.memory())
	s.weights.total += now - c.weight
	c.weight = now
}

// affords weighs c before what it sent is executed, and says whether it is still
// connected: afterwards its arguments would be gone, and their memory with them.
func (s *Server) affords(c *conn) bool {
	s.weigh(c)
	if s.weights.total > s.weights.limit {
		s.evictClients()
	}
	return !c.has(flagClosed)
}

// unweigh takes a connection out that is gone or has become a replica.
func (s *Server) unweigh(c *conn) {
	s.weights.total -= c.weight
	c.weight = 0
}

// evictClients runs at the end of a batch.
func (s *Server) evictClients() {
	for _, c := range s.pendingWrites {
		if c != nil {
			s.weigh(c)
		}
	}
	if s.weights.total <= s.weights.limit {
		return
	}
	for _, c := range s.evictable() {
		if s.weights.total <= s.weights.limit {
			return
		}
		s.log.Noticef("Evicting client: %s", s.clientLine(c))
		s.stats.evictedClients++
		s.closeConn(c)
	}
}

// evictable are the clients that may be evicted, in the order of their weights'
// powers of two: a client must not be able to save itself by being a few bytes
// lighter. Among those of one power the oldest goes first.
func (s *Server) evictable() []*conn {
	all := slices.DeleteFunc(s.byID(), func(c *conn) bool { return c.flags&(flagNoEvict|flagPrimary|flagReplica) != 0 })
	slices.SortStableFunc(all, func(a, b *conn) int { return cmp.Compare(weightClass(b), weightClass(a)) })
	return all
}

func weightClass(c *conn) int { return bits.Len64(uint64(c.weight)) }
