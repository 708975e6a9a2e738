package store

import (
	"math"
	"sort"
	"unsafe"

	"github.com/lockstep-db/lockstep/server/store/listpack"
)

// listObject is a large list: a directory of nodes, each of which is a listpack in
// a block of the arena, or one large element.
//
// Every element has a position, a number that grows by 1 from each to the next,
// and a node knows the position of its first one. Pushing and popping at the ends
// changes no position but those at the ends, so that it takes constant time, and
// an element is found by its index in logarithmic time. A change in the middle
// renumbers what is on its shorter side; whoever makes one has walked there.
type listObject struct {
	arena *arena
	// dir[first:last] are the nodes; there is room on both sides.
	dir         []listNode
	first, last int
	end         int64 // the position behind the last element
	held        int   // bytes of the nodes' blocks
}

// listNode is a piece of a list. There are no pointers in it.
type listNode struct {
	start int64  // position of its first element
	block handle // where its bytes are
	// off is where in the block the listpack begins; plainNode if the block holds
	// nothing but one element. There is room in front of a listpack that was
	// pushed to from the left.
	off  uint32
	size uint32 // bytes of the listpack, or of the element
}

const (
	plainNode = math.MaxUint32

	// A node of a list with so many of them gets all the room it may need at
	// once. Before that it gets a quarter more than it needs.
	manyNodes = 8

	listHeader = listpack.Empty - 1 // bytes before the first element
)

func (n *listNode) plain() bool { return n.off == plainNode }

func (l *listObject) nodes() []listNode { return l.dir[l.first:l.last] }

func (l *listObject) len() int {
	if l.first == l.last {
		return 0
	}
	return int(l.end - l.dir[l.first].start)
}

// count is the number of elements of a node.
func (l *listObject) count(i int) int {
	if i += l.first; i+1 < l.last {
		return int(l.dir[i+1].start - l.dir[i].start)
	}
	return int(l.end - l.dir[i].start)
}

// data is a node's listpack or, if it is plain, its element.
func (l *listObject) data(i int) (plain bool, data []byte) {
	n := &l.dir[l.first+i]
	b := l.arena.block(n.block)
	if n.plain() {
		return true, b[:n.size:n.size]
	}
	return false, b[n.off : n.off+n.size : n.off+n.size]
}

// find is the node that holds the element with an index, which exists, and the
// element's index within the node.
func (l *listObject) find(index int) (node, offset int) {
	nodes := l.nodes()
	at := nodes[0].start + int64(index)
	if tail := len(nodes) - 1; at >= nodes[tail].start {
		return tail, int(at - nodes[tail].start)
	}
	if index < l.count(0) {
		return 0, index
	}
	node = sort.Search(len(nodes), func(i int) bool { return nodes[i].start > at }) - 1
	return node, int(at - nodes[node].start)
}

// seek is the position in the listpack of a node of the element with an index.
func (l *listObject) seek(i, offset int) int {
	_, lp := l.data(i)
	switch n := l.count(i); {
	case offset == n:
		return len(lp) - 1
	case offset > n/2:
		return listpack.Seek(lp, offset-n)
	}
	return listpack.Seek(lp, offset)
}

// allows says whether p may be added to a node.
func (l *listObject) allows(i int, p []byte, limit listLimit) bool {
	n := &l.dir[l.first+i]
	return !n.plain() && !limit.exceeded(int(n.size)+len(p)+listOverhead, l.count(i)+1)
}

// push adds p at an end.
func (l *listObject) push(left bool, p []byte, limit listLimit) {
	i, offset, last := 0, 0, l.last-l.first-1
	if !left {
		i = last
	}
	switch {
	case limit.large(p):
		l.addPlain(i+edge(left), p)
		return
	case last < 0 || !l.allows(i, p, limit):
		i += edge(left)
		l.addNode(i, left, listpack.EncodedSize(p), limit)
	case !left:
		offset = l.count(i)
	}
	l.put(i, offset, p, limit)
}

// edge is how far behind the node at an end a new one goes.
func edge(left bool) int {
	if left {
		return 0
	}
	return 1
}

// put adds p to a node, before the element with index offset.
func (l *listObject) put(i, offset int, p []byte, limit listLimit) {
	n := &l.dir[l.first+i]
	at := listHeader
	if offset > 0 {
		at = l.seek(i, offset)
	}
	e := listpack.Encode(p)
	lp := l.open(n, at, 0, e.Size(), limit)
	e.Put(lp[at:])
	l.renumber(i, 1)
	listpack.SetHeader(lp, len(lp), l.count(i))
}

// insert adds p before the element with an index, which exists.
func (l *listObject) insert(index int, p []byte, limit listLimit) {
	i, offset := l.find(index)
	large := limit.large(p)
	if !large && l.allows(i, p, limit) {
		l.put(i, offset, p, limit)
		return
	}
	halved := offset > 0
	if halved {
		l.split(i, offset)
		i++
	}
	switch {
	case large:
		l.addPlain(i, p)
	case i > 0 && l.allows(i-1, p, limit):
		l.put(i-1, l.count(i-1), p, limit)
	case l.allows(i, p, limit):
		l.put(i, 0, p, limit)
	default:
		l.addNode(i, false, listpack.EncodedSize(p), limit)
		l.put(i, 0, p, limit)
	}
	if halved {
		// The halves may fit their neighbours.
		l.merge(i, limit)
		l.merge(i-2, limit)
	}
}

// replace puts p in the place of the element with an index.
func (l *listObject) replace(index int, p []byte, limit listLimit) {
	i, offset := l.find(index)
	n := &l.dir[l.first+i]
	if !n.plain() && !limit.large(p) {
		_, lp := l.data(i)
		at := l.seek(i, offset)
		e, old := listpack.Encode(p), listpack.EntrySize(lp, at)
		if e.Size() <= old || !limit.exceeded(int(n.size)+e.Size()-old, 1) {
			lp = l.open(n, at, old, e.Size(), limit)
			e.Put(lp[at:])
			listpack.SetHeader(lp, len(lp), l.count(i))
			return
		}
	}
	l.cut(index, 1)
	if index == l.len() {
		l.push(false, p, limit)
	} else {
		l.insert(index, p, limit)
	}
}

// cut removes n elements from the one with an index on. They exist.
func (l *listObject) cut(index, n int) {
	for n > 0 {
		i, offset := l.find(index)
		part := min(n, l.count(i)-offset)
		l.cutNode(i, offset, part)
		n -= part
	}
}

// popEnd removes the first element (left) or the last one. There are several nodes.
func (l *listObject) popEnd(left bool) {
	i := 0
	if !left {
		i = l.last - l.first - 1
	}
	count := l.count(i)
	if count == 1 {
		l.cutNode(i, 0, 1)
		return
	}
	// Nothing but the header, or the end mark, has to move.
	n := &l.dir[l.first+i]
	_, lp := l.data(i)
	if left {
		gone := listpack.EntrySize(lp, listHeader)
		lp = lp[gone:]
		n.off += uint32(gone)
	} else {
		at := listpack.Last(lp)
		lp[at] = lp[len(lp)-1]
		lp = lp[:at+1]
	}
	n.size = uint32(len(lp))
	listpack.SetHeader(lp, len(lp), count-1)
	l.renumber(i, -1)
}

// cutNode removes n elements of a node from the one with index offset on.
func (l *listObject) cutNode(i, offset, n int) {
	count := l.count(i)
	if n == count {
		l.renumber(i, -n)
		l.removeNode(i)
		return
	}
	from, to := l.seek(i, offset), l.seek(i, offset+n)
	node := &l.dir[l.first+i]
	lp := l.open(node, from, to-from, 0, listLimit{})
	l.renumber(i, -n)
	listpack.SetHeader(lp, len(lp), count-n)
	if 0 < i && i < l.last-l.first-1 {
		l.fit(node) // those at the ends are likely to change again
	}
}

// removeAll removes elements equal to p, most at most; from the tail if back is
// set. It returns how many.
func (l *listObject) removeAll(p []byte, most int, back bool) (removed int) {
	i := 0
	if back {
		i = len(l.nodes()) - 1
	}
	for i >= 0 && i < len(l.nodes()) && removed < most {
		before := len(l.nodes())
		removed += l.removeFrom(i, p, most-removed, back)
		switch {
		case back:
			i--
		case len(l.nodes()) == before:
			i++
		}
	}
	return removed
}

// removeFrom is removeAll for one node.
func (l *listObject) removeFrom(i int, p []byte, most int, back bool) int {
	plain, data := l.data(i)
	if plain {
		if string(data) != string(p) {
			return 0
		}
		l.cutNode(i, 0, 1)
		return 1
	}
	stop, removed := squeeze(data, p, most, back)
	switch {
	case removed == 0:
		return 0
	case removed == l.count(i):
		l.cutNode(i, 0, removed)
		return removed
	}
	n := &l.dir[l.first+i]
	lp := l.open(n, stop, len(data)-1-stop, 0, listLimit{})
	l.renumber(i, -removed)
	listpack.SetHeader(lp, len(lp), l.count(i))
	l.fit(n)
	return removed
}

// squeeze removes elements equal to p from a listpack, most at most, the last ones
// if back is set: what stays is moved together, up to stop. The bytes from there
// to the end mark are left over, and the header is as it was.
func squeeze(lp, p []byte, most int, back bool) (stop, removed int) {
	e := listpack.Encode(p)
	skip := 0
	if back {
		matches := 0
		for at := e.Find(lp, 0, 0); at != 0; at = findBehind(e, lp, at) {
			matches++
		}
		skip = max(0, matches-most)
	}
	kept := listHeader // where what stays goes on
	from := listHeader // what was not moved yet
	for at := e.Find(lp, 0, 0); at != 0 && removed < most; at = findBehind(e, lp, at) {
		if skip > 0 {
			skip--
			continue
		}
		kept += copy(lp[kept:], lp[from:at])
		from = at + listpack.EntrySize(lp, at)
		removed++
	}
	return kept + copy(lp[kept:], lp[from:len(lp)-1]), removed
}

// findBehind is the next element after a position that is e; 0 if there is none.
func findBehind(e listpack.Element, lp []byte, at int) int {
	if at = listpack.Next(lp, at); at == 0 {
		return 0
	}
	return e.Find(lp, at, 0)
}

// renumber lets a node have delta more elements than its neighbours' positions
// say.
func (l *listObject) renumber(i, delta int) {
	nodes := l.nodes()
	if i < len(nodes)/2 {
		for j := range nodes[:i+1] {
			nodes[j].start -= int64(delta)
		}
		return
	}
	for j := i + 1; j < len(nodes); j++ {
		nodes[j].start += int64(delta)
	}
	l.end += int64(delta)
}

// Size implements Object.
func (l *listObject) Size() int {
	return int(unsafe.Sizeof(*l)) + len(l.dir)*int(unsafe.Sizeof(listNode{})) + l.held
}

// Clone implements Object.
func (l *listObject) Clone() Object {
	n := len(l.nodes())
	c := &listObject{arena: l.arena, dir: make([]listNode, n+2), first: 1, last: 1 + n, end: l.end}
	copy(c.dir[1:], l.nodes())
	for i := range l.nodes() {
		_, data := l.data(i)
		node := &c.dir[1+i]
		node.block = l.arena.allocPart(len(data))
		if !node.plain() {
			node.off = 0
		}
		copy(l.arena.block(node.block), data)
		c.held += l.arena.capacity(node.block)
	}
	return c
}

// Release implements Object.
func (l *listObject) Release(budget int) (cost int, done bool) {
	for cost < budget && l.first < l.last {
		l.last--
		h := l.dir[l.last].block
		cost++
		if l.arena.capacity(h) > maxSlab {
			cost += dropCost
		}
		l.arena.free(h)
	}
	return cost, l.first == l.last
}
