package store

import (
	"bytes"
	"math"

	"github.com/lockstep-db/lockstep/server/store/listpack"
)

// SortedSetView is a sorted set as it is read. It is valid until the next
// mutation of the Keyspace; the members that it gives are not to be modified,
// and are valid until it gives the next one.
//
// Members are in the order of their scores, and of their bytes where scores are
// equal. A rank is a position in that order, from 0.
type SortedSetView struct {
	packed []byte     // a listpack, or nil
	large  *sortedSet // otherwise
	arena  *arena
}

// SortedSet is the value of an entry of TypeSortedSet.
func (e Entry) SortedSet() SortedSetView { return sortedSetOf(e.arena, e.block()) }

func sortedSetOf(a *arena, b []byte) SortedSetView {
	if isObject(b[atKind]) {
		return SortedSetView{large: a.objectOf(b).(*sortedSet), arena: a}
	}
	return SortedSetView{packed: valueOf(b), arena: a}
}

// Len is the number of members.
func (s SortedSetView) Len() int {
	if s.large != nil {
		return s.large.ranking.count
	}
	return listpack.Len(s.packed) / 2
}

// Score is the score of a member; ok is false if it is not there.
func (s SortedSetView) Score(member []byte) (score float64, ok bool) {
	if s.large != nil {
		return s.large.score(member)
	}
	p := packedFind(s.packed, member)
	if p.member == 0 {
		return 0, false
	}
	return packedScore(s.packed, p.score), true
}

// Rank is the rank and the score of a member; ok is false if it is not there.
func (s SortedSetView) Rank(member []byte) (rank int, score float64, ok bool) {
	if s.large != nil {
		if score, ok = s.large.score(member); ok {
			var at spot
			rank = s.large.ranking.find(&at, score, member)
		}
		return rank, score, ok
	}
	for p := packedFirst(s.packed); p.member != 0; p = packedNext(s.packed, p) {
		if listpack.Equal(s.packed, p.member, member) {
			return rank, packedScore(s.packed, p.score), true
		}
		rank++
	}
	return 0, 0, false
}

// Each visits all members in order until visit returns false. visit must not
// mutate the Keyspace.
func (s SortedSetView) Each(visit func(member []byte, score float64) bool) {
	s.Walk(0, s.Len(), false, visit)
}

// Walk visits n members from a rank on, upwards, or downwards if down is set,
// until visit returns false. The ranks must exist. visit must not mutate the
// Keyspace.
func (s SortedSetView) Walk(rank, n int, down bool, visit func(member []byte, score float64) bool) {
	switch {
	case n <= 0:
	case s.large != nil:
		s.large.ranking.walk(rank, n, down, func(it item) bool {
			return visit(s.large.members.name(it.member), it.score)
		})
	default:
		packedWalk(s.packed, s.arena.spell[:], rank, n, down, visit)
	}
}

// Scan visits a few members in no particular order, with the guarantees of
// DB.Scan, and returns the next cursor. A packed sorted set is visited at once,
// in order.
func (s SortedSetView) Scan(cursor uint64, visit func(member []byte, score float64)) (next uint64) {
	if s.large != nil {
		return s.large.members.scan(cursor, func(h handle) {
			visit(s.large.members.name(h), scoreOf(s.large.members.value(h)))
		})
	}
	s.Each(func(member []byte, score float64) bool {
		visit(member, score)
		return true
	})
	return 0
}

// A ScoreBound is an end of a range of scores. Open says that the score itself
// is not part of the range.
type ScoreBound struct {
	Score float64
	Open  bool
}

// above says whether a score lies below the bound, which is the lower one.
func (b ScoreBound) above(score float64) bool { return score < b.Score || b.Open && score == b.Score }

// below says whether a score lies above the bound, which is the upper one.
func (b ScoreBound) below(score float64) bool { return score > b.Score || b.Open && score == b.Score }

// ScoreRange is the members with scores between two bounds: n of them from the
// rank first on.
func (s SortedSetView) ScoreRange(min, max ScoreBound) (first, n int) {
	if s.large == nil {
		return packedRange(s.packed, min, max)
	}
	o := &s.large.ranking
	first = o.partition(func(score float64, _ handle) bool { return min.above(score) })
	end := o.partition(func(score float64, _ handle) bool { return !max.below(score) })
	if end <= first { // bounds in the wrong order
		return 0, 0
	}
	return first, end - first
}

// A LexBound is an end of a range of members. Open says that the member itself
// is not part of the range.
type LexBound struct {
	Member []byte
	Open   bool
	Beyond int // -1: before all members; 1: behind all members
}

func (b LexBound) compare(member []byte) int {
	if b.Beyond != 0 {
		return -b.Beyond
	}
	return bytes.Compare(member, b.Member)
}

// above says whether a member lies before the bound, which is the lower one.
func (b LexBound) above(member []byte) bool {
	c := b.compare(member)
	return c < 0 || b.Open && c == 0
}

// below says whether a member lies behind the bound, which is the upper one.
func (b LexBound) below(member []byte) bool {
	c := b.compare(member)
	return c > 0 || b.Open && c == 0
}

// LexRange is the members between two bounds by their bytes: n of them from the
// rank first on. It is meant for sorted sets whose scores are all the same. With
// others the result has no meaning; in a packed one it depends on down, which
// says from which end the caller is going to walk.
func (s SortedSetView) LexRange(min, max LexBound, down bool) (first, n int) {
	if s.large == nil {
		return packedLexRange(s.packed, min, max, down)
	}
	o := &s.large.ranking
	first = o.partition(func(_ float64, h handle) bool { return min.above(s.large.members.name(h)) })
	end := o.partition(func(_ float64, h handle) bool { return !max.below(s.large.members.name(h)) })
	if end <= first {
		return 0, 0
	}
	return first, end - first
}

// An AddMode says under which conditions, and how, SortedSetEdit.Add sets a score. The
// zero value sets it always.
type AddMode uint8

// The modes, to be combined; their names in ZADD are NX, XX, GT, LT and INCR.
const (
	AddMissing   AddMode = 1 << iota // members that are there keep their scores
	AddExisting                      // members that are not there are not added
	AddGreater                       // a member that is there gets only a greater score
	AddLess                          // a member that is there gets only a lower score
	AddIncrement                     // the score is added to the one that the member has
)

// An AddOutcome is what SortedSetEdit.Add has done.
type AddOutcome uint8

// The outcomes.
const (
	AddRefused AddOutcome = iota // nothing: the mode does not allow it
	AddNaN                       // nothing: the new score would not be a number
	AddedSame                    // nothing: the member has that score already
	AddedScore                   // the member has another score now
	AddedNew                     // the member is new
)

// decide is what becomes of a member that has a score.
func (m AddMode) decide(old, score float64) (now float64, out AddOutcome) {
	if m&AddMissing != 0 {
		return old, AddRefused
	}
	if m&AddIncrement != 0 {
		if score += old; math.IsNaN(score) {
			return old, AddNaN
		}
	}
	switch {
	case m&AddLess != 0 && score >= old, m&AddGreater != 0 && score <= old:
		return old, AddRefused
	case score == old:
		return score, AddedSame
	}
	return score, AddedScore
}
