package store

import "github.com/lockstep-db/lockstep/server/store/listpack"

// open replaces del bytes at position at of a node's listpack by ins bytes, which
// the caller fills in, as well as the header. What is on the shorter side moves,
// if there is room for that.
func (l *listObject) open(n *listNode, at, del, ins int, limit listLimit) []byte {
	a := l.arena
	off, was := int(n.off), int(n.size)
	size := was + ins - del
	capacity := a.capacity(n.block)
	left := at < was-at-del
	to, other := off, off+del-ins // where the listpack may begin
	if left {
		to, other = other, to
	}
	fits := func(off int) bool { return off >= 0 && off+size <= capacity }
	if !fits(to) {
		switch {
		case fits(other):
			to = other
		case size > capacity:
			return l.grow(n, at, del, ins, left, limit)
		case left:
			to = capacity - size
		default:
			to = 0
		}
	}
	b := a.block(n.block)
	front, back := b[off:off+at], b[off+at+del:off+was]
	// Neither part may be moved over the other one.
	if moved := to + at + ins; moved >= off+at+del {
		move(b[moved:], back, moved-(off+at+del))
		move(b[to:], front, to-off)
	} else {
		move(b[to:], front, to-off)
		move(b[moved:], back, moved-(off+at+del))
	}
	n.off, n.size = uint32(to), uint32(size)
	return b[to : to+size : to+size]
}

// move copies bytes within a block, unless they stay where they are.
func move(dst, src []byte, distance int) {
	if distance != 0 {
		copy(dst, src)
	}
}

// grow is open when the node needs a larger block.
func (l *listObject) grow(n *listNode, at, del, ins int, left bool, limit listLimit) []byte {
	a := l.arena
	size := int(n.size) + ins - del
	h := l.alloc(l.roomFor(size, limit))
	to := 0
	if left {
		to = a.capacity(h) - size
	}
	old, b := a.block(n.block), a.block(h)
	off := int(n.off)
	copy(b[to:], old[off:off+at])
	copy(b[to+at+ins:], old[off+at+del:off+int(n.size)])
	l.free(n.block)
	n.block, n.off, n.size = h, uint32(to), uint32(size)
	return b[to : to+size : to+size]
}

// roomFor is how much room a node of a size gets that is likely to become larger.
func (l *listObject) roomFor(size int, limit listLimit) int {
	room := size + max(size/4, 64)
	if l.last-l.first >= manyNodes {
		room = limit.bytes
	}
	return max(size, min(room, limit.bytes))
}

func (l *listObject) alloc(size int) handle {
	h := l.arena.allocPart(size)
	l.held += l.arena.capacity(h)
	return h
}

func (l *listObject) free(h handle) {
	l.held -= l.arena.capacity(h)
	l.arena.free(h)
}

// fit moves a node that has become much smaller than its block to another one.
func (l *listObject) fit(n *listNode) {
	a := l.arena
	size := int(n.size)
	if a.capacity(n.block) <= 2*blockSize(size) {
		return
	}
	h := l.alloc(size)
	copy(a.block(h), a.block(n.block)[n.off:n.off+n.size])
	l.free(n.block)
	n.block, n.off = h, 0
}

// addNode makes a node without elements the one with index i, with room for one
// of size bytes. If left is set the room will be in front.
func (l *listObject) addNode(i int, left bool, size int, limit listLimit) {
	size += listpack.Empty
	h := l.alloc(l.roomFor(size, limit))
	off := 0
	if left {
		off = l.arena.capacity(h) - listpack.Empty
	}
	listpack.AppendEmpty(l.arena.block(h)[off:off])
	l.insertNode(i, listNode{block: h, off: uint32(off), size: listpack.Empty})
}

// addPlain makes an element the only one of a node with index i.
func (l *listObject) addPlain(i int, p []byte) {
	h := l.alloc(len(p))
	copy(l.arena.block(h), p)
	l.insertNode(i, listNode{block: h, off: plainNode, size: uint32(len(p))})
	l.renumber(i, 1)
}

// addListpack adds a copy of a listpack with elements as the last node.
func (l *listObject) addListpack(lp []byte) {
	l.addPart(lp, listHeader, len(lp)-1, listpack.Len(lp))
}

// addPart is addListpack for the count elements between two positions.
func (l *listObject) addPart(lp []byte, from, to, count int) {
	size := to - from + listpack.Empty
	h := l.alloc(size)
	b := l.arena.block(h)[:size]
	listpack.AppendEmpty(b[:0])
	b[size-1] = b[listHeader] // the end mark
	copy(b[listHeader:], lp[from:to])
	listpack.SetHeader(b, size, count)
	l.insertNode(l.last-l.first, listNode{block: h, size: uint32(size)})
	l.end += int64(count)
}

// insertNode makes n the node with index i, without elements as yet.
func (l *listObject) insertNode(i int, n listNode) {
	count := l.last - l.first
	n.start = l.end
	if i < count {
		n.start = l.dir[l.first+i].start
	}
	if l.first == 0 || l.last == len(l.dir) {
		l.center(max(len(l.dir), 2*count+6))
	}
	if i < count/2 || i == 0 && count > 0 {
		l.first--
		copy(l.dir[l.first:], l.dir[l.first+1:l.first+1+i])
	} else {
		copy(l.dir[l.first+i+1:], l.dir[l.first+i:l.last])
		l.last++
	}
	l.dir[l.first+i] = n
}

// center moves the nodes to the middle of the directory, which gets so many
// places.
func (l *listObject) center(places int) {
	count := l.last - l.first
	first := (places - count) / 2
	dir := l.dir
	if places != len(dir) {
		dir = make([]listNode, places)
	}
	copy(dir[first:], l.nodes())
	l.dir, l.first, l.last = dir, first, first+count
}

// removeNode removes the node with index i, which has no elements any more.
func (l *listObject) removeNode(i int) {
	count := l.last - l.first
	l.free(l.dir[l.first+i].block)
	if i < count/2 {
		copy(l.dir[l.first+1:], l.dir[l.first:l.first+i])
		l.first++
	} else {
		copy(l.dir[l.first+i:], l.dir[l.first+i+1:l.last])
		l.last--
	}
	if places := len(l.dir); places > 64 && count < places/8 {
		l.center(places / 2)
	}
}

// split makes two nodes of one: the elements from index offset on go to the
// second.
func (l *listObject) split(i, offset int) {
	_, lp := l.data(i)
	at, count := l.seek(i, offset), l.count(i)
	size := listHeader + len(lp) - at
	h := l.alloc(size)
	second := l.arena.block(h)[:size:size]
	copy(second[listHeader:], lp[at:])
	listpack.SetHeader(second, size, count-offset)
	l.insertNode(i+1, listNode{block: h, size: uint32(size)})
	n := &l.dir[l.first+i]
	l.dir[l.first+i+1].start = n.start + int64(offset)
	lp = l.open(n, at, len(lp)-1-at, 0, listLimit{})
	listpack.SetHeader(lp, len(lp), offset)
	l.fit(n)
}

// merge makes one node of the nodes with indexes i and i+1, if there are such and
// if it is not too large.
func (l *listObject) merge(i int, limit listLimit) {
	if i < 0 || i+1 >= l.last-l.first {
		return
	}
	n, m := &l.dir[l.first+i], &l.dir[l.first+i+1]
	count := l.count(i) + l.count(i+1)
	if n.plain() || m.plain() || limit.exceeded(int(n.size+m.size)-listpack.Empty, count) {
		return
	}
	_, more := l.data(i + 1)
	at := int(n.size) - 1
	lp := l.open(n, at, 0, len(more)-listpack.Empty, limit)
	copy(lp[at:], more[listHeader:])
	listpack.SetHeader(lp, len(lp), count)
	l.removeNode(i + 1)
}
