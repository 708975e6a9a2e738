package store

import (
	"math"

	"github.com/lockstep-db/lockstep/server/store/listpack"
)

// A list is held in one of two ways, under the names and with the borders of
// Redis 7.2: as one listpack within its entry ("listpack") until that exceeds
// Limits.ListSize, and from then on as a listObject, a sequence of such listpacks
// ("quicklist"). It becomes packed again when one node is left that is at most
// half as large, so that a list at the border does not change its mind all the
// time.

// listLimit is how large a node, or a packed list, may become.
type listLimit struct {
	bytes int // of the listpack
	count int // elements
}

const (
	// listSafety bounds the bytes of a node whose elements are limited, not its
	// bytes.
	listSafety = 8 << 10
	// listOverhead is what an element is taken to need beside its bytes.
	listOverhead = 8
)

// list reads ListSize: elements when it is not negative, -1 to -5 for 4 to 64 KiB.
func (l *Limits) list() listLimit {
	if l.ListSize >= 0 {
		return listLimit{bytes: listSafety, count: max(1, l.ListSize)}
	}
	return listLimit{bytes: 4096 << (min(-l.ListSize, 5) - 1), count: math.MaxInt}
}

func (l listLimit) exceeded(bytes, count int) bool { return bytes > l.bytes || count > l.count }

// half is the limit below which an object is packed.
func (l listLimit) half() listLimit {
	if l.count < math.MaxInt {
		l.count /= 2
	} else {
		l.bytes /= 2
	}
	return l
}

// large says whether an element gets a node of its own.
func (l listLimit) large(p []byte) bool { return len(p) > l.bytes }

// List is the value of a key of TypeList, for reading.
type List struct {
	packed []byte      // the listpack
	object *listObject // or, when it has outgrown the entry, this
}

// List is the value of an entry of TypeList.
func (e Entry) List() List {
	b := e.block()
	if isObject(b[atKind]) {
		return List{object: e.arena.objectOf(b).(*listObject)}
	}
	return List{packed: valueOf(b)}
}

// Len is the number of elements, 1 or more.
func (l List) Len() int {
	if l.object != nil {
		return l.object.len()
	}
	return listpack.Len(l.packed)
}

// Each visits the elements from head to tail until visit returns false.
func (l List) Each(visit func(p []byte) bool) {
	scratch := make([]byte, 0, maxIntLen)
	for it := l.From(0); it.Valid() && visit(it.Get(scratch)); it.Step() {
	}
}

// Index is the index of the first element that equals p; -1 if there is none.
func (l List) Index(p []byte) int {
	i := 0
	for it := l.From(0); it.Valid(); it.Step() {
		if it.Equal(p) {
			return i
		}
		i++
	}
	return -1
}

// Nodes visits the pieces that the list is made of from head to tail until visit
// returns false: listpacks, and elements that are so large that they stand alone
// (plain).
func (l List) Nodes(visit func(plain bool, data []byte) bool) {
	if l.object == nil {
		visit(false, l.packed)
		return
	}
	for i := range l.object.nodes() {
		if !visit(l.object.data(i)) {
			return
		}
	}
}

// NodesFrom is Nodes for n of them, from the one with an index on, which must exist.
func (l List) NodesFrom(index, n int, visit func(plain bool, data []byte) bool) {
	if l.object == nil {
		visit(false, l.packed)
		return
	}
	for i := range n {
		if !visit(l.object.data(index + i)) {
			return
		}
	}
}

// NodeCount is how many pieces Nodes visits.
func (l List) NodeCount() int {
	if l.object == nil {
		return 1
	}
	return len(l.object.nodes())
}

// ListIterator is at an element of a list, and goes on in one direction:
//
//	for it := list.From(0); it.Valid(); it.Step() { ... }
//
// It is valid until the next mutation.
type ListIterator struct {
	object *listObject
	node   int
	data   []byte // of the node, nil when there are no more elements
	plain  bool
	back   bool
	at     int // position in data, unless it is plain
}

// From is at the element with an index, from 0 at the head or from -1 at the tail,
// and goes on towards the tail. It is not valid when there is no such element.
func (l List) From(index int) ListIterator { return l.iterator(index, false) }

// BackFrom is From towards the head.
func (l List) BackFrom(index int) ListIterator { return l.iterator(index, true) }

func (l List) iterator(index int, back bool) ListIterator {
	it := ListIterator{object: l.object, back: back}
	if l.object == nil {
		if it.at = listpack.Seek(l.packed, index); it.at != 0 {
			it.data = l.packed
		}
		return it
	}
	n := l.object.len()
	if index < 0 {
		index += n
	}
	if index < 0 || index >= n {
		return it
	}
	offset := 0
	it.node, offset = l.object.find(index)
	if it.plain, it.data = l.object.data(it.node); !it.plain {
		it.at = l.object.seek(it.node, offset)
	}
	return it
}

// End is the first element (left) or the last one. A number is spelled out in scratch.
func (l List) End(left bool, scratch []byte) []byte {
	data := l.packed
	if o := l.object; o != nil {
		i := 0
		if !left {
			i = o.last - o.first - 1
		}
		plain, node := o.data(i)
		if plain {
			return node
		}
		data = node
	}
	at := listpack.First(data)
	if !left {
		at = listpack.Last(data)
	}
	return listpack.Get(data, at, scratch)
}

// Valid says whether there is an element.
func (it *ListIterator) Valid() bool { return it.data != nil }

// Step goes to the next element.
func (it *ListIterator) Step() {
	if !it.plain {
		if it.back {
			it.at = listpack.Prev(it.data, it.at)
		} else {
			it.at = listpack.Next(it.data, it.at)
		}
		if it.at != 0 {
			return
		}
	}
	it.nextNode()
}

func (it *ListIterator) nextNode() {
	it.data = nil
	if it.object == nil {
		return
	}
	if it.back {
		it.node--
	} else {
		it.node++
	}
	if it.node < 0 || it.node >= len(it.object.nodes()) {
		return
	}
	it.plain, it.data = it.object.data(it.node)
	switch {
	case it.plain:
	case it.back:
		it.at = listpack.Last(it.data)
	default:
		it.at = listpack.First(it.data)
	}
}

// Get is the element. A number is spelled out in scratch, which is grown if it
// holds less than 20 bytes.
func (it *ListIterator) Get(scratch []byte) []byte {
	if it.plain {
		return it.data
	}
	return listpack.Get(it.data, it.at, scratch)
}

// Equal says whether the element is p.
func (it *ListIterator) Equal(p []byte) bool {
	if it.plain {
		return string(it.data) == string(p)
	}
	return listpack.Equal(it.data, it.at, p)
}
