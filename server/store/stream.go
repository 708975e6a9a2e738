package store

import "math"

// StreamID names an entry of a stream: a time in Unix milliseconds, and a number
// among the entries of the same millisecond.
type StreamID struct{ Ms, Seq uint64 }

// MaxStreamID is the greatest ID; the zero value is the smallest one.
var MaxStreamID = StreamID{math.MaxUint64, math.MaxUint64}

// Less says whether id comes before other.
func (id StreamID) Less(other StreamID) bool {
	return id.Ms < other.Ms || id.Ms == other.Ms && id.Seq < other.Seq
}

// IsZero says whether id is 0-0, which no entry has.
func (id StreamID) IsZero() bool { return id == StreamID{} }

// Next is the ID that follows; ok is false for the greatest one, which is
// followed by 0-0.
func (id StreamID) Next() (next StreamID, ok bool) {
	switch {
	case id.Seq < math.MaxUint64:
		return StreamID{id.Ms, id.Seq + 1}, true
	case id.Ms < math.MaxUint64:
		return StreamID{id.Ms + 1, 0}, true
	}
	return StreamID{}, false
}

// Prev is the ID before; ok is false for 0-0, before which is the greatest one.
func (id StreamID) Prev() (prev StreamID, ok bool) {
	switch {
	case id.Seq > 0:
		return StreamID{id.Ms, id.Seq - 1}, true
	case id.Ms > 0:
		return StreamID{id.Ms - 1, math.MaxUint64}, true
	}
	return MaxStreamID, false
}

// Stream is the value of a stream: entries in the order of their IDs, in nodes
// of up to Limits.StreamNodeEntries of them (stream_node.go), and the consumer
// groups that read it (stream_group.go). The nodes are blocks of the arena.
//
// A Stream is valid until the next change of the keyspace that is not made
// through it. Only one got from DB.EditStream or DB.CreateStream may be changed.
type Stream struct {
	ks *Keyspace
	StreamState
	nodes     ordered[streamNode] // by the ID that their entries are relative to
	nodeBytes int                 // what their blocks take
	groups    []*StreamGroup      // by name
}

// StreamState is what a stream remembers beside its entries.
type StreamState struct {
	// Length is the number of entries.
	Length int64
	// FirstID is the ID of the first entry, 0-0 without one.
	FirstID StreamID
	// LastID is the greatest ID that was ever given out.
	LastID StreamID
	// MaxDeletedID is the greatest ID that was removed by itself, 0-0 if none was.
	MaxDeletedID StreamID
	// Added is the number of entries that were ever added, and the base of how
	// far groups lag behind.
	Added int64
}

// Stream is the value of a stream, for reading.
func (e Entry) Stream() *Stream { return e.Object().(*Stream) }

// EditStream is the stream at an entry of the database, for changing it: an active
// cut gets to see it before.
func (db *DB) EditStream(e Entry) *Stream {
	if s := db.space; s.cut.waiting {
		s.preserve(e.h, db.ks.hash.sum(e.Key()))
	}
	return e.Stream()
}

// CreateStream gives key an empty stream as its value, whatever it was before,
// with an expiry time in Unix milliseconds or 0.
func (db *DB) CreateStream(key []byte, expireAt int64) *Stream {
	s := &Stream{ks: db.ks}
	db.setObject(key, TypeStream, EncodingStream, s, expireAt)
	return s
}

// Nodes is the number of nodes.
func (s *Stream) Nodes() int { return s.nodes.count }

// NextNode is the first node whose entries are relative to an ID of from or
// greater: that ID, and the node as RDB files hold it.
func (s *Stream) NextNode(from StreamID) (master StreamID, node []byte, ok bool) {
	at := s.nodes.seek(from)
	if s.nodes.ended(at) {
		return StreamID{}, nil, false
	}
	return s.nodes.id(at), s.bytes(s.nodes.val(at)), true
}

// Each visits the entries in order until visit returns false. The iterator is at
// an entry; visit may take its fields.
func (s *Stream) Each(visit func(*StreamIterator) bool) {
	it := s.Range(StreamID{}, MaxStreamID, false)
	for it.Next() {
		if !visit(&it) {
			return
		}
	}
}

// Size is the number of bytes that the stream takes, about.
func (s *Stream) Size() int {
	const (
		nodeShare  = 32  // of the directory
		groupBytes = 160 // and as much for a consumer
	)
	size := 200 + s.nodeBytes + s.nodes.count*nodeShare
	for _, g := range s.groups {
		size += groupBytes*(1+len(g.consumers)) + g.pending.count*pendingBytes
	}
	return size
}

// Clone returns a copy.
func (s *Stream) Clone() Object {
	c := &Stream{ks: s.ks, StreamState: s.StreamState, nodes: s.nodes.clone()}
	for at := (orderedAt{}); !c.nodes.ended(at); at = c.nodes.next(at) {
		n := c.nodes.val(at)
		old := s.bytes(n)
		*n = c.allocNode(len(old))
		n.size = uint32(len(old))
		copy(c.bytes(n), old)
	}
	for _, g := range s.groups {
		c.groups = append(c.groups, g.clone())
	}
	return c
}

// Release gives the nodes back. What groups hold is left to the collector.
func (s *Stream) Release(budget int) (cost int, done bool) {
	for _, g := range s.groups {
		g.hold(-g.pending.count)
	}
	s.groups = nil
	for ; s.nodes.count > 0; cost++ {
		if cost >= budget {
			return cost, false
		}
		at := s.nodes.last()
		s.ks.arena.free(s.nodes.val(at).h)
		s.nodes.remove(at)
	}
	return cost, true
}
