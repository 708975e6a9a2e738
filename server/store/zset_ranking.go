package store

import (
	"bytes"
	"encoding/binary"
	"math"
)

// A ranking is the members of a sorted set by score, and by their bytes where
// scores are equal: a B+tree that counts, so that ranks are found, and found by,
// in logarithmic time.
//
// What grows with the members are the leaves, which are blocks of the arena:
//
//	byte   0        kindLeaf
//	byte   1        number of items
//	bytes  2 to  5  the number of the object, as members have it
//	bytes  8 to 15  the leaf before this one, 0 if there is none
//	bytes 16 to 23  the leaf behind this one
//	then leafItems scores of 8 bytes, and as many handles of 5 bytes, of the
//	blocks that hold the members
//
// The branches above them are Go structures, one for some 40 leaves, or 4,000
// members: few enough for the garbage collector not to notice.
type ranking struct {
	arena  *arena
	object uint32
	count  int
	leaf   handle  // the only leaf while there is no root; 0 while it is empty
	root   *branch // nil up to leafItems members
}

const (
	// kindLeaf lets compaction take a leaf for a member, and so ask the object.
	kindLeaf = kindMember | 1

	leafSize     = 2048 // a sorted set that has just outgrown its entry needs one or two
	leafLen      = 1
	leafBack     = 8
	leafNext     = 16
	leafScores   = 24
	leafItems    = (leafSize - leafScores) / (8 + handleBytes) // 155
	leafHandles  = leafScores + 8*leafItems
	branchFan    = 64
	leafSparse   = leafItems / 4 // with fewer items, a leaf is joined with a neighbour that has room
	branchSparse = branchFan / 4

	// rankingDepth bounds the number of branches from the root to a leaf. Branches
	// have 8 children on average at the very least (of two neighbours one is
	// not sparse, or they would be one), so that 12 levels are never reached.
	rankingDepth = 12
)

// An item is a member with its score.
type item struct {
	score  float64
	member handle
}

// A branch has children which are all leaves, or all branches.
type branch struct {
	n      int
	scores [branchFan]float64 // } of each child's first item
	firsts [branchFan]handle  // }
	counts [branchFan]int     // items below each child
	leaves [branchFan]handle
	kids   []*branch // nil if the children are leaves, otherwise of length branchFan
}

// A leaf is the memory of one.
type leaf []byte

func (o *ranking) at(h handle) leaf { return leaf(o.arena.block(h)[:leafSize:leafSize]) }

func (l leaf) len() int { return int(l[leafLen]) }

func (l leaf) setLen(n int) { l[leafLen] = byte(n) }

func (l leaf) link(where int) handle { return handle(binary.LittleEndian.Uint64(l[where:])) }

func (l leaf) setLink(where int, h handle) { binary.LittleEndian.PutUint64(l[where:], uint64(h)) }

func (l leaf) score(i int) float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(l[leafScores+8*i:]))
}

func (l leaf) member(i int) handle {
	at := leafHandles + handleBytes*i
	return handle(binary.LittleEndian.Uint32(l[at:])) | handle(l[at+4])<<32
}

func (l leaf) set(i int, it item) {
	binary.LittleEndian.PutUint64(l[leafScores+8*i:], math.Float64bits(it.score))
	l.setMember(i, it.member)
}

func (l leaf) setMember(i int, h handle) {
	at := leafHandles + handleBytes*i
	binary.LittleEndian.PutUint32(l[at:], uint32(h))
	l[at+4] = byte(h >> 32)
}

func (l leaf) first() item { return item{l.score(0), l.member(0)} }

// move copies n items from position at of another leaf, or this one, to position
// to of this one.
func (l leaf) move(to int, from leaf, at, n int) {
	copy(l[leafScores+8*to:leafScores+8*(to+n)], from[leafScores+8*at:])
	copy(l[leafHandles+handleBytes*to:leafHandles+handleBytes*(to+n)], from[leafHandles+handleBytes*at:])
}

// less says whether an item comes before a member with a score.
func (o *ranking) less(score float64, h handle, than float64, member []byte) bool {
	if score != than {
		return score < than
	}
	return bytes.Compare(keyOf(o.arena.block(h)), member) < 0
}

// A spot is a place between or at items, with the way that leads to it.
type spot struct {
	leaf  handle
	pos   int
	depth int
	way   [rankingDepth]turn
}

// A turn is the choice of a child.
type turn struct {
	b *branch
	i int
}

func (s *spot) turn(b *branch, i int) {
	s.way[s.depth] = turn{b, i}
	s.depth++
}

// find sets s to where a member with a score is or would be, and returns its
// rank.
func (o *ranking) find(s *spot, score float64, member []byte) (rank int) {
	s.depth, s.leaf = 0, o.leaf
	for b := o.root; b != nil; {
		// The last child that begins with the member or before it; there is
		// nothing to find in the others.
		low, high := 1, b.n
		for low < high {
			mid := int(uint(low+high) / 2)
			if b.scores[mid] < score || b.scores[mid] == score &&
				bytes.Compare(keyOf(o.arena.block(b.firsts[mid])), member) <= 0 {
				low = mid + 1
			} else {
				high = mid
			}
		}
		s.turn(b, low-1)
		for _, n := range b.counts[:low-1] {
			rank += n
		}
		b = s.descend(b, low-1)
	}
	if s.leaf == 0 {
		s.pos = 0
		return 0
	}
	l := o.at(s.leaf)
	low, high := 0, l.len()
	for low < high {
		mid := int(uint(low+high) / 2)
		if o.less(l.score(mid), l.member(mid), score, member) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	s.pos = low
	return rank + low
}

// descend returns child i of b, or nil when it is a leaf, which s then has.
func (s *spot) descend(b *branch, i int) *branch {
	if b.kids == nil {
		s.leaf = b.leaves[i]
		return nil
	}
	return b.kids[i]
}

// seek sets s to the item of a rank, 0 <= rank < count.
func (o *ranking) seek(s *spot, rank int) {
	s.depth, s.leaf = 0, o.leaf
	for b := o.root; b != nil; {
		i := 0
		for rank >= b.counts[i] {
			rank -= b.counts[i]
			i++
		}
		s.turn(b, i)
		b = s.descend(b, i)
	}
	s.pos = rank
}

// partition returns the rank of the first item for which before is false. Items
// for which it is true must come before the others.
func (o *ranking) partition(before func(score float64, member handle) bool) (rank int) {
	h := o.leaf
	for b := o.root; b != nil; {
		low, high := 1, b.n
		for low < high {
			mid := int(uint(low+high) / 2)
			if before(b.scores[mid], b.firsts[mid]) {
				low = mid + 1
			} else {
				high = mid
			}
		}
		for _, n := range b.counts[:low-1] {
			rank += n
		}
		if b.kids == nil {
			h, b = b.leaves[low-1], nil
		} else {
			b = b.kids[low-1]
		}
	}
	if h == 0 {
		return 0
	}
	l := o.at(h)
	low, high := 0, l.len()
	for low < high {
		mid := int(uint(low+high) / 2)
		if before(l.score(mid), l.member(mid)) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return rank + low
}

// item is the item at a spot.
func (o *ranking) item(s *spot) item {
	l := o.at(s.leaf)
	return item{l.score(s.pos), l.member(s.pos)}
}

// replace makes the item at a spot another one that sorts the same: its member
// has moved to another block.
func (o *ranking) replace(s *spot, h handle) {
	o.at(s.leaf).setMember(s.pos, h)
	if s.pos == 0 {
		o.refresh(s)
	}
}

// refresh tells the branches on the way to a leaf that its first item has
// changed.
func (o *ranking) refresh(s *spot) {
	first := o.at(s.leaf).first()
	for d := s.depth - 1; d >= 0; d-- {
		t := s.way[d]
		t.b.scores[t.i], t.b.firsts[t.i] = first.score, first.member
		if t.i > 0 {
			return
		}
	}
}

// walk visits n items from a rank on, upwards or downwards, until visit returns
// false. The ranks must exist.
func (o *ranking) walk(rank, n int, down bool, visit func(item) bool) {
	if n <= 0 {
		return
	}
	var s spot
	o.seek(&s, rank)
	l := o.at(s.leaf)
	for pos := s.pos; ; n-- {
		if !visit(item{l.score(pos), l.member(pos)}) || n == 1 {
			return
		}
		switch {
		case down && pos == 0:
			l = o.at(l.link(leafBack))
			pos = l.len() - 1
		case down:
			pos--
		case pos == l.len()-1:
			l = o.at(l.link(leafNext))
			pos = 0
		default:
			pos++
		}
	}
}

// moved corrects what refers to a leaf that has been copied from one block to
// another.
func (o *ranking) moved(from, to handle) {
	l := o.at(to)
	var s spot
	o.find(&s, l.score(0), keyOf(o.arena.block(l.member(0))))
	if s.depth == 0 {
		o.leaf = to
	} else {
		t := s.way[s.depth-1]
		t.b.leaves[t.i] = to
	}
	if back := l.link(leafBack); back != 0 {
		o.at(back).setLink(leafNext, to)
	}
	if next := l.link(leafNext); next != 0 {
		o.at(next).setLink(leafBack, to)
	}
}

// head is the first leaf; 0 if it is empty.
func (o *ranking) head() handle {
	if o.root == nil {
		return o.leaf
	}
	b := o.root
	for b.kids != nil {
		b = b.kids[0]
	}
	return b.leaves[0]
}

// bytes is what the ranking takes.
func (o *ranking) bytes() int {
	if o.root == nil {
		if o.leaf == 0 {
			return 0
		}
		return leafSize
	}
	// How full the leaves are is not known; between a half and all is usual.
	return o.count * leafSize * 4 / (3 * leafItems)
}

// release frees leaves, up to a budget, and tells whether that was all.
func (o *ranking) release(budget int) (cost int, done bool) {
	if o.root != nil {
		o.leaf, o.root = o.head(), nil
	}
	for o.leaf != 0 && cost < budget {
		next := o.at(o.leaf).link(leafNext)
		o.arena.free(o.leaf)
		o.leaf = next
		cost++
	}
	return cost, o.leaf == 0
}
