package store

import "slices"

// An ordered keeps values in the order of stream IDs: a directory of blocks, each
// with up to orderedMax IDs and, beside them, their values. Both are searched by
// halves. What is added mostly goes to the end and what is removed is mostly at
// the beginning, where neither moves much.
//
// Values without pointers are nothing that the garbage collector has to look at.
type ordered[V any] struct {
	blocks []*orderedBlock[V] // none is empty
	spare  *orderedBlock[V]   // a small one to begin anew with
	count  int
}

type orderedBlock[V any] struct {
	ids  []StreamID // ascending
	vals []V        // of the same length
}

const (
	orderedMax = 256
	// orderedSpare is the largest block that is kept when it becomes empty: a
	// queue that is mostly empty shall not make garbage all the time.
	orderedSpare = 16
)

// An orderedAt is where a value is. The one at the end is behind the last value.
type orderedAt struct{ block, i int }

func (o *ordered[V]) ended(at orderedAt) bool  { return at.block >= len(o.blocks) }
func (o *ordered[V]) id(at orderedAt) StreamID { return o.blocks[at.block].ids[at.i] }
func (o *ordered[V]) val(at orderedAt) *V      { return &o.blocks[at.block].vals[at.i] }
func (b *orderedBlock[V]) lastID() StreamID    { return b.ids[len(b.ids)-1] }
func (b *orderedBlock[V]) full() bool          { return len(b.ids) == orderedMax }
func (o *ordered[V]) lastBlock() (block int)   { return len(o.blocks) - 1 }

// last is the place of the last value. There must be one.
func (o *ordered[V]) last() orderedAt {
	return orderedAt{o.lastBlock(), len(o.blocks[o.lastBlock()].ids) - 1}
}

func (o *ordered[V]) next(at orderedAt) orderedAt {
	if at.i++; at.i == len(o.blocks[at.block].ids) {
		return orderedAt{at.block + 1, 0}
	}
	return at
}

// prev is the place before; ok is false at the first one.
func (o *ordered[V]) prev(at orderedAt) (before orderedAt, ok bool) {
	switch {
	case at.i > 0:
		return orderedAt{at.block, at.i - 1}, true
	case at.block > 0:
		return orderedAt{at.block - 1, len(o.blocks[at.block-1].ids) - 1}, true
	}
	return orderedAt{}, false
}

// seek is the place of the first value whose ID is id or greater.
func (o *ordered[V]) seek(id StreamID) orderedAt {
	low, high := 0, len(o.blocks)
	if high == 0 || o.blocks[high-1].lastID().Less(id) {
		return orderedAt{high, 0}
	}
	for low < high {
		if m := (low + high) / 2; o.blocks[m].lastID().Less(id) {
			low = m + 1
		} else {
			high = m
		}
	}
	at := orderedAt{low, 0}
	ids := o.blocks[at.block].ids
	for low, high = 0, len(ids); low < high; {
		if m := (low + high) / 2; ids[m].Less(id) {
			low = m + 1
		} else {
			high = m
		}
	}
	at.i = low
	return at
}

// find is the place of the value with an ID.
func (o *ordered[V]) find(id StreamID) (at orderedAt, ok bool) {
	at = o.seek(id)
	return at, !o.ended(at) && o.id(at) == id
}

// floor is the place of the last value whose ID is id or smaller.
func (o *ordered[V]) floor(id StreamID) (at orderedAt, ok bool) {
	at = o.seek(id)
	if !o.ended(at) && o.id(at) == id {
		return at, true
	}
	return o.prev(at)
}

// insert adds a value under an ID that has none.
func (o *ordered[V]) insert(id StreamID, v V) {
	at := o.seek(id)
	if o.ended(at) {
		at = o.end()
	} else if o.blocks[at.block].full() {
		at = o.split(at)
	}
	b := o.blocks[at.block]
	b.ids = slices.Insert(b.ids, at.i, id)
	b.vals = slices.Insert(b.vals, at.i, v)
	o.count++
}

// end is where the next value behind all others goes.
func (o *ordered[V]) end() orderedAt {
	if n := o.lastBlock(); n >= 0 && !o.blocks[n].full() {
		return orderedAt{n, len(o.blocks[n].ids)}
	}
	b := o.spare
	if o.spare = nil; b == nil {
		b = &orderedBlock[V]{}
	}
	o.blocks = append(o.blocks, b)
	return orderedAt{o.lastBlock(), 0}
}

// split halves a full block, and returns where the place is then.
func (o *ordered[V]) split(at orderedAt) orderedAt {
	const half = orderedMax / 2
	b := o.blocks[at.block]
	upper := &orderedBlock[V]{ids: slices.Clone(b.ids[half:]), vals: slices.Clone(b.vals[half:])}
	b.ids, b.vals = b.ids[:half], b.vals[:half]
	o.blocks = slices.Insert(o.blocks, at.block+1, upper)
	if at.i > half {
		return orderedAt{at.block + 1, at.i - half}
	}
	return at
}

// remove takes a value out. Places are void afterwards.
func (o *ordered[V]) remove(at orderedAt) {
	b := o.blocks[at.block]
	b.ids = slices.Delete(b.ids, at.i, at.i+1)
	b.vals = slices.Delete(b.vals, at.i, at.i+1)
	o.count--
	if len(b.ids) == 0 {
		o.drop(at.block)
		if cap(b.ids) <= orderedSpare {
			o.spare = b
		}
		return
	}
	o.join(at.block)
	if at.block > 0 {
		o.join(at.block - 1)
	}
}

// join puts a block and the next one together when both have become short, so
// that few values never hold the room of many.
func (o *ordered[V]) join(block int) {
	if block+1 >= len(o.blocks) {
		return
	}
	b, next := o.blocks[block], o.blocks[block+1]
	if len(b.ids)+len(next.ids) > orderedMax/4 {
		return
	}
	b.ids = append(b.ids, next.ids...)
	b.vals = append(b.vals, next.vals...)
	o.drop(block + 1)
}

// drop takes a block off the directory; the first one without moving the others.
func (o *ordered[V]) drop(block int) {
	if block == 0 {
		o.blocks[0] = nil
		o.blocks = o.blocks[1:]
		return
	}
	o.blocks = slices.Delete(o.blocks, block, block+1)
}

func (o *ordered[V]) clone() ordered[V] {
	c := ordered[V]{count: o.count}
	for _, b := range o.blocks {
		c.blocks = append(c.blocks, &orderedBlock[V]{slices.Clone(b.ids), slices.Clone(b.vals)})
	}
	return c
}
