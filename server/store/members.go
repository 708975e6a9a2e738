package store

import "encoding/binary"

// members is a hash table of names with values: the fields of a hash, the members
// of a set or of a sorted set. It is pointer-free but for a few words, grows
// and shrinks by a bucket at a time like the table of a database, which it has
// in common with it, and is walked with SCAN's guarantees.
//
// A member is one block of the arena in the layout of an entry (layout.go): the
// name in the place of the key, and in bytes 2 to 5, where entries have what a
// member has no need of, the number of the object that it belongs to. So a
// member of 12 bytes with a value of 10 takes 32 bytes and 9 more of the table.
//
// Members are referred to by handles. Compaction moves members, and with them
// changes their handles: an object that keeps handles elsewhere (a sorted set, in
// its order) has a method moved of its own, corrects them there, and calls
// members.moved for the table.
type members struct {
	table table
	bytes int // of the blocks of all members
}

const (
	// kindMember, in the high half of a block's first byte, is beyond all types.
	kindMember = 7 << 4
	atObject   = 2
)

func isMember(b []byte) bool { return b[atKind]&0xF0 == kindMember }

// objectOfMember is the number of the object that the member in a block belongs to.
func objectOfMember(b []byte) uint32 { return binary.LittleEndian.Uint32(b[atObject:]) }

// init makes the members of owner, which embeds or holds m, and gives owner its
// number: owner.number has to return m.number().
func (m *members) init(a *arena, hash *hasher, owner Object) {
	*m = members{table: table{arena: a, hash: hash, object: a.objects.enter(owner)}}
}

func (m *members) number() uint32 { return m.table.object }

func (m *members) len() int { return m.table.count }

// size is the number of bytes that all takes.
func (m *members) size() int {
	return m.bytes + int(m.table.room())*bucketSize + m.table.links*bucketSize
}

// name and value are those of the member at h, valid until something changes.
// The value may be modified.
func (m *members) name(h handle) []byte  { return keyOf(m.table.arena.block(h)) }
func (m *members) value(h handle) []byte { return valueOf(m.table.arena.block(h)) }

func (m *members) hash(name []byte) uint64 { return m.table.hash.sum(name) }

// find returns the member with a name, 0 if there is none.
func (m *members) find(name []byte) handle {
	_, h := m.table.find(m.hash(name), name)
	return h
}

// insert adds a member that is not there yet, with room for a value of size bytes
// for the caller to fill in.
func (m *members) insert(name []byte, size int) (handle, []byte) {
	h, value := m.newMember(name, size)
	m.table.insert(m.hash(name), h)
	return h, value
}

func (m *members) newMember(name []byte, size int) (handle, []byte) {
	a := m.table.arena
	want := shape{key: len(name), val: size}
	h := a.alloc(want.size())
	b := a.block(h)
	b[atKind] = kindMember
	binary.LittleEndian.PutUint32(b[atObject:], m.table.object)
	setShape(b, want)
	copy(b[want.keyAt():], name)
	m.bytes += a.capacity(h)
	return h, b[want.valAt():want.size():want.size()]
}

// put gives the member with a name a value, and tells whether it is new.
func (m *members) put(name, value []byte) (added bool) {
	hash := m.hash(name)
	p, h := m.table.find(hash, name)
	if h == 0 {
		h, dst := m.newMember(name, len(value))
		copy(dst, value)
		m.table.insert(hash, h)
		return true
	}
	copy(m.resize(p, h, len(value)), value)
	return false
}

// resize gives the member at h, found at p, a value of another size, whose bytes
// are for the caller to fill in. The member may get another handle.
func (m *members) resize(p place, h handle, size int) []byte {
	a := m.table.arena
	b := a.block(h)
	want := shapeOf(b)
	if want.val == size {
		return valueOf(b)
	}
	want.val = size
	if was := shapeOf(b); a.suits(h, want.size()) && was.long() == want.long() {
		setShape(b, want)
		return valueOf(b)
	}
	target, value := m.newMember(keyOf(b), size)
	p.b.setHandle(p.slot, target)
	m.drop(h)
	return value
}

func (m *members) drop(h handle) {
	m.bytes -= m.table.arena.capacity(h)
	m.table.arena.free(h)
}

// remove takes the member with a name out and tells whether it was there.
func (m *members) remove(name []byte) bool {
	hash := m.hash(name)
	p, h := m.table.find(hash, name)
	if h == 0 {
		return false
	}
	m.table.remove(hash, p)
	m.drop(h)
	return true
}

// scan visits the members of one bucket and returns the cursor of the next, with
// the guarantees of DB.Scan. visit must not change anything.
func (m *members) scan(cursor uint64, visit func(handle)) (next uint64) {
	if m.table.buckets == 0 {
		return 0
	}
	return position(m.table.walk(position(cursor), visit))
}

// each visits every member until visit returns false. visit must not change
// anything but values in place.
func (m *members) each(visit func(handle) bool) {
	more := true
	for i := uint64(0); i < m.table.buckets && more; i++ {
		m.table.visit(i, func(h handle) { more = more && visit(h) })
	}
}

// random draws a member, each with the same chance, given r; 0 if there is none.
func (m *members) random(r uint64) handle { return m.table.random(r) }

// copyTo adds all members to those of to, which has none. A visit, unless it is
// nil, is told of each with its old and its new handle.
func (m *members) copyTo(to *members, visit func(from, to handle)) {
	m.each(func(h handle) bool {
		value := m.value(h)
		c, dst := to.insert(m.name(h), len(value))
		copy(dst, value)
		if visit != nil {
			visit(h, c)
		}
		return true
	})
}

// release is Object.Release.
func (m *members) release(budget int) (cost int, done bool) {
	return m.table.demolish(budget, m.drop)
}

// moved is told that compaction has copied a block of the table, or a member, to
// another block.
func (m *members) moved(from, to handle) {
	t := &m.table
	block := t.arena.block(to)
	if block[0]&bucketFlag == 0 {
		p, ok := t.locate(t.hashOf(to), from)
		if !ok {
			panic("store: a member is not in its table")
		}
		p.b.setHandle(p.slot, to)
		return
	}
	if first := &t.segments[0]; first.h == from {
		size := len(first.mem)
		*first = segment{mem: block[:size:size], h: to}
		return
	}
	// A bucket that continues a chain is never empty.
	b := t.bucket(t.index(t.hashOf((*bucket)(block).handle(0))))
	for b.handle(linkSlot) != from {
		b = t.next(b)
	}
	b.setHandle(linkSlot, to)
}
