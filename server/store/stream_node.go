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

// setInt puts an integer in the place of the element at a position.
func (s *Stream) setInt(n *streamNode, at int, v int64) {
	e, lp := listpack.EncodeInt(v), s.bytes(n)
	if was, is := listpack.EntrySize(lp, at), e.Size(); was != is {
		tail := len(lp) - at - was
		if is > was {
			lp = s.grow(n, is-was)
		}
		copy(lp[at+is:], lp[at+was:at+was+tail])
		n.size = uint32(at + is + tail)
		lp = lp[:n.size]
		listpack.Spliced(lp, 0)
	}
	e.Put(lp[at:])
}

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
	at, n := s.tail(pairs)
	if n == nil {
		s.addNode(id, pairs)
	} else {
		s.appendTo(n, s.nodes.id(at), id, pairs)
	}
	s.Added++
	s.LastID = id
	if s.Length++; s.Length == 1 {
		s.FirstID = id
	}
}

// tail is the last node if it has room for another entry. One that has not gets
// the block that it needs from then on.
func (s *Stream) tail(pairs [][]byte) (orderedAt, *streamNode) {
	if s.nodes.count == 0 {
		return orderedAt{}, nil
	}
	size := 0
	for _, p := range pairs {
		size += len(p)
	}
	at := s.nodes.last()
	n := s.nodes.val(at)
	limit := s.ks.Limits.StreamNodeBytes
	if limit <= 0 || limit > maxNode {
		limit = maxNode
	}
	full := int(n.size)+size >= limit
	if most := s.ks.Limits.StreamNodeEntries; !full && most > 0 {
		m := readMaster(s.bytes(n))
		full = m.entries+m.deleted >= int64(most)
	}
	if !full {
		return at, n
	}
	if blockSize(int(n.size)) < int(n.room) {
		s.resize(n, int(n.size))
	}
	return at, nil
}

// addNode begins a node with an entry whose fields become those of the master
// entry.
func (s *Stream) addNode(id StreamID, pairs [][]byte) {
	fields := len(pairs) / 2
	size := listpack.Empty + intLength(1) + intLength(0) + intLength(fields) + intLength(0)
	for i := 0; i < len(pairs); i += 2 {
		size += listpack.EncodedSize(pairs[i])
	}
	entry := entrySize(pairs, StreamID{}, true)
	n := s.allocNode(size + entry)
	n.size = uint32(size + entry)
	w := nodeWriter{lp: s.bytes(&n), at: listpack.Empty - 1}
	w.int(1)
	w.int(0)
	w.int(int64(fields))
	for i := 0; i < len(pairs); i += 2 {
		w.bytes(pairs[i])
	}
	w.int(0)
	w.entry(pairs, StreamID{}, true)
	w.lp[w.at] = math.MaxUint8
	listpack.SetHeader(w.lp, len(w.lp), w.count)
	s.nodes.insert(id, n)
}

// appendTo adds an entry to a node.
func (s *Stream) appendTo(n *streamNode, master, id StreamID, pairs [][]byte) {
	m := readMaster(s.bytes(n))
	same := sameFields(s.bytes(n), m, pairs)
	delta := StreamID{id.Ms - master.Ms, id.Seq - master.Seq}
	s.setInt(n, listpack.First(s.bytes(n)), m.entries+1)
	end := int(n.size) - 1
	w := nodeWriter{lp: s.grow(n, entrySize(pairs, delta, same)), at: end}
	w.entry(pairs, delta, same)
	w.lp[w.at] = math.MaxUint8
	listpack.Spliced(w.lp, w.count)
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

func intLength(n int) int { return listpack.EncodeInt(int64(n)).Size() }

// entrySize is the number of bytes that nodeWriter.entry writes.
func entrySize(pairs [][]byte, delta StreamID, same bool) int {
	fields := len(pairs) / 2
	size := intLength(entrySameFields) + // either of the flags
		listpack.EncodeInt(int64(delta.Ms)).Size() + listpack.EncodeInt(int64(delta.Seq)).Size() +
		intLength(entryElements(fields, same))
	step, from := 2, 1
	if !same {
		size += intLength(fields)
		step, from = 1, 0
	}
	for i := from; i < len(pairs); i += step {
		size += listpack.EncodedSize(pairs[i])
	}
	return size
}

// entryElements is what an entry states as its size.
func entryElements(fields int, same bool) int {
	if same {
		return entryHead + fields
	}
	return entryHead + 1 + 2*fields
}

// A nodeWriter writes elements into a node that has room for them.
type nodeWriter struct {
	lp    []byte
	at    int
	count int // elements written
}

func (w *nodeWriter) put(e listpack.Element) {
	e.Put(w.lp[w.at:])
	w.at += e.Size()
	w.count++
}

func (w *nodeWriter) int(n int64)    { w.put(listpack.EncodeInt(n)) }
func (w *nodeWriter) bytes(p []byte) { w.put(listpack.Encode(p)) }

func (w *nodeWriter) entry(pairs [][]byte, delta StreamID, same bool) {
	flags, fields := int64(0), len(pairs)/2
	if same {
		flags = entrySameFields
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
	w.int(int64(entryElements(fields, same)))
}
