package store

import "math"

// What a snapshot says of a stream is put together in its order: nodes, the
// state, and for each group what is pending, before the consumers are known to
// which that belongs.

// noConsumer stands in a delivery whose consumer has yet to come.
const noConsumer = math.MaxUint32

// LoadNode adds a node that has been checked: to what its IDs are relative, and
// its bytes, which are copied. It tells whether the ID was free.
func (s *Stream) LoadNode(master StreamID, node []byte) bool {
	if _, taken := s.nodes.find(master); taken {
		return false
	}
	n := s.allocNode(len(node))
	n.size = uint32(len(node))
	copy(s.bytes(&n), node)
	s.nodes.insert(master, n)
	return true
}

// LoadState sets what a stream remembers, after its nodes. Unless complete, only
// Length and LastID are known.
func (s *Stream) LoadState(state StreamState, complete bool) {
	s.StreamState = state
	if !complete {
		s.Added = s.Length
		s.findFirst()
	}
}

// LoadPending adds a pending entry of a group, and tells whether the ID was free.
func (g *StreamGroup) LoadPending(id StreamID, time, count int64) bool {
	if _, taken := g.pending.find(id); taken {
		return false
	}
	g.pending.insert(id, StreamDelivery{Time: time, Count: count, consumer: noConsumer})
	g.hold(1)
	return true
}

// LoadOwned says that a pending entry is one of a consumer's, and tells whether
// it is pending and nobody's yet.
func (g *StreamGroup) LoadOwned(id StreamID, c *StreamConsumer) bool {
	d := g.Delivery(id)
	if d == nil || d.consumer != noConsumer {
		return false
	}
	d.consumer = c.number
	c.pending.insert(id, struct{}{})
	return true
}

// Loaded tells whether each pending entry has a consumer. It must be asked before
// a group is used.
func (g *StreamGroup) Loaded() bool {
	owned := 0
	for _, c := range g.consumers {
		owned += c.pending.count
	}
	return owned == g.pending.count
}
