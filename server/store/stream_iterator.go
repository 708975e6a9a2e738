package store

import "github.com/lockstep-db/lockstep/server/store/listpack"

// StreamIterator goes over the entries of a stream. It is void after any change.
type StreamIterator struct {
	s        *Stream
	from, to StreamID
	reverse  bool
	deleted  bool // also what is only marked as deleted

	at     orderedAt // of the node
	more   bool      // there is a node at at
	lp     []byte    // of that node; nil: it has yet to be entered
	base   StreamID
	master masterEntry

	// The current entry.
	id      StreamID
	flags   int64
	flagsAt int // position
	fields  int
	// What of it has yet to be taken: elements from a position on, the size at
	// the end of the entry excepted, and names from a position in the master
	// entry on.
	rest, restAt, nameAt int

	scratch [2][maxIntLen]byte
}

// Range returns an iterator over the entries from one ID to another, both
// included, in reverse order if so wished.
func (s *Stream) Range(from, to StreamID, reverse bool) StreamIterator {
	it := StreamIterator{s: s, from: from, to: to, reverse: reverse}
	if reverse {
		it.at, it.more = s.nodes.floor(to)
		return it
	}
	if it.at, it.more = s.nodes.floor(from); !it.more {
		it.at, it.more = orderedAt{}, s.nodes.count > 0
	}
	return it
}

// Next goes to the next entry, first to the first one, and tells whether there
// is one.
func (it *StreamIterator) Next() bool {
	for it.more {
		if it.lp == nil {
			it.enter()
		}
		if !it.step() {
			it.leave()
			continue
		}
		beyond, before := it.to.Less(it.id), it.id.Less(it.from)
		if beyond && !it.reverse || before && it.reverse {
			it.more = false
			return false
		}
		if !beyond && !before && (it.deleted || it.flags&entryDeleted == 0) {
			return true
		}
	}
	return false
}

// enter begins with a node: in front of the first entry, which is behind the 0
// of the master entry, or behind the last one.
func (it *StreamIterator) enter() {
	it.lp = it.s.bytes(it.s.nodes.val(it.at))
	it.base = it.s.nodes.id(it.at)
	it.master = readMaster(it.lp)
	if it.reverse {
		it.flagsAt = len(it.lp) - 1
		return
	}
	it.rest, it.restAt = it.master.fields, it.master.fieldsAt
}

// leave goes to the next node.
func (it *StreamIterator) leave() {
	it.lp = nil
	if it.reverse {
		it.at, it.more = it.s.nodes.prev(it.at)
		return
	}
	it.at = it.s.nodes.next(it.at)
	it.more = !it.s.nodes.ended(it.at)
}

// step goes to the next entry of the node, if there is one.
func (it *StreamIterator) step() bool {
	at := 0
	if it.reverse {
		at = listpack.Prev(it.lp, it.flagsAt)
		size := intAt(it.lp, at)
		if size <= 0 {
			return false
		}
		for ; size > 0; size-- {
			at = listpack.Prev(it.lp, at)
		}
	} else {
		at = it.restAt
		for ; it.rest > 0; it.rest-- {
			at = listpack.Next(it.lp, at)
		}
		if at = listpack.Next(it.lp, at); at == 0 {
			return false
		}
	}
	it.read(at)
	return true
}

// read takes the head of an entry apart.
func (it *StreamIterator) read(at int) {
	lp := it.lp
	it.flagsAt, it.flags = at, intAt(lp, at)
	at = listpack.Next(lp, at)
	it.id.Ms = it.base.Ms + uint64(intAt(lp, at))
	at = listpack.Next(lp, at)
	it.id.Seq = it.base.Seq + uint64(intAt(lp, at))
	at = listpack.Next(lp, at)
	if it.flags&entrySameFields != 0 {
		it.fields, it.nameAt = it.master.fields, it.master.fieldsAt
		it.rest, it.restAt = it.fields, at
		return
	}
	it.fields = int(intAt(lp, at))
	it.rest, it.restAt = 2*it.fields, listpack.Next(lp, at)
}

// ID is the ID of the entry.
func (it *StreamIterator) ID() StreamID { return it.id }

// Fields is the number of fields of the entry.
func (it *StreamIterator) Fields() int { return it.fields }

// Field returns the next field of the entry. It is called at most as often as
// there are fields; what it returns is valid until the next call.
func (it *StreamIterator) Field() (name, value []byte) {
	if it.flags&entrySameFields != 0 {
		name = listpack.Get(it.lp, it.nameAt, it.scratch[0][:])
		it.nameAt = listpack.Next(it.lp, it.nameAt)
	} else {
		name = it.take(0)
	}
	return name, it.take(1)
}

func (it *StreamIterator) take(i int) []byte {
	p := listpack.Get(it.lp, it.restAt, it.scratch[i][:])
	it.restAt = listpack.Next(it.lp, it.restAt)
	it.rest--
	return p
}

// Contains says whether there is an entry with an ID.
func (s *Stream) Contains(id StreamID) bool {
	it := s.Range(id, id, false)
	return it.Next()
}

// TopID is the ID of the last entry, 0-0 without one.
func (s *Stream) TopID() StreamID {
	it := s.Range(StreamID{}, MaxStreamID, true)
	if !it.Next() {
		return StreamID{}
	}
	return it.id
}

// FloorID is the smallest ID that the nodes know: that of the first entry or of
// a deleted one before it, the greatest one if there are no nodes.
func (s *Stream) FloorID() StreamID {
	it := s.Range(StreamID{}, MaxStreamID, false)
	it.deleted = true
	if !it.Next() {
		return MaxStreamID
	}
	return it.id
}
