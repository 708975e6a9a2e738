package store

import "math/bits"

// A table is a hash table of handles, of the entries of a database or of the
// members of a collection (members.go), which have their keys in the same place.
// It grows and shrinks by one bucket at a time (linear hashing, Litwin 1980): there never are two tables, no
// write ever waits for more than a bucket to be split, and the
// memory per key is the same at every size.
//
// With 2^level <= buckets < 2^(level+1), the buckets below buckets-2^level have
// already been split: their keys are told apart by level+1 low bits of the hash,
// those of the others by level bits.
//
// The position of a key is its hash with the order of the bits reversed. A
// bucket holds exactly the keys of an interval of positions, and splitting and
// merging only halve and join intervals. So whoever walks the positions from 0
// up (Scan, Cut) meets every key that stays, no matter what the table does in
// between.
type table struct {
	arena    *arena
	hash     *hasher
	segments []segment
	object   uint32 // number of the object that the table belongs to; 0: a database
	buckets  uint64 // in use; 0 before the first insertion
	level    uint
	count    int // entries
	links    int // overflow buckets
	depth    int // no chain has more buckets than this
}

const (
	// A bucket of ten slots that has seven entries on average seldom needs a
	// second one, and costs 9 bytes an entry.
	splitAbove = 7
	mergeBelow = 3
)

// A place is a slot that holds an entry.
type place struct {
	b    *bucket
	slot int
}

// next is the bucket that continues b, which is linked.
func (t *table) next(b *bucket) *bucket {
	return (*bucket)(t.arena.block(b.handle(linkSlot)))
}

// index is the number of the bucket for a hash.
func (t *table) index(hash uint64) uint64 {
	mask := uint64(1)<<t.level - 1
	if i := hash & (mask<<1 | 1); i < t.buckets {
		return i
	}
	return hash & mask
}

// find looks a key up; the handle is 0 if it is not there.
func (t *table) find(hash uint64, key []byte) (place, handle) {
	if t.buckets == 0 {
		return place{}, 0
	}
	tag := tagOf(hash)
	for b := t.bucket(t.index(hash)); ; b = t.next(b) {
		for set := b.candidates(tag); set != 0; set &= set - 1 {
			slot := bits.TrailingZeros32(set)
			if h := b.handle(slot); b.tag(slot) == tag && string(keyOf(t.arena.block(h))) == string(key) {
				return place{b, slot}, h
			}
		}
		if !b.linked() {
			return place{}, 0
		}
	}
}

// locate finds the slot that holds h, whose key has the hash.
func (t *table) locate(hash uint64, h handle) (place, bool) {
	if t.buckets == 0 {
		return place{}, false
	}
	tag := tagOf(hash)
	for b := t.bucket(t.index(hash)); ; b = t.next(b) {
		for set := b.candidates(tag); set != 0; set &= set - 1 {
			if slot := bits.TrailingZeros32(set); b.tag(slot) == tag && b.handle(slot) == h {
				return place{b, slot}, true
			}
		}
		if !b.linked() {
			return place{}, false
		}
	}
}

// insert adds an entry whose key is not in the table. Places are void after it.
func (t *table) insert(hash uint64, h handle) {
	if t.buckets == 0 {
		t.addBucket()
	}
	t.put(t.bucket(t.index(hash)), tagOf(hash), h)
	t.count++
	if uint64(t.count) > t.buckets*splitAbove {
		t.split()
	}
}

// remove takes the entry at p out. Places are void after it.
func (t *table) remove(hash uint64, p place) {
	t.fill(t.bucket(t.index(hash)), p)
	t.count--
	if t.buckets > 1 && uint64(t.count) < t.buckets*mergeBelow {
		t.merge()
	}
}

// put adds to a chain.
func (t *table) put(b *bucket, tag byte, h handle) {
	for depth := 1; ; depth++ {
		if !b.linked() {
			slot := b.freeSlot()
			if slot < bucketSlots {
				b.set(slot, tag, h)
				return
			}
			more := t.allocLink()
			n := (*bucket)(t.arena.block(more))
			*n = bucket{}
			n.mark(t.object)
			n.set(0, b.tag(linkSlot), b.handle(linkSlot))
			b.link(more)
			t.links++
			t.depth = max(t.depth, depth+1)
		}
		b = t.next(b)
	}
}

// fill closes the gap that the entry at p leaves in the chain that begins at b,
// with an entry of the chain's last bucket.
func (t *table) fill(b *bucket, p place) {
	var before *bucket
	for b.linked() {
		before, b = b, t.next(b)
	}
	last := b.lastUsed()
	tag, h := b.tag(last), b.handle(last)
	b.clearSlot(last)
	if (p != place{b, last}) {
		p.b.set(p.slot, tag, h)
	}
	if before != nil && b.lastUsed() < 0 {
		t.arena.free(before.handle(linkSlot))
		before.unlink()
		t.links--
	}
}

// release gives up the last bucket of an empty table.
func (t *table) release() {
	if t.count == 0 && t.buckets == 1 {
		t.dropBucket()
	}
}

// split grows the table by one bucket, to which about half of the entries of
// the next bucket in turn move.
func (t *table) split() {
	from := t.buckets - 1<<t.level
	bit := uint64(1) << t.level
	t.addBucket()
	low, high := t.bucket(from), t.bucket(t.buckets-1)
	var moving chain
	t.empty(low, &moving)
	for _, s := range moving.slots() {
		if t.hashOf(s.h)&bit == 0 {
			t.put(low, s.tag, s.h)
		} else {
			t.put(high, s.tag, s.h)
		}
	}
}

// merge shrinks the table by its last bucket, whose entries go back to the one
// that it was split from.
func (t *table) merge() {
	last := t.buckets - 1
	var moving chain
	t.empty(t.bucket(last), &moving)
	t.dropBucket()
	b := t.bucket(last - 1<<t.level)
	for _, s := range moving.slots() {
		t.put(b, s.tag, s.h)
	}
}

// A chain is the contents of a chain of buckets. Nearly all fit the array, so
// that nothing is allocated.
type chain struct {
	near [4 * bucketSlots]slot
	n    int
	far  []slot
}

type slot struct {
	h   handle
	tag byte
}

func (c *chain) add(s slot) {
	if c.n < len(c.near) {
		c.near[c.n] = s
		c.n++
		return
	}
	if c.far == nil {
		c.far = append(c.far, c.near[:]...)
	}
	c.far = append(c.far, s)
}

func (c *chain) slots() []slot {
	if c.far != nil {
		return c.far
	}
	return c.near[:c.n]
}

// empty moves the contents of the chain that begins at b to c, and frees its
// overflow buckets.
func (t *table) empty(b *bucket, c *chain) {
	for at := handle(0); ; {
		for i := range bucketSlots {
			if tag := b.tag(i); tag != 0 {
				c.add(slot{b.handle(i), tag})
			}
		}
		var next handle
		if b.linked() {
			next = b.handle(linkSlot)
		}
		b.reset()
		if at != 0 {
			t.arena.free(at)
			t.links--
		}
		if next == 0 {
			return
		}
		at, b = next, (*bucket)(t.arena.block(next))
	}
}

// visit calls f for every entry of bucket i and reports how many there were.
func (t *table) visit(i uint64, f func(handle)) int {
	n := 0
	for b := t.bucket(i); ; b = t.next(b) {
		for s := range bucketSlots {
			if b.tag(s) != 0 {
				n++
				f(b.handle(s))
			}
		}
		if !b.linked() {
			return n
		}
	}
}

// demolish takes up to about budget entries out of a table that is of no use any
// more, bucket by bucket from the last one, and has free called for each. Until
// the table is gone nothing else may be done with it.
func (t *table) demolish(budget int, free func(handle)) (cost int, done bool) {
	for t.buckets > 0 {
		if cost >= budget {
			return cost, false
		}
		var entries chain
		t.empty(t.bucket(t.buckets-1), &entries)
		t.dropBucket()
		for _, e := range entries.slots() {
			free(e.h)
		}
		t.count -= len(entries.slots())
		cost += 1 + len(entries.slots())
	}
	return cost, true
}

func (t *table) hashOf(h handle) uint64 { return t.hash.sum(keyOf(t.arena.block(h))) }

// position is where a key stands in the order in which tables are walked.
func position(hash uint64) uint64 { return bits.Reverse64(hash) }

// interval is the bucket that holds position p, the first position that it
// holds, and the first that it holds no more: 0 for the last bucket.
func (t *table) interval(p uint64) (i, first, end uint64) {
	i = t.index(bits.Reverse64(p))
	width := t.level
	if i >= 1<<t.level || i < t.buckets-1<<t.level {
		width++
	}
	first = bits.Reverse64(i)
	// A width of 0 bits is the whole circle; the shift by 64 then gives 0,
	// which is its end.
	return i, first, first + 1<<(64-width)
}

// random draws an entry, each with the same chance, given r; 0 if there is none.
// It draws slots of an imagined table in which each chain has the length of the
// longest, until it meets a taken one.
func (t *table) random(r uint64) handle {
	if t.count == 0 {
		return 0
	}
	for {
		r += golden
		i, _ := bits.Mul64(mix(r), t.buckets)
		r += golden
		n, _ := bits.Mul64(mix(r), uint64(t.depth*bucketSlots))
		var found handle
		t.visit(i, func(h handle) {
			if n == 0 {
				found = h
			}
			n--
		})
		if found != 0 {
			return found
		}
	}
}

// walk calls f for every entry of the bucket that holds position p, but for those
// that stand before p, and returns the position to go on from: 0 at the end.
// The table has buckets.
func (t *table) walk(p uint64, f func(handle)) (end uint64) {
	i, first, end := t.interval(p)
	if first == p {
		t.visit(i, f)
		return end
	}
	// The table has shrunk since the walk came to p, and the bucket that began
	// there was merged with one that has been walked.
	t.visit(i, func(h handle) {
		if position(t.hashOf(h)) >= p {
			f(h)
		}
	})
	return end
}
