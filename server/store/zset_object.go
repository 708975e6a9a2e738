package store

import (
	"encoding/binary"
	"math"
)

// A sortedSet is a sorted set that has outgrown its entry: its members in a hash
// table, each with its score as the value, and the same members in order.
type sortedSet struct {
	members members
	ranking ranking
}

const (
	scoreSize       = 8
	sortedSetHeader = 256 // bytes of the structure itself, about
)

// newSortedSet makes an empty one, which must become the value of an entry.
func newSortedSet(a *arena, hash *hasher) *sortedSet {
	z := &sortedSet{}
	z.members.init(a, hash, z)
	z.ranking = ranking{arena: a, object: z.members.number()}
	return z
}

func (z *sortedSet) number() uint32 { return z.members.number() }

func (z *sortedSet) Size() int { return sortedSetHeader + z.members.size() + z.ranking.bytes() }

func (z *sortedSet) Clone() Object {
	c := newSortedSet(z.ranking.arena, z.members.table.hash)
	z.ranking.walk(0, z.ranking.count, false, func(it item) bool {
		c.append(z.members.name(it.member), it.score)
		return true
	})
	return c
}

func (z *sortedSet) Release(budget int) (cost int, done bool) {
	cost, done = z.ranking.release(budget)
	if !done {
		return cost, false
	}
	more, done := z.members.release(budget - cost)
	return cost + more, done
}

// moved is told by compaction of a member, a leaf, or a part of the table.
func (z *sortedSet) moved(from, to handle) {
	b := z.ranking.arena.block(to)
	switch {
	case b[atKind] == kindLeaf:
		z.ranking.moved(from, to)
		return
	case isMember(b):
		// The block that the ranking still refers to is as it was.
		var s spot
		z.ranking.find(&s, scoreOf(valueOf(b)), keyOf(b))
		z.ranking.replace(&s, to)
	}
	z.members.moved(from, to)
}

func scoreOf(value []byte) float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(value))
}

func putScore(value []byte, score float64) {
	binary.LittleEndian.PutUint64(value, math.Float64bits(score))
}

// score is that of a member, if it is there.
func (z *sortedSet) score(member []byte) (score float64, ok bool) {
	h := z.members.find(member)
	if h == 0 {
		return 0, false
	}
	return scoreOf(z.members.value(h)), true
}

// append adds a member that is not there and comes behind all others.
func (z *sortedSet) append(member []byte, score float64) {
	h, value := z.members.insert(member, scoreSize)
	putScore(value, score)
	z.ranking.append(item{score, h})
}

// add is SortedSetEdit.Add.
func (z *sortedSet) add(member []byte, score float64, mode AddMode) (now float64, out AddOutcome) {
	hash := z.members.hash(member)
	_, h := z.members.table.find(hash, member)
	if h == 0 {
		if mode&AddExisting != 0 {
			return 0, AddRefused
		}
		h, value := z.members.newMember(member, scoreSize)
		putScore(value, score)
		z.members.table.insert(hash, h)
		var s spot
		z.ranking.find(&s, score, member)
		z.ranking.insert(&s, item{score, h})
		return score, AddedNew
	}
	value := z.members.value(h)
	old := scoreOf(value)
	if now, out = mode.decide(old, score); out == AddedScore {
		z.reorder(h, member, old, now)
		putScore(value, now)
	}
	return now, out
}

// reorder moves a member to where it belongs with another score.
func (z *sortedSet) reorder(h handle, member []byte, old, now float64) {
	var s spot
	z.ranking.find(&s, old, member)
	l := z.ranking.at(s.leaf)
	// Scores that change a little, as counters do, mostly stay between the same
	// neighbours.
	if s.pos > 0 && s.pos < l.len()-1 && l.score(s.pos-1) < now && now < l.score(s.pos+1) {
		l.set(s.pos, item{now, h})
		return
	}
	z.ranking.remove(&s)
	z.ranking.find(&s, now, member)
	z.ranking.insert(&s, item{now, h})
}

// remove takes a member out and tells whether it was there.
func (z *sortedSet) remove(member []byte) bool {
	hash := z.members.hash(member)
	p, h := z.members.table.find(hash, member)
	if h == 0 {
		return false
	}
	var s spot
	z.ranking.find(&s, scoreOf(z.members.value(h)), member)
	z.ranking.remove(&s)
	z.members.table.remove(hash, p)
	z.members.drop(h)
	return true
}

// removeRange takes out n members from a rank on, which exist.
func (z *sortedSet) removeRange(rank, n int) {
	var s spot
	for range n {
		z.ranking.seek(&s, rank)
		h := z.ranking.item(&s).member
		z.ranking.remove(&s)
		z.members.remove(z.members.name(h))
	}
}
