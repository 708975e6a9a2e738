package lua

import (
	"math"
	"math/bits"
	"strings"
)

// Table is a Lua table: an array for the keys 1 to n, and a hash for the others.
//
// Sizes, places and chains are those of Lua 5.1, because scripts see them: pairs
// walks through the array and then through the nodes in their order, and # finds a
// border that depends on how large the array is.
type Table struct {
	obj  object
	l    *State
	meta *Table

	arr      []Value // keys 1 to len(arr); nil where there is nothing
	nodes    []node  // a power of two, or none
	lastFree int32   // all nodes from here on are in use
	absent   uint8   // metamethods that this table, as a metatable, is known to lack
	readonly bool
}

// node is a place in the hash. A key whose value is nil stays until the table is
// rebuilt, so that a walk can go on from it.
type node struct {
	key, val Value
	next     int32 // the next node of the chain, plus 1; 0 ends it
}

// What tables and strings occupy, in bytes, for State.Limit.
const (
	tableBytes  = 160
	nodeBytes   = 40
	valueBytes  = 16
	stringBytes = 64
)

// maxArrayBits bounds the array part: keys up to 2^26.
const maxArrayBits = 26

// NewTable makes a table with room for n elements and h other keys.
func (l *State) NewTable(n, h int) *Table {
	l.serial++
	t := &Table{l: l}
	t.obj = object{kind: KindTable, hash: l.serial}
	t.obj.t = t
	l.charge(tableBytes + n*valueBytes)
	if n > 0 {
		t.arr = make([]Value, n)
	}
	if h > 0 {
		t.setNodes(h)
	}
	return t
}

// NewStrings makes a table of strings with the keys 1 to n, as if they had been set
// one after the other.
func (l *State) NewStrings(items [][]byte) *Table {
	size := 0
	for _, b := range items {
		size += len(b)
	}
	l.charge(size + len(items)*stringBytes)
	var text strings.Builder // all of them side by side: one allocation
	text.Grow(size)
	for _, b := range items {
		text.Write(b)
	}
	room := 0
	if len(items) > 0 {
		room = 1 << bits.Len(uint(len(items)-1))
	}
	t := l.NewTable(room, 0)
	objects := make([]object, len(items))
	for i, b := range items {
		rest := text.String()[text.Len()-size:]
		objects[i] = object{kind: KindString, s: rest[:len(b)]}
		size -= len(b)
		t.arr[i] = Value{o: &objects[i]}
	}
	return t
}

// Value returns the table as a value.
func (t *Table) Value() Value { return Value{o: &t.obj} }

// Metatable returns the metatable, or nil.
func (t *Table) Metatable() *Table { return t.meta }

// SetMetatable sets or, with nil, removes the metatable.
func (t *Table) SetMetatable(m *Table) { t.meta = m }

// SetReadonly makes every modification by a script an error, or possible again.
// The functions of this type modify the table all the same.
func (t *Table) SetReadonly(on bool) { t.readonly = on }

// Readonly says whether scripts may not modify the table.
func (t *Table) Readonly() bool { return t.readonly }

// Get returns the value at a key, without metamethods.
func (t *Table) Get(key Value) Value {
	switch key.Kind() {
	case KindNil:
		return Nil
	case KindString:
		return t.getString(key.o)
	case KindNumber:
		return t.getNumber(key.n)
	}
	if n := t.find(key); n != nil {
		return n.val
	}
	return Nil
}

// GetString is Get for a string.
func (t *Table) GetString(s string) Value { return t.getString(&object{kind: KindString, s: s}) }

// GetInt is Get for an integer.
func (t *Table) GetInt(i int) Value {
	if uint(i-1) < uint(len(t.arr)) {
		return t.arr[i-1]
	}
	return t.getHashed(float64(i))
}

func (t *Table) getNumber(n float64) Value {
	if i := int(n); uint(i-1) < uint(len(t.arr)) && float64(i) == n {
		return t.arr[i-1]
	}
	return t.getHashed(n)
}

func (t *Table) getHashed(n float64) Value {
	if len(t.nodes) == 0 {
		return Nil
	}
	for at := &t.nodes[t.numberPlace(n)]; ; at = &t.nodes[at.next-1] {
		if at.key.o == &numberTag && at.key.n == n {
			return at.val
		}
		if at.next == 0 {
			return Nil
		}
	}
}

func (t *Table) getString(o *object) Value {
	if len(t.nodes) == 0 {
		return Nil
	}
	hash := o.stringHash()
	for at := &t.nodes[hash&uint32(len(t.nodes)-1)]; ; at = &t.nodes[at.next-1] {
		if k := at.key.o; k == o || k != nil && k.kind == KindString && k.hash == hash && k.s == o.s {
			return at.val
		}
		if at.next == 0 {
			return Nil
		}
	}
}

// find returns the node of a key, also when its value is nil.
func (t *Table) find(key Value) *node {
	if len(t.nodes) == 0 {
		return nil
	}
	for at := &t.nodes[t.place(key)]; ; at = &t.nodes[at.next-1] {
		if Equal(at.key, key) {
			return at
		}
		if at.next == 0 {
			return nil
		}
	}
}

// place is where a key belongs; it may have to be chained from there.
func (t *Table) place(key Value) uint32 {
	switch key.o.kind {
	case KindNumber:
		return t.numberPlace(key.n)
	case KindString:
		return key.o.stringHash() & uint32(len(t.nodes)-1)
	case KindBool:
		return key.o.hash & uint32(len(t.nodes)-1)
	}
	return key.o.hash % (uint32(len(t.nodes)-1) | 1)
}

func (t *Table) numberPlace(n float64) uint32 {
	if n == 0 {
		return 0 // both zeros are one key
	}
	b := math.Float64bits(n)
	return (uint32(b) + uint32(b>>32)) % (uint32(len(t.nodes)-1) | 1)
}

// Set sets or, with nil, removes the value at a key, without metamethods. The key
// must be neither nil nor NaN.
func (t *Table) Set(key, val Value) { *t.slot(key) = val }

// SetString is Set for a string.
func (t *Table) SetString(s string, val Value) { t.Set(String(s), val) }

// SetInt is Set for an integer.
func (t *Table) SetInt(i int, val Value) {
	if uint(i-1) < uint(len(t.arr)) {
		t.arr[i-1] = val
		return
	}
	t.Set(Number(float64(i)), val)
}

// existing returns where a key's value is kept, or nil when the key has no place.
func (t *Table) existing(key Value) *Value {
	if key.o == &numberTag {
		if i := int(key.n); uint(i-1) < uint(len(t.arr)) && float64(i) == key.n {
			return &t.arr[i-1]
		}
	}
	if n := t.find(key); n != nil {
		return &n.val
	}
	return nil
}

// slot returns where to put the value of a key, making a place if need be.
func (t *Table) slot(key Value) *Value {
	t.absent = 0
	if at := t.existing(key); at != nil {
		return at
	}
	return t.insert(key)
}

// insert makes a place for a key that has none.
func (t *Table) insert(key Value) *Value {
	if len(t.nodes) == 0 {
		t.rehash(key)
		return t.slot(key)
	}
	main := t.place(key)
	at := &t.nodes[main]
	if at.val.o != nil {
		free := t.freeNode()
		if free < 0 {
			t.rehash(key)
			return t.slot(key)
		}
		if home := t.place(at.key); home != main {
			// Who sits here belongs elsewhere: it moves to the free node.
			prev := &t.nodes[home]
			for prev.next != int32(main)+1 {
				prev = &t.nodes[prev.next-1]
			}
			prev.next = free + 1
			t.nodes[free] = *at
			at.next, at.val = 0, Nil
		} else {
			t.nodes[free].next = at.next
			at.next = free + 1
			at = &t.nodes[free]
		}
	}
	at.key = key
	return &at.val
}

func (t *Table) freeNode() int32 {
	for t.lastFree > 0 {
		t.lastFree--
		if t.nodes[t.lastFree].key.o == nil {
			return t.lastFree
		}
	}
	return -1
}

// rehash finds new sizes for both parts, for what is in the table and one more key.
// The array becomes the largest power of two of which more than half is in use.
func (t *Table) rehash(extra Value) {
	var count [maxArrayBits + 1]int // keys in (2^(i-1), 2^i]
	integers := t.countArray(&count)
	total := integers
	for i := range t.nodes {
		if n := &t.nodes[i]; n.val.o != nil {
			integers += countInteger(n.key, &count)
			total++
		}
	}
	integers += countInteger(extra, &count)
	total++
	size, inArray := arraySize(&count, integers)
	t.resize(size, total-inArray)
}

func (t *Table) countArray(count *[maxArrayBits + 1]int) int {
	total, i := 0, 1
	for b, limit := 0, 1; b <= maxArrayBits && i <= len(t.arr); b, limit = b+1, limit*2 {
		for top := min(limit, len(t.arr)); i <= top; i++ {
			if t.arr[i-1].o != nil {
				count[b]++
				total++
			}
		}
	}
	return total
}

func countInteger(key Value, count *[maxArrayBits + 1]int) int {
	if key.o != &numberTag {
		return 0
	}
	i := int(key.n)
	if float64(i) != key.n || i < 1 || i > 1<<maxArrayBits {
		return 0
	}
	count[bits.Len(uint(i-1))]++
	return 1
}

func arraySize(count *[maxArrayBits + 1]int, integers int) (size, used int) {
	below := 0
	for i, limit := 0, 1; i <= maxArrayBits && limit/2 < integers; i, limit = i+1, limit*2 {
		if count[i] > 0 {
			below += count[i]
			if below > limit/2 {
				size, used = limit, below
			}
		}
		if below == integers {
			break
		}
	}
	return size, used
}

func (t *Table) resize(size, hashed int) {
	t.l.charge(max(0, size-len(t.arr))*valueBytes + hashed*nodeBytes)
	arr, nodes := t.arr, t.nodes
	if size > len(arr) {
		grown := make([]Value, size)
		copy(grown, arr)
		t.arr = grown
	}
	t.setNodes(hashed)
	if size < len(arr) {
		t.arr = arr[:size:size]
		for i, v := range arr[size:] {
			if v.o != nil {
				*t.slot(Number(float64(size + i + 1))) = v
			}
		}
	}
	for i := len(nodes) - 1; i >= 0; i-- {
		if n := &nodes[i]; n.val.o != nil {
			*t.slot(n.key) = n.val
		}
	}
}

func (t *Table) setNodes(n int) {
	t.nodes, t.lastFree = nil, 0
	if n > 0 {
		size := 1 << bits.Len(uint(n-1))
		t.nodes = make([]node, size)
		t.lastFree = int32(size)
	}
}

// Len returns a border: an n with something at n and nothing at n+1, or 0. It
// ignores metamethods, as # does for tables.
func (t *Table) Len() int {
	j := len(t.arr)
	if j > 0 && t.arr[j-1].o == nil {
		i := 0
		for j-i > 1 {
			if m := (i + j) / 2; t.arr[m-1].o == nil {
				j = m
			} else {
				i = m
			}
		}
		return i
	}
	if len(t.nodes) == 0 {
		return j
	}
	return t.lenHashed(j)
}

func (t *Table) lenHashed(i int) int {
	j := i + 1
	for t.getHashed(float64(j)).o != nil {
		i = j
		j *= 2
		if j > math.MaxInt32 {
			// Made to be searched for ever: count instead.
			for i = 1; t.GetInt(i).o != nil; i++ {
			}
			return i - 1
		}
	}
	for j-i > 1 {
		if m := (i + j) / 2; t.GetInt(m).o == nil {
			j = m
		} else {
			i = m
		}
	}
	return i
}

// Next returns the key and value after a key, in the order of pairs; nil begins,
// and a nil key ends. ok is false when the key is not in the table.
func (t *Table) Next(key Value) (k, v Value, ok bool) {
	at := 0
	if key.o != nil {
		if at = t.positionAfter(key); at < 0 {
			return Nil, Nil, false
		}
	}
	for ; at < len(t.arr); at++ {
		if t.arr[at].o != nil {
			return Number(float64(at + 1)), t.arr[at], true
		}
	}
	for at -= len(t.arr); at < len(t.nodes); at++ {
		if n := &t.nodes[at]; n.val.o != nil {
			return n.key, n.val, true
		}
	}
	return Nil, Nil, true
}

// positionAfter counts array and nodes through, from 0; -1: no such key.
func (t *Table) positionAfter(key Value) int {
	if key.o == &numberTag {
		if i := int(key.n); uint(i-1) < uint(len(t.arr)) && float64(i) == key.n {
			return i
		}
	}
	if len(t.nodes) == 0 {
		return -1
	}
	for at := int32(t.place(key)); ; at = t.nodes[at].next - 1 {
		if Equal(t.nodes[at].key, key) {
			return len(t.arr) + int(at) + 1
		}
		if t.nodes[at].next == 0 {
			return -1
		}
	}
}
