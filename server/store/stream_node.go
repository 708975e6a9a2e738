package store

import (
	"math"

	"github.com/lockstep-db/lockstep/server/store/listpack"
)

// A node is a listpack, in the form in which Redis has it in memory and in RDB
// files. It begins with the master entry:
//
//	entries · deleted · n · field 1 ... field n · 0
//
// where entries and deleted count what follows, the latter being marked only.
// Then come the entries:
//
//	flags · ms · seq · value 1 ... value n · size
//	flags · ms · seq · m · field 1 · value 1 ... field m · value m · size
//
// the first form if the fields are those of the master entry (entrySameFields).
// ms and seq are relative to the ID of the node, which is that of its first
// entry. Size is the number of elements before it, so that one can walk
// backwards; the 0 after the master entry ends such a walk.
const (
	entryDeleted    = 1
	entrySameFields = 2

	// entryHead is flags, ms and seq.
	entryHead = 3

	// maxNode is how long a node may become when no limit is set: a listpack
	// counts its bytes with 32 bits.
	maxNode = 1 << 30

	// fullNode is the most that a node gets before it needs it.
	fullNode = 4096

	// MaxStreamEntry is the largest sum of the lengths of an entry's fields and
	// values, in bytes.
	MaxStreamEntry = maxNode
)

// A streamNode says where a node is.
type streamNode struct {
	h    handle
	size uint32 // bytes in use
	room uint32 // bytes of the block
}

// bytes is the listpack of a node.
func (s *Stream) bytes(n *streamNode) []byte { return s.ks.arena.block(n.h)[:n.size] }

func (s *Stream) allocNode(size int) streamNode {
	h := s.ks.arena.allocPart(size)
	room := s.ks.arena.capacity(h)
	s.nodeBytes += room
	return streamNode{h: h, room: uint32(room)}
}

func (s *Stream) freeNode(n *streamNode) {
	s.nodeBytes -= int(n.room)
	s.ks.arena.free(n.h)
}

// resize moves a node to a block for size bytes, which must hold what is in use.
func (s *Stream) resize(n *streamNode, size int) {
	moved := s.allocNode(size)
	moved.size = n.size
	copy(s.bytes(&moved), s.bytes(n))
	s.freeNode(n)
	*n = moved
}

// grow makes a node delta bytes longer, at its end, and returns all of it. The
// block becomes twice as large when it must, up to the length of a full node.
func (s *Stream) grow(n *streamNode, delta int) []byte {
	if need := int(n.size) + delta; need > int(n.room) {
		size := 2 * need
		if limit := s.ks.Limits.StreamNodeBytes; limit > 0 && size > limit {
			size = max(need, limit)
		}
		s.resize(n, min(size, max(need, maxNode)))
	}
	n.size += uint32(delta)
	return s.bytes(n)
}

// setInt puts an integer in the place of the one at a position.
func (s *Stream) setInt(n *streamNode, at int, v int64) {
	lp := s.bytes(n)
	if listpack.SetInt(lp, at, v) {
		return
	}
	e := listpack.EncodeInt(v)
	was, is := listpack.EntrySize(lp, at), e.Size()
	tail := len(lp) - at - was
	if is > was {
		lp = s.grow(n, is-was)
	}
	copy(lp[at+is:], lp[at+was:at+was+tail])
	s.shorten(n, at+is+tail)
	e.Put(lp[at:])
	listpack.Spliced(s.bytes(n), 0)
}

// shorten cuts a node off after so many bytes.
func (s *Stream) shorten(n *streamNode, size int) { n.size = uint32(size) }

// intAt is an integer of a node's frame. A node that has been checked has one
// there.
func intAt(lp []byte, at int) int64 {
	n, _ := listpack.Int(lp, at)
	return n
}

// masterEntry is what the beginning of a node says.
type masterEntry struct {
	entries, deleted int64
	deletedAt        int // position of the number
	fields           int
	fieldsAt         int // position of the first field, or of the 0 if there is none
}

func readMaster(lp []byte) (m masterEntry) {
	at := listpack.First(lp)
	m.entries = intAt(lp, at)
	m.deletedAt = listpack.Next(lp, at)
	m.deleted = intAt(lp, m.deletedAt)
	at = listpack.Next(lp, m.deletedAt)
	m.fields = int(intAt(lp, at))
	m.fieldsAt = listpack.Next(lp, at)
	return m
}

// setCounts writes the numbers of entries and deleted ones.
func (s *Stream) setCounts(n *streamNode, entries, deleted int64) {
	lp := s.bytes(n)
	s.setInt(n, listpack.First(lp), entries)
	lp = s.bytes(n)
	s.setInt(n, listpack.Next(lp, listpack.First(lp)), deleted)
}

// Append adds an entry. Its ID must be greater than LastID; pairs are fields and
// values in turn, together at most MaxStreamEntry bytes, one pair at least.
func (s *Stream) Append(id StreamID, pairs [][]byte) {
	size := 0
	for _, p := range pairs {
		size += len(p)
	}
	// No element takes more than that beside its text; the frame has ten at most.
	size += (len(pairs) + 10) * listpack.MaxOverhead
	if at, n, m := s.tail(pairs); n != nil {
		s.appendTo(n, m, s.nodes.id(at), id, pairs, size)
	} else {
		s.addNode(id, pairs, size)
	}
	s.Added++
	s.LastID = id
	if s.Length++; s.Length == 1 {
		s.FirstID = id
	}
}

// tail is the last node with its master entry, if it has room for another entry.
// One that has not gets the block that it needs from then on.
func (s *Stream) tail(pairs [][]byte) (at orderedAt, n *streamNode, m masterEntry) {
	if s.nodes.count == 0 {
		return at, nil, m
	}
	size := 0
	for _, p := range pairs {
		size += len(p)
	}
	at = s.nodes.last()
	n = s.nodes.val(at)
	limit := s.ks.Limits.StreamNodeBytes
	if limit <= 0 || limit > maxNode {
		limit = maxNode
	}
	if int(n.size)+size < limit {
		m = readMaster(s.bytes(n))
		if most := s.ks.Limits.StreamNodeEntries; most <= 0 || m.entries+m.deleted < int64(most) {
			return at, n, m
		}
	}
	if blockSize(int(n.size)) < int(n.room) {
		s.resize(n, int(n.size))
	}
	return at, nil, m
}

// addNode begins a node with an entry of at most so many bytes, whose fields become
// those of the master entry.
func (s *Stream) addNode(id StreamID, pairs [][]byte, most int) {
	room := 2 * most // the fields are there twice
	more := s.nodes.count > 0
	if limit := s.ks.Limits.StreamNodeBytes; more && limit > room {
		// A stream that has filled a node is likely to fill the next one.
		room = min(limit, fullNode)
	}
	n := s.allocNode(room)
	n.size = n.room
	w := nodeWriter{lp: s.bytes(&n), at: listpack.Empty - 1}
	w.int(1)
	w.int(0)
	w.int(int64(len(pairs) / 2))
	for i := 0; i < len(pairs); i += 2 {
		w.bytes(pairs[i])
	}
	w.int(0)
	w.entry(pairs, StreamID{}, true)
	w.end()
	listpack.SetHeader(w.lp[:w.at], w.at, w.count)
	s.shorten(&n, w.at)
	if !more {
		s.resize(&n, w.at)
	}
	s.nodes.insert(id, n)
}

// appendTo adds an entry of at most so many bytes to a node.
func (s *Stream) appendTo(n *streamNode, m masterEntry, master, id StreamID, pairs [][]byte, most int) {
	same := sameFields(s.bytes(n), m, pairs)
	delta := StreamID{id.Ms - master.Ms, id.Seq - master.Seq}
	s.setInt(n, listpack.First(s.bytes(n)), m.entries+1)
	end := int(n.size) - 1
	w := nodeWriter{lp: s.grow(n, most), at: end}
	w.entry(pairs, delta, same)
	w.end()
	listpack.Spliced(w.lp[:w.at], w.count)
	s.shorten(n, w.at)
}

func sameFields(lp []byte, m masterEntry, pairs [][]byte) bool {
	if m.fields != len(pairs)/2 {
		return false
	}
	at := m.fieldsAt
	for i := 0; i < len(pairs); i += 2 {
		if !listpack.Equal(lp, at, pairs[i]) {
			return false
		}
		at = listpack.Next(lp, at)
	}
	return true
}

// A nodeWriter writes elements into a node that has room for them.
type nodeWriter struct {
	lp    []byte
	at    int
	count int // elements written
}

func (w *nodeWriter) put(e listpack.Element) {
	w.at += e.Put(w.lp[w.at:])
	w.count++
}

func (w *nodeWriter) int(n int64)    { w.put(listpack.EncodeInt(n)) }
func (w *nodeWriter) bytes(p []byte) { w.put(listpack.Encode(p)) }

// end marks the end of the listpack.
func (w *nodeWriter) end() {
	w.lp[w.at] = math.MaxUint8
	w.at++
}

func (w *nodeWriter) entry(pairs [][]byte, delta StreamID, same bool) {
	flags, fields, size := int64(0), len(pairs)/2, entryHead
	if same {
		flags, size = entrySameFields, size+fields
	} else {
		size += 1 + 2*fields
	}
	w.int(flags)
	w.int(int64(delta.Ms))
	w.int(int64(delta.Seq))
	if !same {
		w.int(int64(fields))
	}
	for i := 0; i < len(pairs); i += 2 {
		if !same {
			w.bytes(pairs[i])
		}
		w.bytes(pairs[i+1])
	}
	w.int(int64(size))
}
