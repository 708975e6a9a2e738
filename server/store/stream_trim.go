package store

import "github.com/lockstep-db/lockstep/server/store/listpack"

// Delete removes an entry, and tells whether it was there. It is marked, and the
// node goes with its last entry.
func (s *Stream) Delete(id StreamID) bool {
	it := s.Range(id, id, false)
	if !it.Next() {
		return false
	}
	n := s.nodes.val(it.at)
	if it.master.entries == 1 {
		s.removeNode(it.at)
	} else {
		s.setInt(n, it.flagsAt, it.flags|entryDeleted)
		s.setCounts(n, it.master.entries-1, it.master.deleted+1)
	}
	s.Length--
	if s.MaxDeletedID.Less(id) {
		s.MaxDeletedID = id
	}
	if s.Length == 0 || id == s.FirstID {
		s.findFirst()
	}
	return true
}

func (s *Stream) removeNode(at orderedAt) {
	s.freeNode(s.nodes.val(at))
	s.nodes.remove(at)
}

func (s *Stream) findFirst() {
	s.FirstID = StreamID{}
	if s.Length == 0 {
		return
	}
	if it := s.Range(StreamID{}, MaxStreamID, false); it.Next() {
		s.FirstID = it.id
	}
}

// StreamTrim says what Trim is to remove.
type StreamTrim struct {
	// MaxLength is how many entries are to remain, -1 if MinID counts: from
	// which ID on entries are to remain.
	MaxLength int64
	MinID     StreamID
	// WholeNodes removes only nodes of which nothing is to remain.
	WholeNodes bool
	// Limit ends the work before more than so many entries are removed; 0: no
	// limit.
	Limit int64
}

// Trim removes entries from the beginning and returns how many.
func (s *Stream) Trim(t StreamTrim) (removed int64) {
	for s.nodes.count > 0 && !(t.MaxLength >= 0 && s.Length <= t.MaxLength) {
		n := s.nodes.val(orderedAt{})
		m := readMaster(s.bytes(n))
		if t.Limit != 0 && removed+m.entries > t.Limit {
			break
		}
		whole := false
		if t.MaxLength >= 0 {
			whole = s.Length-m.entries >= t.MaxLength
		} else {
			whole = s.lastOf(orderedAt{}).Less(t.MinID)
		}
		if !whole {
			if !t.WholeNodes {
				removed += s.trimNode(orderedAt{}, t)
			}
			break
		}
		s.removeNode(orderedAt{})
		s.Length -= m.entries
		removed += m.entries
	}
	if s.Length == 0 || removed > 0 {
		s.findFirst()
	}
	return removed
}

// lastOf is the ID of the last entry of a node, be it marked as deleted.
func (s *Stream) lastOf(at orderedAt) StreamID {
	it := StreamIterator{s: s, to: MaxStreamID, reverse: true, deleted: true, at: at, more: true}
	it.enter()
	if !it.step() {
		return StreamID{}
	}
	return it.id
}

// trimNode marks entries at the beginning of a node as deleted.
func (s *Stream) trimNode(at orderedAt, t StreamTrim) (removed int64) {
	n := s.nodes.val(at)
	it := StreamIterator{s: s, to: MaxStreamID, at: at, more: true}
	it.enter()
	for it.step() {
		if t.MaxLength >= 0 && s.Length <= t.MaxLength || t.MaxLength < 0 && !it.id.Less(t.MinID) {
			break
		}
		if it.flags&entryDeleted == 0 {
			// The flags take one byte before and after.
			listpack.EncodeInt(it.flags | entryDeleted).Put(it.lp[it.flagsAt:])
			s.Length--
			removed++
		}
	}
	s.setCounts(n, it.master.entries-removed, it.master.deleted+removed)
	return removed
}
