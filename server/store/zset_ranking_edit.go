package store

import "encoding/binary"

// How a ranking changes: items go into leaves and out of them, leaves that are
// full are split, leaves that are sparse are joined, and so are branches.

// insert puts an item at a spot that find has found.
func (o *ranking) insert(s *spot, it item) {
	o.count++
	if s.leaf == 0 {
		o.leaf = o.newLeaf(0, 0)
		s.leaf = o.leaf
	}
	for _, t := range s.way[:s.depth] {
		t.b.counts[t.i]++
	}
	l := o.at(s.leaf)
	if n := l.len(); n < leafItems {
		l.insert(s.pos, it)
		if s.pos == 0 {
			o.refresh(s)
		}
		return
	}
	o.split(s, l, it)
}

func (l leaf) insert(pos int, it item) {
	n := l.len()
	l.move(pos+1, l, pos, n-pos)
	l.set(pos, it)
	l.setLen(n + 1)
}

// append adds an item behind all others.
func (o *ranking) append(it item) {
	var s spot
	if o.count > 0 {
		o.seek(&s, o.count-1)
		s.pos++
	}
	o.insert(&s, it)
}

// newLeaf makes an empty leaf between two others.
func (o *ranking) newLeaf(back, next handle) handle {
	h := o.arena.alloc(leafSize)
	l := o.at(h)
	l[atKind] = kindLeaf
	binary.LittleEndian.PutUint32(l[atObject:], o.object)
	l.setLen(0)
	l.setLink(leafBack, back)
	l.setLink(leafNext, next)
	if back != 0 {
		o.at(back).setLink(leafNext, h)
	}
	if next != 0 {
		o.at(next).setLink(leafBack, h)
	}
	return h
}

// split makes two leaves of a full one and puts the item into the right one of
// them.
func (o *ranking) split(s *spot, l leaf, it item) {
	next := l.link(leafNext)
	half := leafItems / 2
	if next == 0 && s.pos == leafItems {
		half = leafItems // members that come in order leave full leaves behind
	}
	h := o.newLeaf(s.leaf, next)
	l, r := o.at(s.leaf), o.at(h)
	r.move(0, l, half, leafItems-half)
	r.setLen(leafItems - half)
	l.setLen(half)
	if s.pos > half || half == leafItems {
		r.insert(s.pos-half, it)
	} else {
		l.insert(s.pos, it)
		if s.pos == 0 {
			o.refresh(s)
		}
	}
	if s.depth == 0 {
		o.root = &branch{}
		o.root.put(0, l.first(), l.len(), o.leaf, nil)
		o.leaf = 0
		s.turn(o.root, 0)
	}
	t := &s.way[s.depth-1]
	t.b.counts[t.i] = l.len()
	t.b.put(t.i+1, r.first(), r.len(), h, nil)
	for d := s.depth - 1; d >= 0 && s.way[d].b.n == branchFan; d-- {
		o.splitBranch(s, d)
	}
}

// put adds a child, a leaf or a branch, at position i of a branch with room.
func (b *branch) put(i int, first item, count int, h handle, kid *branch) {
	b.n++
	copy(b.scores[i+1:b.n], b.scores[i:])
	copy(b.firsts[i+1:b.n], b.firsts[i:])
	copy(b.counts[i+1:b.n], b.counts[i:])
	b.scores[i], b.firsts[i], b.counts[i] = first.score, first.member, count
	if b.kids == nil && kid == nil {
		copy(b.leaves[i+1:b.n], b.leaves[i:])
		b.leaves[i] = h
		return
	}
	if b.kids == nil {
		b.kids = make([]*branch, branchFan)
	}
	copy(b.kids[i+1:b.n], b.kids[i:])
	b.kids[i] = kid
}

// cutChild takes child i out of a branch.
func (b *branch) cutChild(i int) {
	copy(b.scores[i:], b.scores[i+1:b.n])
	copy(b.firsts[i:], b.firsts[i+1:b.n])
	copy(b.counts[i:], b.counts[i+1:b.n])
	if b.kids == nil {
		copy(b.leaves[i:], b.leaves[i+1:b.n])
	} else {
		copy(b.kids[i:], b.kids[i+1:b.n])
		b.kids[b.n-1] = nil
	}
	b.n--
}

// take moves the children of another branch of the same height, from one on, to
// the end of b.
func (b *branch) take(from *branch, at int) {
	copy(b.scores[b.n:], from.scores[at:from.n])
	copy(b.firsts[b.n:], from.firsts[at:from.n])
	copy(b.counts[b.n:], from.counts[at:from.n])
	if from.kids == nil {
		copy(b.leaves[b.n:], from.leaves[at:from.n])
	} else {
		if b.kids == nil {
			b.kids = make([]*branch, branchFan)
		}
		copy(b.kids[b.n:], from.kids[at:from.n])
		clear(from.kids[at:from.n])
	}
	b.n += from.n - at
	from.n = at
}

func (b *branch) total() int {
	n := 0
	for _, c := range b.counts[:b.n] {
		n += c
	}
	return n
}

func (b *branch) first() item { return item{b.scores[0], b.firsts[0]} }

// splitBranch makes two branches of the full one at depth d of a way, which is
// void after the last one.
func (o *ranking) splitBranch(s *spot, d int) {
	b := s.way[d].b
	half := branchFan / 2
	if s.way[d].i == branchFan-2 {
		half = branchFan - 1 // the new child is the last: likely, more will follow
	}
	right := &branch{}
	right.take(b, half)
	if d == 0 {
		o.root = &branch{}
		o.root.put(0, b.first(), b.total(), 0, b)
		o.root.put(1, right.first(), right.total(), 0, right)
		return
	}
	up := s.way[d-1]
	up.b.counts[up.i] = b.total()
	up.b.put(up.i+1, right.first(), right.total(), 0, right)
}

// remove takes the item at a spot out. The spot is void after it.
func (o *ranking) remove(s *spot) {
	o.count--
	l := o.at(s.leaf)
	n := l.len() - 1
	l.move(s.pos, l, s.pos+1, n-s.pos)
	l.setLen(n)
	for _, t := range s.way[:s.depth] {
		t.b.counts[t.i]--
	}
	switch {
	case n == 0:
		o.dropLeaf(s)
	case s.pos == 0:
		o.refresh(s)
		fallthrough
	default:
		if n < leafSparse && s.depth > 0 {
			o.joinLeaf(s)
		}
	}
}

// unlink frees a leaf whose items are gone.
func (o *ranking) unlink(h handle) {
	l := o.at(h)
	back, next := l.link(leafBack), l.link(leafNext)
	if back != 0 {
		o.at(back).setLink(leafNext, next)
	}
	if next != 0 {
		o.at(next).setLink(leafBack, back)
	}
	o.arena.free(h)
}

// dropLeaf removes the leaf of a spot, which is empty.
func (o *ranking) dropLeaf(s *spot) {
	o.unlink(s.leaf)
	if s.depth == 0 {
		o.leaf = 0
		return
	}
	o.dropChild(s, s.depth-1, s.way[s.depth-1].i)
}

// joinLeaf lets the sparse leaf of a spot become one with a neighbour, if that
// has room.
func (o *ranking) joinLeaf(s *spot) {
	t := s.way[s.depth-1]
	i := t.i
	switch {
	case i+1 < t.b.n && t.b.counts[i]+t.b.counts[i+1] <= leafItems:
	case i > 0 && t.b.counts[i-1]+t.b.counts[i] <= leafItems:
		i--
	default:
		return
	}
	l, r := o.at(t.b.leaves[i]), o.at(t.b.leaves[i+1])
	l.move(l.len(), r, 0, r.len())
	l.setLen(l.len() + r.len())
	o.unlink(t.b.leaves[i+1])
	t.b.counts[i] += t.b.counts[i+1]
	o.dropChild(s, s.depth-1, i+1)
}

// dropChild takes a child out of the branch at depth d of a way. What it counted
// is counted elsewhere, or nowhere.
func (o *ranking) dropChild(s *spot, d, i int) {
	b := s.way[d].b
	b.cutChild(i)
	switch {
	case d == 0:
		o.shorten()
		return
	case b.n == 0:
		o.dropChild(s, d-1, s.way[d-1].i)
		return
	case i == 0:
		o.refreshFrom(s, d)
	}
	if b.n < branchSparse {
		o.joinBranch(s, d)
	}
}

// refreshFrom is refresh for the branches above the one at depth d.
func (o *ranking) refreshFrom(s *spot, d int) {
	first := s.way[d].b.first()
	for d--; d >= 0; d-- {
		t := s.way[d]
		t.b.scores[t.i], t.b.firsts[t.i] = first.score, first.member
		if t.i > 0 {
			return
		}
	}
}

// joinBranch is joinLeaf for the branch at depth d of a way.
func (o *ranking) joinBranch(s *spot, d int) {
	up := s.way[d-1]
	i := up.i
	// The sum must stay below the fan: a full branch is one that is split.
	fits := func(i int) bool { return up.b.kids[i].n+up.b.kids[i+1].n < branchFan }
	switch {
	case i+1 < up.b.n && fits(i):
	case i > 0 && fits(i-1):
		i--
	default:
		return
	}
	up.b.kids[i].take(up.b.kids[i+1], 0)
	up.b.counts[i] += up.b.counts[i+1]
	o.dropChild(s, d-1, i+1)
}

// shorten takes away roots that have one child.
func (o *ranking) shorten() {
	for o.root != nil && o.root.n <= 1 {
		b := o.root
		switch {
		case b.n == 0:
			o.root = nil
		case b.kids == nil:
			o.leaf, o.root = b.leaves[0], nil
		default:
			o.root = b.kids[0]
		}
	}
}
