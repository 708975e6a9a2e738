package dataset

import (
	"github.com/lockstep-db/lockstep/server/rdb"
	"github.com/lockstep-db/lockstep/server/store"
)

// Encode spells an entry of a snapshot.
func Encode(enc *rdb.Encoder, e store.Entry, used rdb.Access) {
	at, _ := e.ExpireAt()
	enc.Entry(shapeOf(e), e.Key(), at, used)
	encodeValue(enc, e)
}

// Dump spells what DUMP answers for an entry. It is valid until enc is used again.
func Dump(enc *rdb.Encoder, e store.Entry) []byte {
	if cap(enc.Buf) > 1<<20 {
		enc.Buf = nil // one huge value shall not be paid for for ever
	}
	enc.Buf = enc.Buf[:0]
	enc.Type(shapeOf(e))
	encodeValue(enc, e)
	enc.Buf = rdb.AppendFooter(enc.Buf, 0)
	return enc.Buf
}

// shapeOf chooses a spelling that every server from Redis 7.0 on reads: a packed set
// is spelled as its members, since only Redis 7.2 knows packed sets.
func shapeOf(e store.Entry) rdb.Shape {
	packed := e.Encoding() == store.EncodingListpack
	switch e.Type() {
	case store.TypeList:
		return rdb.ShapeList
	case store.TypeSet:
		if e.Encoding() == store.EncodingIntset {
			return rdb.ShapeIntset
		}
		return rdb.ShapeSet
	case store.TypeSortedSet:
		if packed {
			return rdb.ShapeSortedSetPacked
		}
		return rdb.ShapeSortedSet
	case store.TypeHash:
		if packed {
			return rdb.ShapeHashListpack
		}
		return rdb.ShapeHash
	case store.TypeStream:
		return rdb.ShapeStream
	}
	return rdb.ShapeString
}

// encodeValue writes what follows the shape of shapeOf.
func encodeValue(enc *rdb.Encoder, e store.Entry) {
	switch shapeOf(e) {
	case rdb.ShapeString:
		if n, ok := e.Int(); ok {
			enc.Int(n)
		} else {
			enc.String(e.StringBytes(nil))
		}
	case rdb.ShapeIntset, rdb.ShapeSortedSetPacked, rdb.ShapeHashListpack:
		enc.String(e.Packed())
	case rdb.ShapeList:
		encodeList(enc, e.List())
	case rdb.ShapeSet:
		encodeSet(enc, e.Set())
	case rdb.ShapeSortedSet:
		encodeSortedSet(enc, e.SortedSet())
	case rdb.ShapeHash:
		encodeHash(enc, e.Hash())
	case rdb.ShapeStream:
		encodeStream(enc, e.Stream())
	}
}

func encodeList(enc *rdb.Encoder, l store.List) {
	enc.Count(uint64(l.NodeCount()))
	l.Nodes(func(plain bool, node []byte) bool {
		enc.Node(node, !plain)
		return true
	})
}

func encodeSet(enc *rdb.Encoder, s store.SetView) {
	enc.Count(uint64(s.Len()))
	s.Each(func(member []byte) bool {
		enc.String(member)
		return true
	})
}

// encodeSortedSet begins with the highest score: a Redis that loads it then adds
// every member in front of the others, which is what it is fastest at.
func encodeSortedSet(enc *rdb.Encoder, s store.SortedSetView) {
	n := s.Len()
	enc.Count(uint64(n))
	s.Walk(n-1, n, true, func(member []byte, score float64) bool {
		enc.String(member)
		enc.Score(score)
		return true
	})
}

func encodeHash(enc *rdb.Encoder, h store.HashView) {
	enc.Count(uint64(h.Len()))
	h.Each(func(field, value []byte) bool {
		enc.String(field)
		enc.String(value)
		return true
	})
}
