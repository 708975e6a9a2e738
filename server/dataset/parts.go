package dataset

import (
	"github.com/lockstep-db/lockstep/server/rdb"
	"github.com/lockstep-db/lockstep/server/store"
)

const (
	// wholeUpTo is how many elements a collection may have to be spelled in one go: that
	// takes no longer than a slice of a snapshot.
	wholeUpTo = 2000
	// nodeElements is how many elements a node of a list or stream counts for.
	nodeElements = 64
)

// Large says whether an entry is a collection to be spelled in parts.
func Large(e store.Entry) bool { return elements(shapeOf(e), e) > wholeUpTo }

// Begin spells the beginning of a Large entry of a snapshot and returns how to go on:
// with so many elements, about; it tells whether these were the last. The value must
// not change meanwhile.
func Begin(enc *rdb.Encoder, e store.Entry, used rdb.Access) (more func(n int) (done bool)) {
	at, _ := e.ExpireAt()
	enc.Entry(shapeOf(e), e.Key(), at, used)
	switch shapeOf(e) {
	case rdb.ShapeSet:
		return setParts(enc, e.Set())
	case rdb.ShapeHash:
		return hashParts(enc, e.Hash())
	case rdb.ShapeSortedSet:
		return sortedSetParts(enc, e.SortedSet())
	case rdb.ShapeStream:
		return streamParts(enc, e.Stream())
	}
	return listParts(enc, e.List())
}

// elements is how many elements of its own spelling an entry has.
func elements(shape rdb.Shape, e store.Entry) int {
	switch shape {
	case rdb.ShapeSet:
		return e.Set().Len()
	case rdb.ShapeHash:
		return e.Hash().Len()
	case rdb.ShapeSortedSet:
		return e.SortedSet().Len()
	case rdb.ShapeList:
		return e.List().NodeCount() * nodeElements
	case rdb.ShapeStream:
		return streamElements(e.Stream())
	}
	return 1
}

func setParts(enc *rdb.Encoder, s store.SetView) func(n int) bool {
	enc.Count(uint64(s.Len()))
	cursor := uint64(0)
	return func(n int) bool {
		for n > 0 {
			cursor = s.Scan(cursor, func(member []byte) {
				enc.String(member)
				n--
			})
			if cursor == 0 {
				return true
			}
		}
		return false
	}
}

func hashParts(enc *rdb.Encoder, h store.HashView) func(n int) bool {
	enc.Count(uint64(h.Len()))
	cursor := uint64(0)
	return func(n int) bool {
		for n > 0 {
			cursor = h.Scan(cursor, func(field, value []byte) {
				enc.String(field)
				enc.String(value)
				n--
			})
			if cursor == 0 {
				return true
			}
		}
		return false
	}
}

func sortedSetParts(enc *rdb.Encoder, s store.SortedSetView) func(n int) bool {
	left := s.Len()
	enc.Count(uint64(left))
	return func(n int) bool {
		n = min(n, left)
		s.Walk(left-1, n, true, func(member []byte, score float64) bool {
			enc.String(member)
			enc.Score(score)
			return true
		})
		left -= n
		return left == 0
	}
}

func listParts(enc *rdb.Encoder, l store.List) func(n int) bool {
	count, next := l.NodeCount(), 0
	enc.Count(uint64(count))
	return func(n int) bool {
		n = min(1+n/nodeElements, count-next)
		l.NodesFrom(next, n, func(plain bool, node []byte) bool {
			enc.Node(node, !plain)
			return true
		})
		next += n
		return next == count
	}
}
